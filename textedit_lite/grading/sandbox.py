"""Runs a notebook with a student's answers under nbval, in a fenced process with limits, and brings out what they returned.

Nothing that comes out is trusted: outputs are plain arrays of limited size, and the reports of cells are no more than words.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from ..check import OUTPUTS, SEED
from ..errors import SettingsError
from ..exercises.outputs import read_outputs
from ..resources import data_path
from .fence import landlock

MEGA = 1024**2
LARGEST_OUTPUT, LARGEST_REPORT = 256 * MEGA, 16 * MEGA  # bytes, of an exercise's unpacked arrays, and of nbval's words
AROUND = 512 * MEGA  # bytes for nbval and its kernel, besides what an answer takes
MOST_PROCESSES = 64  # of one submission
EVERY = 0.25  # seconds between two looks at a run
DYING = 2.0  # seconds without its kernel after which nbval is interrupted
REPORTING = 5.0  # seconds that it then has to write its report, before it is interrupted once more
INTERRUPTED = 4  # how often it is interrupted before it is killed
# pytest without a module that takes seconds to import: jsonschema checks a kind of address with it that no notebook has.
PYTEST = "import sys; sys.modules['rfc3987_syntax'] = None; import pytest; sys.exit(pytest.main())"
SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/dev", "/nix")


@dataclass(frozen=True)
class Limits:
    """What a submission may use. time: seconds, in all. memory: bytes. each: seconds for one cell, so that an endless loop
    leaves time for the others (default: a tenth). fence: whether Landlock is used where the system has it."""

    time: float = 300
    memory: int = 4 * 1024**3
    each: float | None = None
    fence: bool = True

    def __post_init__(self):
        if not 0 < self.time < float("inf") or self.memory < 256 * MEGA:
            raise SettingsError("A notebook needs more than 0 seconds and at least 256M of memory: set --time and --memory.")

    @property
    def cell(self) -> float:
        """Seconds that one cell may take."""
        return self.each or max(2.0, self.time / 10)

    @property
    def fenced(self) -> bool:
        """Whether a student's process is kept from the rest of the machine."""
        return self.fence and landlock() > 0


LIMITS = Limits()


@dataclass(frozen=True)
class Record:
    """What nbval said of a cell: whether it ran without error and, if not, its last words."""

    passed: bool
    words: str = ""

    @property
    def never_ran(self) -> bool:
        """Whether the kernel had died before, or nbval does not say, as after a cell that took too long."""
        return "Kernel dead on test start" in self.words or "Previous cell timed out" in self.words


@dataclass(frozen=True)
class Run:
    """What came out of a run: what answers returned, what nbval said of each code cell, and which limit ended it."""

    outputs: dict[str, list[Any]] = field(default_factory=dict)  # number of an exercise -> one output per case
    records: dict[int, Record] = field(default_factory=dict)  # index of a code cell -> report
    ended: str = ""  # "time", "memory", "processes", "died", "stopped", or "" where it came to its end
    started: bool = True  # whether it reached the first cell
    log: str = ""  # the last part of what nbval printed


