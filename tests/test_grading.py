"""Grading: right answers earn every point, wrong and hostile ones lose their own, and a class comes through."""

from __future__ import annotations

import copy
import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import jupytext
import nbformat
import pytest
from answers import all_answers
from nasty import all_nasty

from textedit_lite.check import all_exercises, judge
from textedit_lite.cli import main, size
from textedit_lite.errors import OutputError, SettingsError
from textedit_lite.grading.classroom import Desk, grade
from textedit_lite.grading.course import as_course, assemble, grade_id, hand_out, load_course, release
from textedit_lite.grading.fence import landlock
from textedit_lite.grading.marks import Mark, Result, Said, attempt, mark
from textedit_lite.grading.marks import judge as judge_outputs
from textedit_lite.grading.report import file_names, table, write_all
from textedit_lite.grading.sandbox import Limits, Package, Record, Run, _orders, _surroundings, run
from textedit_lite.grading.submission import Submission, code_cells, curious, find, find_answers, forbidden

ROOT = Path(__file__).resolve().parents[1]
TEXT = ROOT / "notebooks" / "text" / "01_detr_detection.py"
ANSWERS = {number: one for number, one in all_answers().items() if number.startswith("1.")}
NUMBERS = list(ANSWERS)
RIGHT = {number: one.reference for number, one in ANSWERS.items()}
LIMITS = Limits(time=240, memory=1024**3, each=6)  # an honest cell takes a tenth of a second
PACKAGE = Package()
NASTY = list(all_nasty(Path()))
PLACES = [number for number in NUMBERS if number not in ("1.3", "1.6")]  # where attacks stand; there stand right answers


@lru_cache
def as_text_has_it() -> nbformat.NotebookNode:
    notebook = jupytext.read(TEXT, fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}})
    return notebook


def handed_out() -> nbformat.NotebookNode:
    """Notebook 01 as its text has it."""
    return copy.deepcopy(as_text_has_it())


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """The course, of which notebook 01 is enough here."""
    path = tmp_path_factory.mktemp("course")
    nbformat.write(handed_out(), path / f"{TEXT.stem}.ipynb")
    return path


@pytest.fixture(scope="session")
def course(folder):
    return load_course(folder)[1]


def submit(answers: dict[str, str], path: Path) -> Path:
    """Notebook 01 with these answers in it, as JupyterLab would save it."""
    notebook, known = handed_out(), {one.grade_id: number for number, one in all_exercises().items()}
    for cell in notebook.cells:
        number = known.get(cell.metadata.get("nbgrader", {}).get("grade_id"))
        if number in answers:
            cell.source = f"# EXERCISE {number}\n{answers[number]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def submission(answers: dict[str, str]) -> Submission:
    return Submission("ada", "ada.ipynb", "0", 1, answers)


# -------------------------------------------------------------------------------------------------- finding answers


def cells_of(path: Path) -> list[tuple[str, dict]]:
    return code_cells(path.read_bytes())


@pytest.fixture
def raw(tmp_path) -> dict:
    """A solved notebook as JSON."""
    return json.loads(submit(RIGHT, tmp_path / "solved.ipynb").read_text(encoding="utf-8"))


def answers_in(notebook: dict, course) -> dict[str, str]:
    return find_answers(code_cells(json.dumps(notebook).encode()), course.exercises, course.stubs)


def solved(found: dict[str, str]) -> bool:
    return found.keys() == RIGHT.keys() and all(RIGHT[number].strip() in text for number, text in found.items())


def as_colab(notebook: dict) -> None:
    for index, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"id": f"x{index}", "colab": {"base_uri": "https://localhost:8080/"}}
        cell["source"] = cell["source"] if isinstance(cell["source"], list) else cell["source"].splitlines(keepends=True)
        cell.pop("id", None)
    notebook["nbformat_minor"] = 0


def as_vs_code(notebook: dict) -> None:
    for index, cell in enumerate(notebook["cells"]):
        cell["metadata"] = {"vscode": {"languageId": "python"}}
        cell["id"] = f"{index:08x}"
        cell["source"] = "".join(cell["source"]).replace("\n", "\r\n")


def reordered(notebook: dict) -> None:
    notebook["cells"].reverse()


