"""Answers that attack the grader instead of solving exercise 1.2, one a file; %(outside)s is a folder that is not theirs."""

from __future__ import annotations

from pathlib import Path


def all_nasty(outside: Path) -> dict[str, str]:
    """Name of an attack -> the source of its answer cell."""
    files = sorted(Path(__file__).parent.glob("[a-z]*.py"))
    return {path.stem: path.read_text(encoding="utf-8").replace("%(outside)s", str(outside)) for path in files}
