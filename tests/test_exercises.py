"""Every exercise has a reference answer that earns its points, and wrong answers that do not."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import jupytext
import numpy as np
import pytest
from answers import all_answers

from textedit_lite.check import WrongAnswerError, all_exercises, check, judge, plugged_in
from textedit_lite.errors import SettingsError
from textedit_lite.exercises.outputs import read_outputs, write_outputs

ANSWERS = all_answers()
EXERCISES = all_exercises()
TEXTS = {path.name[:2]: path for path in sorted((Path(__file__).parents[1] / "notebooks" / "text").glob("[0-9][0-9]_*.py"))}
WRONG = [(number, name) for number, answers in ANSWERS.items() for name in answers.wrong]


def function(number: str, source: str):
    """The function that an answer's source defines, in a notebook's names."""
    names = {"np": np}
    exec(source, names)
    return names[EXERCISES[number].name]


def test_every_exercise_has_answers():
    assert list(ANSWERS) == list(EXERCISES)
    assert all(len(answers.wrong) >= 2 for answers in ANSWERS.values())


def test_the_first_check_of_a_notebook_waits_for_no_large_library():
    code = ("import sys; from textedit_lite.check import all_exercises; all_exercises()\n"
            "print({'torch', 'matplotlib.pyplot', 'scipy.ndimage'} & sys.modules.keys())")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stdout + done.stderr


@pytest.mark.parametrize("seed", (0, 1, 2))
@pytest.mark.parametrize("number", EXERCISES)
def test_the_reference_earns_all_points(number, seed):
    feedback = judge(EXERCISES[number], function(number, ANSWERS[number].reference), seed)
    assert feedback.solved and feedback.points == EXERCISES[number].points, feedback.message


@pytest.mark.parametrize("seed", (0, 1))
@pytest.mark.parametrize(("number", "name"), WRONG, ids=[f"{number} {name}" for number, name in WRONG])
def test_a_wrong_answer_earns_nothing_and_is_told_why(number, name, seed):
    feedback = judge(EXERCISES[number], function(number, ANSWERS[number].wrong[name]), seed)
    assert not feedback.solved and feedback.points == 0
    assert EXERCISES[number].name in feedback.message and "not solved yet" not in feedback.message


@pytest.mark.parametrize("number", EXERCISES)
def test_the_task_is_drawn(number):
    assert EXERCISES[number].draw().axes


@pytest.mark.parametrize("number", EXERCISES)
def test_outputs_travel_as_plain_data(number, tmp_path):
    exercise = EXERCISES[number]
    feedback = judge(exercise, function(number, ANSWERS[number].reference), 3)
    write_outputs(tmp_path, number, feedback.outputs)
    from textedit_lite.check import cases

    for arguments, got in zip(cases(exercise, 3), read_outputs(tmp_path, number), strict=True):
        assert exercise.wrong(got, arguments) is None


def test_a_stub_is_not_solved_yet_and_raises_where_points_hang_on_it(monkeypatch):
    def iou(a, b):
        raise NotImplementedError

    assert "not solved yet" in check("1.2", iou).message
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(WrongAnswerError, match="not solved yet"):
        check("1.2", iou)


def test_an_answer_that_raises_or_is_no_function_is_wrong_and_says_so():
    assert "ZeroDivisionError" in check("1.2", lambda a, b: 1 / 0).message
    assert "the function itself" in check("1.2", 0.5).message


def test_an_answer_that_changes_its_input_is_wrong():
    from textedit_lite.boxes import iou as ours

    def iou(a, b):
        result = ours(a, b)
        a += 1
        return result

    assert "work on a copy" in check("1.2", iou).message


def test_an_unknown_number_is_refused():
    with pytest.raises(SettingsError, match="1.2"):
        check("99.9", print)


def test_a_plugged_in_function_is_used_and_taken_out_again():
    from textedit_lite import boxes, editor

    def iou(a, b):
        return boxes.area(a)[:, None] * 0

    def stub(a, b):
        raise NotImplementedError

    ours = boxes.iou
    with plugged_in(iou=iou) as mine:
        assert mine == ["iou"] and editor.iou is iou and boxes.iou is iou
    assert editor.iou is ours and boxes.iou is ours
    with plugged_in(iou=stub) as mine:
        assert mine == [] and boxes.iou is ours
    with pytest.raises(SettingsError):
        with plugged_in(no_such_function=iou):
            pass


# --- the notebooks -----------------------------------------------------------------------------------------------


def graded(path: Path) -> list[tuple]:
    """(grade id, answer's cell, the text above it, the cell below it) of each answer in a notebook's text, in order."""
    cells = jupytext.read(path, fmt="py:percent").cells
    return [(cell.metadata["nbgrader"]["grade_id"], cell, cells[i - 1].source, cells[i + 1])
            for i, cell in enumerate(cells) if cell.metadata.get("nbgrader", {}).get("solution")]  # fmt: skip


def definition(source: str, name: str) -> ast.FunctionDef:
    return next(node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == name)


def of_notebook(number: str) -> list[str]:
    return [one for one in EXERCISES if int(one.split(".")[0]) == int(number)]


@pytest.mark.parametrize("number", TEXTS)
def test_a_notebook_asks_its_exercises_each_once_and_in_order(number):
    found = [grade_id for grade_id, *_ in graded(TEXTS[number])]
    assert found == [EXERCISES[one].grade_id for one in of_notebook(number)]
    cells = jupytext.read(TEXTS[number], fmt="py:percent").cells
    checks = [cell.metadata["nbgrader"]["grade_id"] for cell in cells if cell.metadata.get("nbgrader", {}).get("grade")]
    assert checks == [grade_id.replace("answer", "check") for grade_id in found]


def test_every_exercise_stands_in_a_notebook():
    assert {int(number.split(".")[0]) for number in EXERCISES} <= {int(number) for number in TEXTS}


@pytest.mark.parametrize("number", TEXTS)
def test_a_notebook_says_of_its_exercises_what_they_are(number):
    for one, (_, cell, above, check_cell) in zip(of_notebook(number), graded(TEXTS[number])):
        exercise = EXERCISES[one]
        points = f"{exercise.points} point{'s' * (exercise.points != 1)}"
        assert f"### {one} {exercise.title} · {points}\n" in above
        assert cell.source.startswith(f"# EXERCISE {one} · {exercise.name} · {points}\n")
        assert check_cell.metadata["nbgrader"]["points"] == exercise.points
        assert check_cell.source == f'check("{one}", {exercise.name})'
        locked = [part.metadata["nbgrader"]["locked"] for part in (cell, check_cell)]
        assert locked == [False, True]


@pytest.mark.parametrize("number", TEXTS)
def test_a_stub_and_its_reference_answer_differ_in_nothing_but_the_gap(number):
    for one, (_, cell, _, _) in zip(of_notebook(number), graded(TEXTS[number])):
        stub = definition(cell.source, EXERCISES[one].name)
        answer = definition(ANSWERS[one].reference, EXERCISES[one].name)
        assert ast.unparse(stub.args) == ast.unparse(answer.args), one
        assert ast.get_docstring(stub), one
        assert [ast.unparse(node) for node in stub.body[1:]] == ["raise NotImplementedError"], one


@pytest.mark.parametrize("number", TEXTS)
def test_the_reference_answers_solve_a_notebook_one_beside_the_other(number):
    # In a notebook all answers share one set of names: what one defines, the next may shadow.
    names, exercises = {"np": np}, [EXERCISES[one] for one in of_notebook(number)]
    for exercise in exercises:
        exec(ANSWERS[exercise.number].reference, names)
    assert all(judge(exercise, names[exercise.name], 1).solved for exercise in exercises)


@pytest.mark.parametrize("number", ["01", "02", "03"])
def test_the_editor_works_with_the_reference_answers_in_place_of_ours(number, models):
    from textedit_lite import Editor
    from textedit_lite.world import scenes

    image, prompt = scenes.render(scenes.make_scene(81)), "the left bus changes to a red bus"
    ours = Editor(models).edit(image, prompt, rounds=1)
    answers = {EXERCISES[one].name: function(one, ANSWERS[one].reference) for one in of_notebook(number)}
    with plugged_in(**answers) as mine:
        theirs = Editor(models).edit(image, prompt, rounds=1)
    assert mine == list(answers)
    assert (theirs.status, theirs.index, theirs.mask.tobytes()) == (ours.status, ours.index, ours.mask.tobytes())
    assert np.abs(np.asarray(theirs.image, int) - np.asarray(ours.image)).max() <= 2


# --- messages ----------------------------------------------------------------------------------------------------


def test_a_message_names_the_arguments_and_hands_over_the_input():
    def iou(first, second):
        return np.zeros(len(first))

    feedback = check("1.2", iou)
    assert "first = float32 [[ 0.,  0., 10., 10.]], second = " in feedback.message
    assert "the shape should be (1, 1), and is (1,)" in feedback.message
    assert len(feedback.case) == 2 and feedback.case[0].shape == (1, 4)


def test_a_message_is_the_same_each_time(tmp_path):
    def iou(a, b):
        raise ValueError(f"no good: {object()}")

    assert check("1.2", iou).message == check("1.2", iou).message
    assert 'at `raise ValueError(f"no good: {object()}")`: no good: <object object>' in check("1.2", iou).message


@pytest.mark.parametrize("got", [None, "text", [[1, 2], [3]], {"a": 1}, object(), np.array("x"), 3.0, [None]])
def test_whatever_an_answer_returns_is_answered_with_a_sentence(got):
    for number in ("1.2", "1.6", "2.4", "3.4"):
        feedback = judge(EXERCISES[number], lambda *arguments: got)
        assert not feedback.solved and re.search(r"\) (it|the|at|item) .+[.?]$", feedback.message), feedback.message
        assert "0x" not in feedback.message


def test_what_is_altered_is_wrong_from_the_outputs_alone():
    def pick(boxes, selector):
        from textedit_lite.match import pick as ours

        index = ours(boxes, selector)
        boxes[:] = 0
        return index

    feedback = judge(EXERCISES["2.5"], pick)
    assert "work on a copy" in feedback.message and set(feedback.outputs) == {None}