class Package:
    """The package's source as it was at the start: every run gets its own copy of it, and it can be put back."""

    def __init__(self, root: Path | None = None):
        self.root = root or Path(__file__).resolve().parents[1]
        self.files = {path.relative_to(self.root): path.read_bytes() for path in self._there()}

    def _there(self) -> list[Path]:
        inner = self.root / "data"  # in a wheel the models lie inside of the package
        return [path for path in sorted(self.root.rglob("*.py")) if inner not in path.parents]

    def copy_to(self, folder: Path) -> None:
        """Make a copy in `folder`/textedit_lite, with its models by reference."""
        for path, content in self.files.items():
            place = folder / "textedit_lite" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        (folder / "textedit_lite" / "data").symlink_to(data_path().resolve(), target_is_directory=True)

    def altered(self) -> list[Path]:
        """Which files are no longer as they were at the start."""
        return sorted(
            {path for path, content in self.files.items() if _content(self.root / path) != content}
            | {path.relative_to(self.root) for path in self._there()} - set(self.files)
        )

    def restore(self, aside: Path) -> list[Path]:
        """Put back what was altered, and keep the altered files in a folder `aside`. Returns which they were."""
        altered = self.altered()
        for path in altered:
            if (self.root / path).exists():
                place = aside / path.with_name(path.name + ".txt")  # so that nobody imports it
                place.parent.mkdir(parents=True, exist_ok=True)
                os.replace(self.root / path, place) if path not in self.files else shutil.copy(self.root / path, place)
            if path in self.files:
                (self.root / path).parent.mkdir(parents=True, exist_ok=True)
                (self.root / path).write_bytes(self.files[path])
        return altered


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def run(notebook: Any, numbers: Iterable[str], package: Package, seed: int, limits: Limits,
        stop: Callable[[], bool] = lambda: False) -> Run:  # fmt: skip
    """Run an assembled notebook in a folder of its own; afterwards the folder and all its processes are gone.

    numbers: of the exercises whose outputs are wanted. seed: of their inputs. stop: asked all the time whether to end.
    """
    work = Path(tempfile.mkdtemp(prefix="textedit-lite-grade-")).resolve()
    try:
        _furnish(work, notebook, package)
        with open(work / "log.txt", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-I", str(Path(__file__).with_name("fence.py")), json.dumps(_orders(work, limits))],
                cwd=work / "home", env=_surroundings(work, seed), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        ended, reported = _watch(process, work, limits, stop)
        log = (_plain(work / "log.txt", LARGEST_REPORT) or b"").decode("utf-8", "replace")
        started = (work / "outputs" / "started").exists()
        records = _records(work / "junit.xml") if reported else {}
        return Run(_outputs(work, numbers), records, ended, started, log[-500:].strip())
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _furnish(work: Path, notebook: Any, package: Package) -> None:
    """Make the folders of a run, with the notebook, the package, and matplotlib's list of fonts, which takes seconds to make."""
    import nbformat

    for name in ("home", "outputs", "tmp", "package", "matplotlib"):
        (work / name).mkdir()
    nbformat.write(notebook, work / "home" / "answers.ipynb")
    (work / "home" / "pytest.ini").write_text("[pytest]\n")
    package.copy_to(work / "package")
    import matplotlib

    for path in Path(matplotlib.get_cachedir()).glob("fontlist-*.json"):
        shutil.copy(path, work / "matplotlib")


def _orders(work: Path, limits: Limits) -> dict[str, Any]:
    """What the fence is told."""
    nbval = ["--nbval-lax", "--nbval-current-env", f"--nbval-cell-timeout={limits.cell:g}", f"--junitxml={work / 'junit.xml'}"]
    quiet = ["-q", "-p", "nbval.plugin", "-p", "no:cacheprovider", "--color=no", "--tb=short", "--show-capture=no"]
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    places = {os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *libraries, data_path())}
    return {
        "run": [sys.executable, "-c", PYTEST, *quiet, *nbval, "answers.ipynb"],
        "memory": int(limits.memory), "file": LARGEST_OUTPUT, "fence": limits.fence,
        "read": [*SYSTEM, *sorted(places), *sorted(libraries)], "write": [str(work), "/dev"],
    }  # fmt: skip


