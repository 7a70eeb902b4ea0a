"""Checks the answers of the course's exercises: `check("1.1", iou)` says at once what is wrong, and on which input."""

from __future__ import annotations

import copy
import html
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any
from zlib import crc32

import numpy as np

from . import exercises
from .errors import SettingsError
from .exercises.exercise import Exercise, shown

OUTPUTS = "TEXTEDIT_LITE_OUTPUTS"  # the folder into which a grader wants what the answers return
SEED = "TEXTEDIT_LITE_SEED"  # the seed of the inputs, which a grader keeps to itself
STRICT = (OUTPUTS, "NBGRADER_EXECUTION")  # if one of these is set, an answer that is not right raises


class WrongAnswerError(AssertionError):
    """An answer is not right, or is missing, and points depend on it."""


@dataclass(frozen=True)
class Feedback:
    """What `check` says about an answer; in a notebook it shows as one coloured line."""

    number: str
    solved: bool
    points: int  # earned
    message: str
    outputs: list[Any] = field(default_factory=list, repr=False, hash=False)  # what the answer returned, one for each case
    case: tuple | None = field(default=None, repr=False, hash=False)  # the first input on which it is wrong, to try again

    def __repr__(self) -> str:
        return f"{self.number}: {self.message}"

    def _repr_html_(self) -> str:
        colour = "#2b8a3e" if self.solved else ("#868e96" if "not solved yet" in self.message else "#c92a2a")
        mark = "&#10003;" if self.solved else "&#9679;"
        return f'<span style="color:{colour}">{mark} <b>{self.number}</b> {html.escape(self.message)}</span>'


@lru_cache(maxsize=1)
def all_exercises() -> dict[str, Exercise]:
    """Every exercise of the course by its number, in order."""
    found = []
    for module in iter_modules(exercises.__path__):
        found += getattr(import_module(f"{exercises.__name__}.{module.name}"), "EXERCISES", ())
    found.sort(key=lambda one: [int(part) for part in one.number.split(".")])
    return {one.number: one for one in found}


def check(number: str, answer: Callable, seed: int | None = None) -> Feedback:
    """Try an answer on edge cases and random inputs, and say in one line whether it is right.

    number: of the exercise, "1.1". answer: the student's function. As long as it raises NotImplementedError the task is
    drawn instead. seed: of the random inputs. The first input on which an answer is wrong comes back as `case`:
    `iou(*check("1.2", iou).case)` tries it again.
    Raises SettingsError for an unknown number; and, if points depend on it, WrongAnswerError for a wrong answer.
    Taught in notebook 01.
    """
    if number not in all_exercises():
        raise SettingsError(f"There is no exercise {number!r}: they are {', '.join(all_exercises())}.")
    exercise = all_exercises()[number]
    seed = int(os.environ.get(SEED, 0)) if seed is None else seed
    feedback = judge(exercise, answer, seed)
    strict = any(os.environ.get(name) for name in STRICT)
    if folder := os.environ.get(OUTPUTS):
        from .exercises.outputs import write_outputs

        write_outputs(folder, number, feedback.outputs)
    if strict and not feedback.solved:
        raise WrongAnswerError(repr(feedback))
    if not feedback.solved and "not solved yet" in feedback.message and not strict:
        _show(exercise.draw())
    return feedback


def judge(exercise: Exercise, answer: Callable, seed: int = 0) -> Feedback:
    """Run an answer on all inputs of an exercise: what it returned, and the first thing that is wrong.

    If it raised, or changed its input, None stands among the outputs, so that judging those alone comes to the same.
    """
    wrong, case, outputs = None, None, []
    head = f"{exercise.title} ({exercise.points} point{'s' * (exercise.points != 1)})"
    if not callable(answer):
        message = f"{head}: give `check` the function itself, as in check({exercise.number!r}, {exercise.name})."
        return Feedback(exercise.number, False, 0, message)
    for arguments in cases(exercise, seed):
        given = copy.deepcopy(arguments)
        try:
            got = exercise.run(answer, *given)
        except NotImplementedError:
            return Feedback(exercise.number, False, 0, f"{head}: not solved yet.", outputs)
        except Exception as error:  # whatever a student's code may raise is a wrong answer, never our crash
            got, problem = None, f"it raises {_said(error, answer)}."
        else:
            problem = exercise.wrong(got, arguments)
            if not _same(list(arguments), list(given)):
                got, problem = None, problem or "it changes its input: work on a copy."
        outputs.append(got)
        if problem and not wrong:
            wrong, case = f"for {exercise.name}({_named(answer, arguments)}) {problem}", arguments
    if wrong:
        return Feedback(exercise.number, False, 0, f"{head}: {wrong}", outputs, case)
    return Feedback(exercise.number, True, exercise.points, f"{head}: right, {exercise.points} of {exercise.points}.", outputs)


