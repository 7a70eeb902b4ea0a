"""Writes files that other processes may read or write at the same time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """A name of this process's own to write a file under; at the end the file is moved to `path`.

    So the file is there in full or not at all, whoever else writes it. If the writing fails, nothing of it is left.
    """
    half = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        yield half
        os.replace(half, path)
    finally:
        half.unlink(missing_ok=True)