def without_markers(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["source"] = re.sub(r"# EXERCISE .*\n", "", "".join(cell["source"]))


def without_marker_and_metadata(notebook: dict) -> None:
    without_markers(notebook)
    as_colab(notebook)


def answered_in_a_copy(notebook: dict) -> None:
    """The stub stays, below it stands a copy with the answer, metadata and all, and the stub once more at the end."""
    for cell in list(notebook["cells"]):
        if cell["metadata"].get("nbgrader", {}).get("solution"):
            stub = {**cell, "source": "".join(cell["source"]).split("\n")[0] + "\n" + STUBS[cell["metadata"]["nbgrader"]["grade_id"]]}
            notebook["cells"] = [stub, *notebook["cells"], stub]


def as_nbformat_3(notebook: dict) -> None:
    for cell in notebook["cells"]:
        cell["input"] = cell.pop("source")
    notebook["worksheets"] = [{"cells": notebook.pop("cells")}]


def stubs() -> dict[str, str]:
    course = as_course(1, TEXT.stem, handed_out())
    return {course.exercises[number].grade_id: text for number, text in course.stubs.items()}


STUBS = stubs()


@pytest.mark.parametrize("change", (as_colab, as_vs_code, reordered, without_markers, without_marker_and_metadata,
                                    answered_in_a_copy, as_nbformat_3))  # fmt: skip
def test_answers_are_found_however_the_notebook_was_saved(change, raw, course):
    change(raw)
    assert solved(answers_in(raw, course))


def test_of_two_answers_the_last_counts(raw, course):
    again = dict(next(cell for cell in raw["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == "answer-1-2"))
    again["source"] = "def iou(a, b):\n    return 1"
    raw["cells"].append(again)
    assert answers_in(raw, course)["1.2"] == again["source"]


def test_a_cell_that_was_copied_with_its_metadata_answers_what_it_defines(raw, course):
    copied = next(cell for cell in raw["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == "answer-1-2")
    other = next(cell for cell in raw["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == "answer-1-3")
    other["metadata"] = copied["metadata"]
    assert solved(answers_in(raw, course))


DRAFT, FINAL = "def iou(a, b):\n    return 0", "def iou(a, b):\n    return area(a) / area(b)"
STUB = "def iou(a, b):\n    raise NotImplementedError"
EPS, AREA = "EPS = 1e-9", "def area(box):\n    return box[0] + EPS"
HELPER = f"{EPS}\n\n{AREA}"
OTHERS = f"# EXERCISE 1.6\n{FINAL}\n\n\ndef keep_best(given):\n    return given"  # with a helper that is named as ours
NAMED = {"nbgrader": {"grade_id": "answer-1-2", "solution": True}}


@pytest.mark.parametrize("cells, found", [
    ([(NAMED, HELPER), (NAMED, FINAL)], f"{HELPER}\n\n{FINAL}"),  # cut between helper and function
    ([(NAMED, FINAL), (NAMED, HELPER)], f"{FINAL}\n\n{HELPER}"),
    ([(NAMED, EPS), (NAMED, AREA), (NAMED, FINAL)], f"{HELPER}\n\n{FINAL}"),
    ([(NAMED, f"{HELPER}\n\n{DRAFT}"), (NAMED, FINAL)], f"{HELPER}\n\n{DRAFT}\n\n{FINAL}"),
    ([(NAMED, DRAFT), (NAMED, "print(iou(boxes, boxes))")], DRAFT),  # cut behind the function
    ([(NAMED, DRAFT), (NAMED, "import numpy as np\nvalues = iou(boxes, boxes)")], DRAFT),
    ([(NAMED, DRAFT), (NAMED, "def iou(a, b:\n    return 0")], DRAFT),
    ([(NAMED, DRAFT), ({}, "# exercise 1.2, trying mine\nprint(iou(boxes, boxes))")], DRAFT),  # a mention is no answer
    ([({}, DRAFT), ({}, "print(1)\n# EXERCISE 1.2\niou = 3")], DRAFT),
    ([(NAMED, DRAFT), ({}, "iou = iou(boxes, boxes)")], DRAFT),
    ([({}, DRAFT), ({}, FINAL)], FINAL),  # the last one counts, named or not
    ([(NAMED, DRAFT), ({}, FINAL)], FINAL),
    ([(NAMED, STUB), ({}, DRAFT), ({}, FINAL)], FINAL),
    ([({}, FINAL), (NAMED, STUB)], FINAL),
    ([(NAMED, DRAFT), ({}, "iou = lambda a, b: 0")], "iou = lambda a, b: 0"),
    ([(NAMED, DRAFT), (NAMED, f"%%time\n{FINAL}")], f"%%time\n{FINAL}"),
    ([(NAMED, STUB), (NAMED, "iou = np.vectorize(min)")], "iou = np.vectorize(min)"),
    ([(NAMED, DRAFT), ({}, OTHERS)], DRAFT),
])  # fmt: skip
def test_the_last_cell_that_defines_the_function_counts_with_what_it_uses(cells, found, course):
    cells = [(source, {"id": None, **metadata}) for metadata, source in cells]
    assert find_answers(cells, course.exercises, {"1.2": STUB})["1.2"] == found


def test_a_deleted_answer_is_not_there(raw, course):
    raw["cells"] = [cell for cell in raw["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") != "answer-1-2"]
    assert answers_in(raw, course).keys() == RIGHT.keys() - {"1.2"}


def test_what_is_no_file_or_cannot_be_read_stops_nobody(tmp_path, folder, monkeypatch):
    submit(RIGHT, tmp_path / "ada" / "01.ipynb")
    (tmp_path / "eve" / "x.ipynb").mkdir(parents=True)
    locked, read = submit(RIGHT, tmp_path / "zoe" / "01.ipynb"), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: open(path / "no") if path == locked else read(path))
    ada, zoe = find([tmp_path], load_course(folder))
    assert (ada.student, ada.problem, zoe.student, zoe.number) == ("ada", None, "zoe", None)
    assert "cannot be read" in zoe.problem and zoe.digest
    with pytest.raises(OSError):
        find([locked], load_course(folder))


def test_names_of_students_and_notebooks(tmp_path, folder):
    submit(RIGHT, tmp_path / "ada" / "ps1" / "01_detr_detection.ipynb")
    submit(RIGHT, tmp_path / "bob_01_detr_detection.ipynb")
    submit({}, tmp_path / "eve" / "renamed.ipynb")
    submit(RIGHT, tmp_path / "eve" / ".ipynb_checkpoints" / "renamed-checkpoint.ipynb")
    (tmp_path / "zoe.ipynb").write_text('{"cells": 3}')
    found = find([tmp_path], load_course(folder))
    assert [one.student for one in found] == ["ada", "bob", "eve", "zoe"]
    assert [one.number for one in found] == [1, 1, 1, None] and "no cells" in found[3].problem


@pytest.mark.parametrize("source", (
    "from textedit_lite.boxes import iou", "from textedit_lite.boxes import *", "import textedit_lite\niou = textedit_lite.boxes.iou",
    "def iou(a, b):\n    from textedit_lite import boxes\n    return boxes.iou(a, b)",
    "import textedit_lite.exercises.detection as d\niou = d.EXERCISES[1].reference", "from textedit_lite import check as c",
    "import textedit_lite.check", "from textedit_lite.check import *",
    "from textedit_lite.check import check, all_exercises", "%%time\nfrom textedit_lite.boxes import iou",
))  # fmt: skip
def test_an_answer_that_is_not_ones_own_is_seen(source):
    assert forbidden(source, all_exercises()["1.2"])


@pytest.mark.parametrize("name", ("check", "plugged_in", "check as c"))
def test_what_the_notebooks_import_of_the_checks_is_allowed(name):
    assert forbidden(f"from textedit_lite.check import {name}\n{RIGHT['1.2']}", all_exercises()["1.2"]) is None


def test_no_reference_answer_counts_as_taken():
    exercises = all_exercises()
    assert [number for number, one in all_answers().items() if forbidden(one.reference, exercises[number])] == []


def test_curious_words_are_listed():
    assert curious("import sys\nexec('1')") == "exec, sys" and curious(RIGHT["1.2"]) == ""


# ------------------------------------------------------------------------------------------------------------- a class


@pytest.fixture(scope="session")
def outside(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(scope="session")
def graded(tmp_path_factory, folder, outside):
    """A class, graded two at a time: right and wrong answers, stubs, garbage, and every attack."""
    work, attacks = tmp_path_factory.mktemp("class"), all_nasty(outside)
    submit(RIGHT, work / "in" / "right" / "01.ipynb")
    submit(RIGHT | {"1.2": next(iter(ANSWERS["1.2"].wrong.values()))}, work / "in" / "wrong" / "01.ipynb")
    submit({}, work / "in" / "empty" / "01_detr_detection.ipynb")
    (work / "in" / "garbage.ipynb").write_bytes(b"\x00{")
    for start in range(0, len(NASTY), len(PLACES)):
        chosen = dict(zip(PLACES, NASTY[start : start + len(PLACES)]))
        hostile = {number: placed(attacks[name], number) for number, name in chosen.items()}
        submit(RIGHT | hostile, work / "in" / f"nasty{start // len(PLACES)}" / "01.ipynb")
    results = grade([work / "in"], work / "grades.csv", work / "pages", jobs=2, limits=LIMITS, folder=folder, package=PACKAGE)
    return work, {one.student: one for one in results}


def placed(source: str, number: str) -> str:
    """An attack on exercise 1.2 in the place of another."""
    return re.sub(r"\biou\b", all_exercises()[number].name, source).replace("1.2", number)


def points(result) -> dict[str, int]:
    return {mark.number: mark.points for mark in result.marks}


ALL = {number: all_exercises()[number].points for number in NUMBERS}


def test_right_answers_earn_every_point(graded):
    assert points(graded[1]["right"]) == ALL


def test_a_wrong_answer_loses_its_own_points_and_is_told_on_which_input(graded):
    result = graded[1]["wrong"]
    assert points(result) == ALL | {"1.2": 0}
    assert "for iou(a = float32" in next(mark.message for mark in result.marks if mark.number == "1.2")


def test_stubs_earn_nothing_and_take_no_run(graded, course, monkeypatch):
    result = graded[1]["empty"]
    assert result.points == 0 and all("not solved yet" in one.message for one in result.marks)
    monkeypatch.setattr("textedit_lite.grading.marks.run", None)
    assert mark(submission(course.stubs), course, PACKAGE, 1).marks == result.marks


def test_garbage_is_a_row_with_a_reason(graded):
    assert "no notebook" in graded[1]["garbage"].problem


@pytest.mark.parametrize("name", NASTY)
def test_an_attack_gains_nothing_and_costs_the_others_nothing(name, graded):
    index = NASTY.index(name)
    result, number = graded[1][f"nasty{index // len(PLACES)}"], PLACES[index % len(PLACES)]
    lost = dict.fromkeys(PLACES[: len(NASTY) - index // len(PLACES) * len(PLACES)], 0)
    assert points(result) == ALL | lost, [mark.message for mark in result.marks]
    said = next(mark.message for mark in result.marks if mark.number == number)
    assert SAID.get(name, "") in said, said


SAID = {
    "endless_loop": "does its loop end?",
    "endless_loop_that_minds_nothing": "does its loop end?",
    "memory_bomb_in_children": "memory",
    "os_exit": "ended the notebook's process",
    "syntax_error": "SyntaxError",
    "sys_exit": "SystemExit",
    "takes_ours": "course's own",
}


def test_nothing_is_left_behind(graded, outside):
    import psutil

    running = [one.info["cmdline"] for one in psutil.process_iter(["cmdline"]) if str(outside) in (one.info["cmdline"] or [])]
    assert running == []
    if landlock():
        assert list(outside.iterdir()) == []


def test_the_table_the_json_and_the_pages(graded):
    work, results = graded
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO((work / "grades.csv").read_text(encoding="utf-8")))}
    assert rows.keys() == results.keys()
    assert rows["wrong"]["answer-1-2"] == "0" and rows["right"]["points"] == str(sum(ALL.values()))
    assert {one["student"]: one["points"] for one in json.loads((work / "grades.json").read_text())}["right"] == sum(ALL.values())
    page = (work / "pages" / "wrong-01_detr_detection.html").read_text(encoding="utf-8")
    assert "for iou(a = float32" in page and "def iou" in page
    assert "wrong-01_detr_detection.html" in (work / "pages" / "index.html").read_text(encoding="utf-8")


def test_the_same_call_grades_nothing_again(graded, folder, monkeypatch):
    work, results = graded

    def never(*arguments):
        raise AssertionError("it was graded before")

    monkeypatch.setattr("textedit_lite.grading.classroom.mark", never)
    again = grade([work / "in"], work / "grades.csv", jobs=2, limits=LIMITS, folder=folder, package=PACKAGE)
    assert {one.student: one for one in again} == results


def test_a_class_that_was_stopped_goes_on(tmp_path, folder):
    for name in ("a", "b"):
        submit({"1.1": RIGHT["1.1"] + f"\n# {name}"}, tmp_path / "in" / f"{name}.ipynb")

    def first_only(results, total):
        assert total == 2
        for result in results:
            yield result
            raise KeyboardInterrupt

    def counted(results, total):
        counts.append(total)
        return results

    counts: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        grade([tmp_path / "in"], tmp_path / "grades.csv", jobs=1, limits=LIMITS, folder=folder, package=PACKAGE, progress=first_only)
    assert not (tmp_path / "grades.csv").exists()
    results = grade([tmp_path / "in"], tmp_path / "grades.csv", jobs=1, limits=LIMITS, folder=folder, package=PACKAGE, progress=counted)
    assert counts in ([1], [0]) and [one.points for one in results] == [ALL["1.1"]] * 2


def test_who_alters_the_installed_package_earns_nothing_and_the_others_are_graded_again(tmp_path, folder, course):
    installed = tmp_path / "textedit_lite"
    shutil.copytree(ROOT / "textedit_lite", installed, ignore=shutil.ignore_patterns("__pycache__"))
    before = (installed / "boxes.py").read_bytes()
    hostile = f"open({str(installed / 'boxes.py')!r}, 'a').write('1 / 0')\n" + RIGHT["1.1"]
    submit({"1.1": hostile}, tmp_path / "in" / "mallory.ipynb")
    submit({"1.1": RIGHT["1.1"]}, tmp_path / "in" / "ada.ipynb")
    results = grade([tmp_path / "in"], tmp_path / "grades.csv", jobs=2, limits=Limits(240, fence=False), folder=folder,
                    package=Package(installed))  # fmt: skip
    ada, mallory = results
    assert ada.points == ALL["1.1"] and mallory.points == 0 and "boxes.py" in mallory.problem
    assert (installed / "boxes.py").read_bytes() == before
    assert (tmp_path / "grades.parts" / "altered" / "boxes.py.txt").read_bytes() == before + b"1 / 0"


def test_a_notebook_has_only_its_time(course):
    loop = "def {}(*given):\n    while True:\n        pass"
    answers = {number: loop.format(course.exercises[number].name) for number in NUMBERS[:3]}
    result = mark(submission(answers), course, PACKAGE, 1, Limits(time=8, each=5))
    assert result.points == 0 and result.seconds < 20
    assert any("seconds" in one.message for one in result.marks)


@pytest.mark.parametrize("came", (Run(ended="time"), Run(ended="died"), Run(records={20: Record(False, "Timeout of 80")})),
                         ids=("time", "died", "cell"))  # fmt: skip
def test_a_walk_that_takes_all_the_time_takes_no_points(came, course, monkeypatch):
    """A full run of which nothing of the answers came; then what they earn without the walk."""
    runs = []

    def ran(notebook, numbers, package, seed, limits, stop):
        runs.append((len(notebook.cells), limits.time, limits.cell))
        asked = {number: course.exercises[number] for number in numbers}
        right = {number: judge(one, one.reference, seed).outputs for number, one in asked.items()}
        return came if len(runs) == 1 else Run(right)

    monkeypatch.setattr("textedit_lite.grading.marks.run", ran)
    result = mark(submission(RIGHT), course, PACKAGE, 1, Limits(time=240), full=True)
    assert points(result) == ALL, [one.message for one in result.marks]
    (walk, *first), (bare, *second) = runs
    assert walk > bare and first == [240, 80] and second == [240, 24]


def test_what_the_walk_imports_is_no_answers_to_use(folder, tmp_path):
    """The walk of notebook 01 has `iou` and `scale_boxes` from the course; an answer that leaves its function out has none."""
    own = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("from textedit_lite.boxes import iou, scale_boxes"),
        *(cell for cell in load_course(folder)[1].notebook.cells if cell.cell_type == "code" and grade_id(cell)),
    ])  # fmt: skip
    answers = {"1.2": "box_iou = 1", "1.3": "def scale_boxes(*given):\n    return iou(*given)", "1.1": RIGHT["1.1"]}
    short = as_course(1, "01_detr_detection", own)
    alone, full = (mark(submission(answers), short, PACKAGE, 1, LIMITS, full=full) for full in (False, True))
    assert points(full) == points(alone) == dict.fromkeys(NUMBERS, 0) | {"1.1": ALL["1.1"]}
    assert {one.message for one in full.marks} == {one.message for one in alone.marks}


def test_a_full_run_names_the_time_that_its_cells_had(course, monkeypatch):
    index = assemble(course, RIGHT, True)[1].index(("1.1", "check"))
    came = Run(records={index: Record(False, "Timeout of 80 seconds")})
    monkeypatch.setattr("textedit_lite.grading.marks.run", lambda *given: came)
    said, _ = attempt(RIGHT, course, PACKAGE, 1, Limits(time=240), True, lambda: False)
    assert "80 seconds" in said["1.1"].trouble


def test_a_report_that_nbval_did_not_come_to_write_is_not_read(course, monkeypatch):
    monkeypatch.setattr("textedit_lite.grading.sandbox.INTERRUPTED", 0)
    answers = {"1.1": RIGHT["1.1"], "1.2": all_nasty(Path())["writes_the_reports"]}
    came = run(assemble(course, answers)[0], answers, PACKAGE, 1, LIMITS)
    assert came.ended == "died" and came.records == {} and came.outputs.keys() == {"1.1", "1.2"}
    assert points(mark(submission(answers), course, PACKAGE, 1, LIMITS)) == dict.fromkeys(NUMBERS, 0) | {"1.1": ALL["1.1"]}


def test_nbval_starts_without_what_takes_seconds(tmp_path):
    """What jsonschema checks a kind of address with is imported wherever it is installed, and no notebook has such a one."""
    program, *words = _orders(tmp_path, LIMITS)["run"]
    done = subprocess.run([program, "-X", "importtime", *words, "--help"], env=_surroundings(tmp_path, 1), capture_output=True, text=True)
    assert done.returncode == 0 and "nbval.kernel" in done.stderr and "rfc3987_syntax.syntax_helpers" not in done.stderr


def test_a_grader_in_the_background_still_sees_that_a_kernel_died(course):
    """A shell starts what stands before a "&" deaf to interrupts, and so would be all that it starts."""
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        result = mark(submission({"1.2": all_nasty(Path())["os_exit"]}), course, PACKAGE, 1, LIMITS)
    finally:
        signal.signal(signal.SIGINT, heard)
    assert "ended the notebook's process" in next(one.message for one in result.marks if one.number == "1.2")


def test_what_an_answer_returned_is_all_judged(course):
    exercise = course.exercises["1.2"]
    right = judge(exercise, exercise.reference, 7).outputs
    for outputs, earned in ((right, exercise.points), (right[:-1], 0), ([], 0), ([*right, right[-1]], 0), (right[1:], 0)):
        assert judge_outputs(exercise, Said(outputs), 7, "").points == earned
    assert judge_outputs(exercise, Said(right), 8, "").points == 0, "on other inputs"
    assert judge_outputs(exercise, Said(right, "it changes its input: work on a copy."), 7, "").points == 0


def test_who_hands_in_the_same_is_graded_alike_under_his_own_name_and_no_name_or_answer_is_a_formula_or_a_tag(tmp_path, folder):
    stub = STUBS["answer-1-2"].replace("raise", "# <script>\n    raise")
    for name in ("=1+2", "ada", "<b>eve"):
        submit({"1.2": stub}, tmp_path / "in" / name / "01.ipynb")
    results = grade([tmp_path / "in"], tmp_path / "grades.csv", tmp_path / "pages", limits=LIMITS, folder=folder, package=PACKAGE)
    assert [(one.student, Path(one.path).parent.name) for one in results] == [(name, name) for name in ("<b>eve", "=1+2", "ada")]
    assert len({one.digest for one in results}) == 1, "the file is the same"
    header, *rows = csv.reader(io.StringIO((tmp_path / "grades.csv").read_text(encoding="utf-8")))
    assert [row[0] for row in rows] == ["<b>eve", "'=1+2", "ada"] and header[4:10] == [f"answer-1-{i}" for i in range(1, 7)]
    pages = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "pages").iterdir()}
    assert len(pages) == 4 and not any("<script>" in page or "<b>eve" in page for page in pages.values())
    assert all("&lt;script&gt;" in page for name, page in pages.items() if name != "index.html")


def test_of_pages_no_two_have_one_name_and_exercises_stand_in_order():
    some = [Result(student, "", "0", "01_a") for student in ("a b", "a_b", "A.B", "index")]
    names = file_names([*some, Result("index", "", "0", "")])
    assert len({name.lower() for name in names}) == 5 and "index.html" not in names
    marks = tuple(Mark(number, f"answer-{number.replace('.', '-')}", "", 1, 1, "") for number in ("1.10", "1.9", "10.1", "2.1"))
    assert table([replace(some[0], marks=marks)]).split(",")[4:8] == ["answer-1-9", "answer-1-10", "answer-2-1", "answer-10-1"]


def test_a_result_holds_only_for_the_course_the_limits_and_the_package_that_it_was_made_with(tmp_path, course):
    mine = Desk(tmp_path, {1: course}, PACKAGE, LIMITS, False)
    result = Result("ada", "ada.ipynb", "0", course.name, (Mark("1.2", "answer-1-2", "IoU", 4, 4, "right"),))
    mine._store(result)
    mine._store(replace(result, digest="1", problem="Grading was stopped.", whole=False))
    assert mine._stored("0") == result and mine._stored("1") is None
    other = Package()
    other.files[Path("boxes.py")] += b"\n"
    stubs = replace(course, stubs=course.stubs | {"1.2": "def iou(a, b):\n    ..."})
    for changed in ((course, PACKAGE, replace(LIMITS, time=60), False), (course, PACKAGE, LIMITS, True), (course, other, LIMITS, False),
                    (stubs, PACKAGE, LIMITS, False)):  # fmt: skip
        one, *rest = changed
        assert Desk(tmp_path, {1: one}, *rest)._stored("0") is None
    assert Desk(tmp_path, {1: course}, PACKAGE, LIMITS, False)._stored("0") == result


def test_a_changed_submission_gets_other_inputs(tmp_path, course):
    desk = Desk(tmp_path, {1: course}, PACKAGE, LIMITS, False)
    assert desk._seed("a") != desk._seed("b")
    assert desk._seed("a") == Desk(tmp_path, {1: course}, PACKAGE, LIMITS, False)._seed("a")
    secret = tmp_path / "secret"
    assert secret.stat().st_mode & 0o777 == 0o600
    secret.write_text("")  # killed while it was written
    assert len(Desk(tmp_path, {1: course}, PACKAGE, LIMITS, False).secret) == 32


# ------------------------------------------------------------------------------------------- hand-out, command, nbgrader


def test_the_hand_out_has_stubs_and_no_outputs(tmp_path, folder, course):
    (path,) = release(tmp_path / "out", folder)
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    named = {cell.metadata.nbgrader.grade_id: cell for cell in cells if "nbgrader" in cell.metadata}
    for exercise in course.exercises.values():
        source = named[exercise.grade_id].source
        assert "raise NotImplementedError" in source and f"def {exercise.name}(" in source
        assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)", source)
    assert find_answers(cells_of(path), course.exercises, course.stubs).keys() == course.exercises.keys()
    with pytest.raises(SettingsError, match="new folder"):
        release(tmp_path / "out", folder)


def test_the_hand_out_solves_and_shows_nothing_that_is_the_teachers():
    answer = "def iou(a, b):\n    ### BEGIN SOLUTION\n    return 1\n    ### END SOLUTION\n\n\ndef area(a):\n" + (
        "    # BEGIN SOLUTION\n    return 2\n    # END SOLUTION")
    hidden = "check(1)\n### BEGIN HIDDEN TESTS\nsecret = 1\n### END HIDDEN TESTS\ncheck(2)"
    named = [{"nbgrader": {"solution": True}}, {"nbgrader": {"grade": True, "points": 1}}, {}]
    cells = [nbformat.v4.new_code_cell(source, metadata=metadata, execution_count=3, outputs=[nbformat.v4.new_output("stream", text="4")])
             for source, metadata in zip((answer, hidden, "shown = 1"), named)]  # fmt: skip
    given = nbformat.v4.new_notebook(cells=cells)
    before = copy.deepcopy(given)
    stub, check, other = hand_out(given).cells
    asked = "    # YOUR CODE HERE\n    raise NotImplementedError"
    assert stub.source == f"def iou(a, b):\n{asked}\n\n\ndef area(a):\n{asked}"
    assert check.source == "check(1)\ncheck(2)" and other.source == "shown = 1"
    assert (check.metadata.deletable, check.metadata.editable, stub.metadata.deletable) == (False, False, False)
    assert stub.metadata.get("editable", True) and "editable" not in other.metadata
    assert not any(cell.outputs or cell.execution_count for cell in (stub, check, other))
    assert given == before, "the course's own notebook stays"


def test_the_command(tmp_path, folder, monkeypatch, capsys):
    monkeypatch.setattr("textedit_lite.grading.course.shipped", lambda name: folder)
    assert main(["release", str(tmp_path / "out")]) == 0
    out = tmp_path / "grades.csv"
    assert main(["grade", str(tmp_path / "out"), "--out", str(out), "--html", str(tmp_path / "pages"), "--memory", "2G"]) == 0
    assert "0 of" in capsys.readouterr().out and out.exists() and (tmp_path / "pages" / "index.html").exists()
    assert main(["grade", str(tmp_path / "nothing.ipynb"), "--out", str(out)]) == 2
    (tmp_path / "empty").mkdir()
    assert main(["grade", str(tmp_path / "empty"), "--out", str(out)]) == 2


def test_the_command_hands_over_all_that_it_was_told(monkeypatch):
    asked = []
    monkeypatch.setattr("textedit_lite.grading.classroom.grade", lambda *given, **options: asked.append(given) or [])
    assert main(["grade", "a", "b", "--out", "g.csv", "--html", "p", "--jobs", "3", "--time", "9", "--memory", "2G", "--full"]) == 0
    assert main(["grade", "a"]) == 0
    assert asked == [([Path("a"), Path("b")], Path("g.csv"), Path("p"), 3, Limits(9, 2 * 1024**3), True),
                     ([Path("a")], Path("grades.csv"), None, None, Limits(), False)]  # fmt: skip


@pytest.mark.parametrize("html, words", ((None, "g.csv."), ("pages", "g.csv, with pages in pages.")))
def test_the_command_says_where_the_grades_are(html, words, monkeypatch, capsys):
    monkeypatch.setattr("textedit_lite.grading.classroom.grade", lambda *given, **options: [])
    assert main(["grade", "in", "--out", "g.csv", *(["--html", html] if html else [])]) == 0
    assert capsys.readouterr().out == f"0 notebooks are graded in {words}\n"


@pytest.mark.parametrize("out", (".", "g.json", "folder.csv", "beside.csv"))
def test_a_table_that_cannot_be_written_is_refused_before_anything_is_graded(out, tmp_path, folder, monkeypatch):
    monkeypatch.chdir(tmp_path)
    submit(RIGHT, tmp_path / "ada.ipynb")
    for name in ("folder.csv", "beside.json"):
        Path(name).mkdir()
    before = sorted(tmp_path.iterdir())
    with pytest.raises(OutputError):
        grade(["ada.ipynb"], out, folder=folder, package=PACKAGE)
    assert sorted(tmp_path.iterdir()) == before


def test_windows_is_told_where_it_can_grade(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(SettingsError, match="Windows Subsystem for Linux"):
        grade([tmp_path], tmp_path / "grades.csv", folder=folder, package=PACKAGE)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_a_spreadsheet_keeps_open_is_named(tmp_path, monkeypatch):
    def refuse(half, path):
        raise PermissionError(13, "Access is denied", str(half), 5, str(path))

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OutputError, match="grades.csv. cannot be written .Access is denied.: close the program that has it open"):
        write_all([], tmp_path / "grades.csv", None, {})
    assert list(tmp_path.iterdir()) == []


def test_a_hand_out_that_was_interrupted_is_not_there(tmp_path, monkeypatch):
    course = tmp_path / "course"
    for name in ("01_a", "02_b"):
        course.mkdir(exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(), course / f"{name}.ipynb")

    def interrupted(notebook, path, write=nbformat.write):
        write(notebook, path)
        if path.name.startswith("02"):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(nbformat, "write", interrupted)
        release(tmp_path / "out", course)
    assert list((tmp_path / "out").iterdir()) == []
    assert len(release(tmp_path / "out", course)) == 2


def test_sizes():
    assert size("4G") == 4 * 1024**3 and size("800m") == 800 * 1024**2 and size("1024") == 1024


def test_nbgrader_makes_the_assignment_and_grades_it(tmp_path, monkeypatch, course):
    """nbgrader's own generate_assignment and autograde, on the exercises of notebook 01 as they are."""
    from nbgrader.api import Gradebook
    from nbgrader.apps import NbGraderAPI
    from traitlets.config import Config

    monkeypatch.setenv("PATH", os.path.dirname(shutil.which("pytest", path=str(Path(os.sys.executable).parent)) or "") + os.pathsep
                       + os.environ["PATH"])  # fmt: skip
    monkeypatch.chdir(tmp_path)
    whole, short = handed_out(), handed_out()
    short.cells = [nbformat.v4.new_code_cell("import numpy as np\nfrom textedit_lite.check import check")]
    short.cells += [cell for cell in whole.cells if "nbgrader" in cell.metadata]
    source = tmp_path / "source" / "ps1"
    source.mkdir(parents=True)
    nbformat.write(whole, source / "whole.ipynb")
    nbformat.write(short, source / "short.ipynb")
    config = Config()
    config.CourseDirectory.root, config.CourseDirectory.db_url = str(tmp_path), f"sqlite:///{tmp_path}/gradebook.db"
    config.Autograde.timeout = config.ExecutePreprocessor.timeout = 300
    api = NbGraderAPI(config=config)
    assert api.generate_assignment("ps1")["success"]
    released = tmp_path / "release" / "ps1"
    for name in ("whole", "short"):
        text = "\n".join(cell.source for cell in nbformat.read(released / f"{name}.ipynb", as_version=4).cells)
        assert all(f"def {one.name}(" in text for one in course.exercises.values())

    config.CourseDirectory.notebook_id = "short"
    handed_in = nbformat.read(released / "short.ipynb", as_version=4)
    for cell in handed_in.cells:
        number = cell.metadata.get("nbgrader", {}).get("grade_id", "").removeprefix("answer-").replace("-", ".")
        if number in RIGHT:
            cell.source = RIGHT[number] if number != "1.2" else next(iter(ANSWERS["1.2"].wrong.values()))
    (tmp_path / "submitted" / "ada" / "ps1").mkdir(parents=True)
    nbformat.write(handed_in, tmp_path / "submitted" / "ada" / "ps1" / "short.ipynb")
    graded = NbGraderAPI(config=config).autograde("ps1", "ada")
    assert graded["success"], graded
    with Gradebook(config.CourseDirectory.db_url) as book:
        assert book.find_submission_notebook("short", "ps1", "ada").score == sum(ALL.values()) - ALL["1.2"]
