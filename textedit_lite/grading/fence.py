"""Puts limits on itself, then becomes the program that it was told to be: `python -I fence.py '{"run": [...], ...}'`.

It imports only the standard library, and is run by its path, so that nothing from a student can be in it. On Linux 5.13
and later, Landlock keeps that program from writing anywhere but in its own folder, from reading what it has no business
with, and (6.12) from sending signals to others. https://docs.kernel.org/userspace-api/landlock.html
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import struct
import sys

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same on every processor
NO_NEW_PRIVILEGES = 38
FILE_RIGHTS = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # execute, write, read, truncate, ioctl: the rights that also apply to files
READING = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder
SIGNALS = 1 << 1


def landlock() -> int:
    """The version of Landlock that this kernel has; 0 for none."""
    if sys.platform != "linux":
        return 0
    return max(0, ctypes.CDLL(None).syscall(CREATE_RULESET, None, 0, 1))


def shut(read: list[str], write: list[str]) -> None:
    """From now on this process may only read below `read` and read and write below `write`. Raises OSError."""
    libc, version = ctypes.CDLL(None, use_errno=True), landlock()
    rights = (1 << 13) - 1
    for least, bit in ((2, 13), (3, 14), (5, 15)):
        rights |= (version >= least) << bit
    fields = (rights,) if version < 4 else (rights, 0) if version < 6 else (rights, 0, SIGNALS)
    wanted = struct.pack(f"{len(fields)}Q", *fields)
    rules = _called(libc.syscall(CREATE_RULESET, wanted, len(wanted), 0))
    for path, allowed in [(path, READING) for path in read] + [(path, rights) for path in write]:
        with contextlib.suppress(FileNotFoundError):
            place = os.open(path, os.O_PATH | os.O_CLOEXEC)
            allowed &= rights if os.path.isdir(path) else rights & FILE_RIGHTS
            _called(libc.syscall(ADD_RULE, rules, 1, struct.pack("=Qi", allowed, place), 0))
            os.close(place)
    _called(libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0))
    _called(libc.syscall(RESTRICT_SELF, rules, 0))


def limit(memory: int, file: int) -> None:
    """Limits the bytes of memory of a process, and of a file that it writes, and forbids core files.

    Where a system has no such limit, none is set.
    """
    import resource

    # The limit is on data and not on address space: torch maps many times what it ever uses.
    for name, most in (("RLIMIT_DATA", memory), ("RLIMIT_FSIZE", file), ("RLIMIT_CORE", 0)):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            resource.setrlimit(getattr(resource, name), (most, most))


def _called(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


if __name__ == "__main__":
    asked = json.loads(sys.argv[1])
    with contextlib.suppress(ImportError):  # Windows has no such limits
        limit(asked["memory"], asked["file"])
    if asked["fence"] and landlock():
        shut(asked["read"], asked["write"])
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell starts in the background ignores interrupts
    os.execv(asked["run"][0], asked["run"])
