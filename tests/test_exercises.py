"""Every exercise has a reference answer that earns its points, and wrong answers that do not."""

from __future__ import annotations

import numpy as np
import pytest
from answers import all_answers

from textedit_lite.check import WrongAnswerError, all_exercises, check, judge, plugged_in
from textedit_lite.errors import SettingsError
from textedit_lite.exercises.outputs import read_outputs, write_outputs

ANSWERS = all_answers()
EXERCISES = all_exercises()
WRONG = [(number, name) for number, answers in ANSWERS.items() for name in answers.wrong]


def function(number: str, source: str):
    """The function that an answer's source defines, in a notebook's names."""
    names = {"np": np}
    exec(source, names)
    return names[EXERCISES[number].name]


def test_every_exercise_has_answers():
    assert list(ANSWERS) == list(EXERCISES)
    assert all(len(answers.wrong) >= 2 for answers in ANSWERS.values())


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
