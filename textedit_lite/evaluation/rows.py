"""The rows of a run on disk: appended one per line, safe if the process is killed, merged at the end."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError, SettingsError
from ..images import write_text
from .cases import Case

ROWS, CASES, PARTS, EDITS, DISTANCES = "rows.jsonl", "cases.jsonl", "parts", "edits", "distances.json"


def part_file(folder: Path, rank: int) -> Path:
    """Where the process with this rank appends its rows."""
    return folder / PARTS / f"{rank:04d}.jsonl"


def edit_file(folder: Path, key: str) -> Path:
    """Where the edited picture of a case is."""
    return folder / EDITS / f"{key}.png"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of one file. An unfinished last line, left by a process that was killed, does not count as a row.

    Raises OutputError for damage anywhere else.
    """
    *lines, _half = path.read_bytes().split(b"\n")
    try:
        return [json.loads(line) for line in lines]
    except ValueError as error:
        raise OutputError(f"{path} is damaged: remove it to have its rows made again.") from error


def read_parts(folder: Path) -> dict[str, dict[str, Any]]:
    """All rows that any process has written so far, by their key; of two with the same key the first counts."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((folder / PARTS).glob("*.jsonl")):
        for row in read_lines(path):
            found.setdefault(row["key"], row)
    return found


def touched(folder: Path) -> dict[str, int]:
    """When each process last wrote a row or gave another sign of life, in ns by the disk's clock, whichever that is."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / PARTS).glob("*.jsonl")}


def open_lines(path: Path):
    """A file to append rows to, cut back to its last whole line."""
    file = open(path, "ab")
    file.truncate(path.read_bytes().rfind(b"\n") + 1)
    return file


def append(file, row: dict[str, Any]) -> None:
    """Append one row and hand it to the system at once: a kill leaves at most the last line half-written."""
    file.write((json.dumps(row) + "\n").encode())
    file.flush()


def merge(folder: Path, cases: Sequence[Case]) -> list[dict[str, Any]]:
    """Write rows.jsonl from the part files, in the order of the cases, and return its rows; all must be there."""
    found = read_parts(folder)
    rows = [found[case.key] for case in cases]
    _write(folder / ROWS, rows)
    return rows


def write_cases(folder: Path, cases: Sequence[Case]) -> None:
    """Write cases.jsonl: what was chosen to be edited, in order."""
    _write(folder / CASES, (case.to_dict() for case in cases))


def check_cases(folder: Path, cases: Sequence[Case]) -> None:
    """Raises SettingsError where the run in a folder was begun with other cases, as another version may choose them."""
    if (folder / CASES).is_file() and read_lines(folder / CASES) != json.loads(json.dumps([case.to_dict() for case in cases])):
        raise SettingsError(f"{folder} holds edits that another version chose: go on with that version, or give another --out.")


def read_cases(folder: Path) -> list[Case]:
    """The cases of a run."""
    return [Case(**row) for row in read_lines(folder / CASES)]


def read_rows(folder: Path | str) -> list[dict[str, Any]]:
    """The rows of a run, finished or not, in the order of the cases. Taught in notebook 06."""
    folder = Path(folder)
    if (folder / ROWS).is_file():
        return read_lines(folder / ROWS)
    found = read_parts(folder)
    order = [case.key for case in read_cases(folder)] if (folder / CASES).is_file() else list(found)
    return [found[key] for key in order if key in found]


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
