"""The course's own notebooks: where an answer belongs, what is checked there, and the hand-out for students."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..check import all_exercises
from ..errors import SettingsError
from ..exercises.exercise import Exercise
from ..resources import shipped

# Set again before each check, which must not depend on what an answer has done to these names.
ANEW = "import numpy as np\nfrom textedit_lite.check import check\n"
TOUCH = "import os, pathlib\npathlib.Path(os.environ['TEXTEDIT_LITE_OUTPUTS'], '{}').touch()"
REGION = re.compile(r"^([ \t]*)#+ *BEGIN SOLUTION\b.*\n(?:.*\n)*?[ \t]*#+ *END SOLUTION\b.*$", re.M)
HIDDEN = re.compile(r"^[ \t]*#+ *BEGIN HIDDEN TESTS\b.*\n(?:.*\n)*?[ \t]*#+ *END HIDDEN TESTS\b.*\n?", re.M)


@dataclass(frozen=True)
class Course:
    """One notebook of the course: its exercises in order, and the stub that is handed out for each."""

    number: int
    name: str  # "01_detr_detection"
    notebook: Any  # an nbformat notebook
    exercises: dict[str, Exercise]
    stubs: dict[str, str]  # number of an exercise -> source of its answer cell

    @property
    def points(self) -> int:
        """The points for answering everything right."""
        return sum(one.points for one in self.exercises.values())


def load_course(folder: Path | None = None) -> dict[int, Course]:
    """Number -> notebook of the course, for those that have exercises. Raises SettingsError where there is none."""
    import nbformat

    folder = folder or shipped("notebooks")
    found = {}
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        course = as_course(int(path.name[:2]), path.stem, nbformat.read(path, as_version=4))
        if course.exercises:
            found[course.number] = course
    if not found:
        raise SettingsError(f"There is no notebook with exercises in {folder}: install the package again, or run make notebooks.")
    return found


def as_course(number: int, name: str, notebook: Any) -> Course:
    """What a notebook of the course asks for."""
    known = {one.grade_id: one for one in all_exercises().values()}
    asked = [(known[grade_id(cell)], cell.source) for cell in notebook.cells if grade_id(cell) in known]
    return Course(number, name, notebook, {one.number: one for one, _ in asked}, {one.number: text for one, text in asked})


def grade_id(cell: Any) -> str | None:
    """The name that a cell has in nbgrader's metadata."""
    return cell["metadata"].get("nbgrader", {}).get("grade_id")


def assemble(course: Course, answers: dict[str, str], full: bool = False) -> tuple[Any, list[tuple[str, str]]]:
    """The course's notebook with these answers in it, and what each of its code cells is, as (exercise, "answer").

    answers: number of an exercise -> source of its cell; the checks of others are left out. full: with all other cells of
    the notebook, placed after the answers, which must not use what those cells import (the course's own functions, too);
    else answers and checks alone. The kinds of cell are "answer", "check" and, for any other, "".
    """
    import nbformat

    places = {one.grade_id: (number, "answer") for number, one in course.exercises.items()}
    places |= {one.grade_id.replace("answer", "check", 1): (number, "check") for number, one in course.exercises.items()}
    made, kinds = nbformat.v4.new_notebook(), []
    made.cells.append(nbformat.v4.new_code_cell(ANEW + TOUCH.format("started")))
    kinds.append(("", ""))
    walk = []
    for cell in course.notebook.cells:
        number, kind = places.get(grade_id(cell), ("", ""))
        if number in answers:
            made.cells.append(nbformat.v4.new_code_cell(answers[number] if kind == "answer" else ANEW + cell.source))
            kinds.append((number, kind))
        elif full and cell.cell_type == "code" and kind != "check":
            walk.append(nbformat.v4.new_code_cell(cell.source))
    made.cells += walk
    kinds += [("", "")] * len(walk)
    made.cells.append(nbformat.v4.new_code_cell(TOUCH.format("finished")))
    kinds.append(("", ""))
    return made, kinds


def hand_out(notebook: Any) -> Any:
    """A notebook of the course as students get it: nothing solved, nothing hidden, nothing run; checks locked."""
    made = copy.deepcopy(notebook)
    for cell in made.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        named = cell.metadata.get("nbgrader", {})
        if named.get("solution"):
            cell.source = REGION.sub(r"\1# YOUR CODE HERE\n\1raise NotImplementedError", cell.source)
            cell.metadata["deletable"] = False
        elif named.get("grade"):
            cell.source = HIDDEN.sub("", cell.source)
            cell.metadata["deletable"] = cell.metadata["editable"] = False
    return made


def release(out: Path, folder: Path | None = None) -> list[Path]:
    """Write the hand-out of every notebook of the course to a folder, and return what was written.

    Raises SettingsError where the folder already holds notebooks, which may be somebody's answers.
    """
    import nbformat

    folder, out = folder or shipped("notebooks"), Path(out)
    if any(out.glob("*.ipynb")):
        raise SettingsError(f"{out} already holds notebooks: give a new folder.")
    out.mkdir(parents=True, exist_ok=True)
    written = []
    try:
        for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
            written.append(out / path.name)
            nbformat.write(hand_out(nbformat.read(path, as_version=4)), written[-1])
    except BaseException:  # even Ctrl-C: a part of the hand-out would be taken for somebody's answers
        for path in written:
            path.unlink(missing_ok=True)
        raise
    if not written:
        raise SettingsError(f"There are no notebooks in {folder}: install the package again.")
    return written