def _surroundings(work: Path, seed: int) -> dict[str, str]:
    """The environment variables of a run: of the grader's own, only those that a program needs to start."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "SYSTEMROOT") if name in os.environ}
    home = str(work / "home")
    return kept | {
        "HOME": home, "USERPROFILE": home, "IPYTHONDIR": f"{home}/.ipython", "JUPYTER_RUNTIME_DIR": f"{home}/.jupyter",
        "JUPYTER_CONFIG_DIR": f"{home}/.jupyter", "JUPYTER_NO_CONFIG": "1", "JUPYTER_PLATFORM_DIRS": "1",
        "MPLCONFIGDIR": str(work / "matplotlib"), "TMPDIR": str(work / "tmp"), "PYTHONPATH": str(work / "package"),
        "PYTHONNOUSERSITE": "1", "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
        OUTPUTS: str(work / "outputs"), SEED: str(seed),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------- while it runs


def _watch(process: subprocess.Popen, work: Path, limits: Limits, stop: Callable[[], bool]) -> tuple[str, bool]:
    """Wait for a run, end it if it exceeds a limit, and leave none of its processes behind.

    Returns which limit ended it (`Run.ended`), and whether nbval ended by itself, so that the report is its own.
    """
    started, family, ended, asked = time.monotonic(), {}, "", 0
    kernel_seen, kernel_gone = False, None
    try:
        while process.poll() is None and not ended:
            time.sleep(EVERY)
            now, alive = time.monotonic(), _family(process.pid)
            kernel = any(_parent(one) == process.pid for one in alive)  # nbval has one child, the kernel
            family |= {one.pid: one for one in alive}
            kernel_seen = kernel_seen or kernel
            finished = (work / "outputs" / "finished").exists()  # and nbval has only to write its report
            kernel_gone = (kernel_gone or now) if kernel_seen and not kernel and not finished else None
            if stop():
                ended = "stopped"
            elif now - started > limits.time:
                ended = "time"
            elif sum(map(_resident, alive)) > limits.memory + AROUND:
                ended = "memory"
            elif len(alive) > MOST_PROCESSES:
                ended = "processes"
            elif kernel_gone and now - kernel_gone > DYING + asked * REPORTING:
                # nbval waits for a dead kernel as long as for a living one; when interrupted, it still reports. An interrupt
                # that falls into a clean-up is lost.
                if asked == INTERRUPTED:
                    ended = "died"
                else:
                    asked += 1
                    process.send_signal(signal.SIGINT)
    finally:
        code = process.poll()
        _end(process, family, work)
    return ended or ("died" if code not in (0, 1) else ""), not ended and code >= 0


def _family(pid: int) -> list[Any]:
    """A process and all its descendants that are alive."""
    import psutil

    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        return [one for one in (parent, *parent.children(recursive=True)) if _lives(one)]
    return []


def _parent(process: Any) -> int | None:
    import psutil

    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return None


def _lives(process: Any) -> bool:
    import psutil

    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def _resident(process: Any) -> int:
    import psutil

    with contextlib.suppress(psutil.Error):
        return process.memory_info().rss
    return 0


def _end(process: subprocess.Popen, family: dict[int, Any], work: Path) -> None:
    """Kill a run with its children, and those that left the family but still have its folder in their environment."""
    import psutil

    for _ in range(10):  # a process may have started another child before it was killed
        left = {one.pid: one for one in (*_family(process.pid), *_strays(work))} | family
        left = [one for one in left.values() if _lives(one)]
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()  # psutil first checks that the number still belongs to that process
        if not left:
            break
        psutil.wait_procs(left, timeout=1)
    process.wait()


def _strays(work: Path) -> list[Any]:
    """Processes, whatever their parent, whose environment says that they belong to a run."""
    import psutil

    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if one.environ().get(OUTPUTS) == str(work / "outputs"):
                found.append(one)
    return found


# ------------------------------------------------------------------------------------------------------ what came out


def _plain(path: Path, most: int) -> bytes | None:
    """The content of what must be a plain file of at most `most` bytes; a student may have put anything there."""
    with contextlib.suppress(OSError):
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        with open(handle, "rb") as file:
            status = os.fstat(handle)
            if stat.S_ISREG(status.st_mode) and status.st_size <= most:
                return file.read(most)
    return None


def _outputs(work: Path, numbers: Iterable[str]) -> dict[str, list[Any]]:
    """The outputs of those exercises whose outputs can be read."""
    trusted, found = work / "trusted", {}
    shutil.rmtree(trusted, ignore_errors=True)
    trusted.mkdir(mode=0o700)
    for number in numbers:
        content = _plain(work / "outputs" / f"{number}.npz", LARGEST_OUTPUT)
        try:
            if content and _unpacked(content) <= LARGEST_OUTPUT:
                (trusted / f"{number}.npz").write_bytes(content)
                outputs = read_outputs(trusted, number)
                if isinstance(outputs, list):
                    found[number] = outputs
        except Exception:  # a forged file may make numpy, zipfile and json raise anything; it counts as no output
            continue
    return found


def _unpacked(content: bytes) -> int:
    """The bytes that a zip takes when unpacked, as its arrays' own headers and its directory say."""
    import numpy as np

    headers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    total = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for member in archive.infolist():
            with archive.open(member) as file:
                shape, _, kind = headers[np.lib.format.read_magic(file)](file)
            total += max(member.file_size, int(np.prod([float(size) for size in shape])) * kind.itemsize)
    return total


def _records(path: Path) -> dict[int, Record]:
    """Index of a code cell -> what nbval's JUnit file says of it."""
    content, found = _plain(path, LARGEST_REPORT), {}
    try:
        cases = ElementTree.fromstring(content or b"<none/>").iter("testcase")
    except ElementTree.ParseError:
        return {}
    for case in cases:
        named = re.fullmatch(r"Cell (\d{1,6})", case.get("name", ""))
        if named:
            words = [re.sub(r"(?:#x1B|\x1b)\[[0-9;]*m", "", f"{one.get('message', '')}\n{one.text or ''}")
                     for one in case if one.tag in ("failure", "error", "skipped")]  # fmt: skip
            found[int(named.group(1))] = Record(not words, "\n".join(words))
    return found