def cases(exercise: Exercise, seed: int = 0) -> list[tuple]:
    """The inputs of an exercise for a seed: the same here and in the grader."""
    return list(exercise.cases(np.random.default_rng([seed, crc32(exercise.number.encode())])))


@contextmanager
def plugged_in(**functions: Callable) -> Iterator[list[str]]:
    """Run the package with functions of one's own in place of those of the same names; yields the list of the names taken.

    A stub, which does nothing but raise NotImplementedError, is left out: ours stays. If several functions of the
    package have one name, an exercise's is meant. `with plugged_in(iou=my_iou) as mine: ...`
    Raises SettingsError for a name that the package does not have. Taught in notebook 01.
    """
    taken, before = [], []
    try:
        for name, mine in functions.items():
            places = _places(name)
            if not _written(mine):
                continue
            taken.append(name)
            for module in places:
                before.append((module, name, getattr(module, name)))
                setattr(module, name, mine)
        yield taken
    finally:
        for module, name, ours in reversed(before):
            setattr(module, name, ours)


def _places(name: str) -> list[Any]:
    """The modules of the package in which a public function of this name is used."""
    ours = [module for key, module in list(sys.modules.items())
            if key.startswith("textedit_lite") and "exercises" not in key and module is not None]
    defined = {id(value) for module in ours if callable(value := vars(module).get(name)) and value.__module__ == module.__name__}
    if len(defined) > 1:
        defined = defined & {id(one.reference) for one in all_exercises().values()} or defined
    if not defined:
        raise SettingsError(f"Nothing of the package that is in use is called {name!r}: is it spelt as in the exercise?")
    return [module for module in ours if id(vars(module).get(name)) in defined]


def _written(answer: Callable) -> bool:
    """Whether an answer is more than its stub, which does nothing but raise NotImplementedError."""
    names = getattr(getattr(answer, "__code__", None), "co_names", ())
    return names != ("NotImplementedError",)


def _same(before: Any, after: Any) -> bool:
    """Whether an input is what it was, bit for bit, after the answer has had it."""
    if isinstance(before, np.ndarray):
        return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(_same(one, other) for one, other in zip(before, after))
    return True  # numbers and words cannot change


def _named(answer: Callable, arguments: tuple) -> str:
    """The arguments of a call with the names that the answer gives them, so that a message says which one is which."""
    try:
        names = [one for one in inspect.signature(answer).parameters.values() if one.kind is one.POSITIONAL_OR_KEYWORD]
    except (TypeError, ValueError):
        names = []
    if not sum(one.default is one.empty for one in names) <= len(arguments) <= len(names):
        return ", ".join(map(shown, arguments))
    return ", ".join(f"{name.name} = {shown(one)}" for name, one in zip(names, arguments))


def _said(error: Exception, answer: Callable) -> str:
    """An error in a line: its kind, the answer's own line of code that led to it, and what it says."""
    file = getattr(getattr(answer, "__code__", None), "co_filename", None)
    lines = [frame.line for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file and frame.line]
    said = re.sub(r" at 0x[0-9a-fA-F]+", "", " ".join(str(error).split()))  # an address is another one each time
    place = f" at `{lines[-1]}`" if lines else ""
    return f"{type(error).__name__}{place}" + f": {said[:200]}".rstrip(": .")


def _show(figure) -> None:
    from IPython import get_ipython
    from IPython.display import display

    if get_ipython() is not None:
        display(figure)
