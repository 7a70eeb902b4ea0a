"""The reference answers of the exercises and plausible wrong ones, one file an exercise, as sections of plain Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Answers:
    """The answers of one exercise: the reference, and what each wrong one does wrong -> its source."""

    number: str
    reference: str
    wrong: dict[str, str]


def all_answers() -> dict[str, Answers]:
    """Number of the exercise ("1.2") -> its answers, out of files such as 01_2_iou.py."""
    found = {}
    for path in sorted(HERE.glob("[0-9][0-9]_*.py")):
        notebook, place, _ = path.stem.split("_", 2)
        parts = re.split(r"^# %% (reference|wrong: .+)\n", path.read_text(encoding="utf-8"), flags=re.M)[1:]
        sections = dict(zip(parts[::2], (text.strip() + "\n" for text in parts[1::2])))
        number = f"{int(notebook)}.{place}"
        wrong = {name.removeprefix("wrong: "): text for name, text in sections.items() if name != "reference"}
        found[number] = Answers(number, sections["reference"], wrong)
    return found
