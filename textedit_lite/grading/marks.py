"""Marks one submission: runs its answers, if need be again without the one that broke the run, and itself judges the results."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..check import cases
from ..exercises.exercise import Exercise, shown
from .course import Course, assemble
from .sandbox import LIMITS, Limits, Package, Run, run
from .submission import Submission, curious, forbidden, untouched


@dataclass(frozen=True)
class Mark:
    """What one answer earned, and why. `look`: words in the answer that a person should look at, e.g. "exec, sys"."""

    number: str
    grade_id: str
    title: str
    points: int
    of: int
    message: str
    look: str = ""


@dataclass(frozen=True)
class Result:
    """What one submission earned. `problem`: why it could not be graded; `whole`: whether it would come out the same again."""

    student: str
    path: str
    digest: str
    notebook: str
    marks: tuple[Mark, ...] = ()
    problem: str = ""
    seconds: float = 0.0
    whole: bool = True

    @property
    def points(self) -> int:
        """Points earned in all."""
        return sum(mark.points for mark in self.marks)

    @property
    def of(self) -> int:
        """Points that could be earned."""
        return sum(mark.of for mark in self.marks)


@dataclass(frozen=True)
class Said:
    """What is known of an answer after the runs: its outputs, if there are any, and in words what went wrong."""

    outputs: list[Any] | None = None
    trouble: str = ""


def mark(submission: Submission, course: Course, package: Package, seed: int, limits: Limits = LIMITS,
         full: bool = False, stop: Callable[[], bool] = lambda: False) -> Result:  # fmt: skip
    """Grade one submission against its notebook of the course.

    seed: of the inputs, which the student cannot know. full: run all of the course's notebook, not only its exercises.
    stop: asked all the time whether to give up; what comes back then is not `whole`.
    """
    started = time.monotonic()
    result = Result(submission.student, submission.path, submission.digest, course.name)
    found, tried = {}, {}
    for number, exercise in course.exercises.items():
        source = submission.answers.get(number)
        if source is None:
            found[number] = Said(trouble="no cell with this answer was found.")
        elif untouched(source, course.stubs[number]):
            found[number] = Said(trouble="not solved yet.")
        elif reason := forbidden(source, exercise):
            found[number] = Said(trouble=reason)
        else:
            tried[number] = source
    said, problem = attempt(tried, course, package, seed, limits, full, stop)
    found = {number: found.get(number) or said.get(number) or Said(trouble="it was not run.") for number in course.exercises}
    marks = tuple(judge(one, found[number], seed, submission.answers.get(number, "")) for number, one in course.exercises.items())
    seconds = round(time.monotonic() - started, 2)
    return replace(result, marks=marks, problem=problem, seconds=seconds, whole=not problem)


def attempt(answers: dict[str, str], course: Course, package: Package, seed: int, limits: Limits, full: bool,
            stop: Callable[[], bool]) -> tuple[dict[str, Said], str]:  # fmt: skip
    """Run answers until something is known of each; after a run has died, the rest are run once more.

    An answer that stood first in a run, and of which nothing came, has ended that run and is left out of the next one. In a
    full run it may have been the walk (the notebook's other cells), so all answers of which nothing came are run again without
    the walk. Returns what is known and, if that is not all, why no more could be known.
    """
    said: dict[str, Said] = {}
    left, seconds = dict(answers), limits.time
    while left:
        started = time.monotonic()
        notebook, kinds = assemble(course, left, full)
        each = limits.each or (limits.time / 3 if full else limits.cell)  # a cell of the walk may be a long one
        now = replace(limits, time=seconds, each=each)
        came = run(notebook, left, package, seed, now, stop)
        if came.ended == "stopped":
            return said, "Grading was stopped."
        if not came.started and came.ended != "time":
            return said, f"The run could not be started: {came.log or 'nbval said nothing'}"
        known = {number: one for number in left if (one := _told(number, came, kinds, now))}
        said |= known
        rest = [number for number in left if number not in known]
        if full:
            left, full = {number: left[number] for number in rest}, False
            continue
        seconds -= time.monotonic() - started
        if rest and (rest[0] == next(iter(left)) or came.ended == "time"):
            said[rest[0]] = Said(trouble=_end_of(came, limits, kinds.index((rest[0], "check"))))
            rest = rest[1:]
        if rest and seconds < 1:
            over = f"the {limits.time:g} seconds of this notebook were over before it was run."
            return said | {number: Said(trouble=over) for number in rest}, ""
        left = {number: left[number] for number in rest}
    return said, ""


def judge(exercise: Exercise, said: Said, seed: int, source: str) -> Mark:
    """Points for what an answer returned on the inputs of a seed. What the student's process says can only cost points."""
    head = f"{exercise.title} ({exercise.points} point{'s' * (exercise.points != 1)})"
    trouble = said.trouble
    if said.outputs is not None:
        # Where both find fault, `check` has the better words; where it alone does, it saw an input changed, or an error.
        trouble = trouble or _wrong(exercise, said.outputs, seed)
    points = 0 if trouble else exercise.points
    message = f"{head}: {trouble}" if trouble else f"{head}: right, {points} of {points}."
    return Mark(exercise.number, exercise.grade_id, exercise.title, points, exercise.points, message, curious(source))


def _wrong(exercise: Exercise, outputs: list[Any], seed: int) -> str:
    """The first thing that is wrong with the outputs, or nothing."""
    inputs = cases(exercise, seed)
    for arguments, got in zip(inputs, outputs):
        try:
            with np.errstate(all="ignore"):
                problem = exercise.wrong(got, arguments)
        except Exception as error:  # a student's result may make a comparison raise anything
            problem = f"it returns what cannot be compared ({type(error).__name__})."
        if problem:
            return f"for {exercise.name}({', '.join(shown(one) for one in arguments)}) {problem}"
    if len(outputs) != len(inputs):
        return f"it came to an end after {len(outputs)} of {len(inputs)} inputs."
    return ""


# ------------------------------------------------------------------------------------------------ the words of a run


def _told(number: str, came: Run, kinds: list[tuple[str, str]], limits: Limits) -> Said | None:
    """What a run says of an answer, or None where the run did not get that far, or pretends that all is well."""
    records = {kind: came.records[index] for index, (which, kind) in enumerate(kinds) if which == number and index in came.records}
    answer, checked = records.get("answer"), records.get("check")
    outputs = came.outputs.get(number)
    if checked is None or checked.never_ran:
        return None if outputs is None else Said(outputs)
    if outputs is not None:
        return Said(outputs, "" if checked.passed else _verdict(checked.words, number))
    first = answer if answer and not answer.passed else checked
    return None if first.passed else Said(trouble=_words(first.words, limits))


def _end_of(came: Run, limits: Limits, index: int) -> str:
    if index in came.records:
        return "nothing came out of it: does its cell change what is checked, or how?"
    reasons = {
        "time": f"it ran for more than {limits.time:g} seconds and was stopped.",
        "memory": f"it used more than {limits.memory / 1024**3:.3g} GB of memory and was stopped.",
        "processes": "it started too many processes and was stopped.",
    }
    return reasons.get(came.ended, "it ended the notebook's process: does it call exit, or crash?")


def _verdict(words: str, number: str) -> str:
    """What `check` itself found, taken from the words of its cell."""
    found = re.search(rf"WrongAnswerError: {re.escape(number)}: [^\n]*?\(\d+ points?\): ([^\n]+)", words)
    return found.group(1) if found else ""


def _words(words: str, limits: Limits) -> str:
    """Why a cell failed, in one sentence."""
    if "Timeout of" in words:
        return f"it ran for more than {limits.cell:g} seconds and was stopped: does its loop end?"
    raised = re.findall(r"^(?:E\s+)?([A-Z]\w*(?:Error|Exception|Exit|Interrupt|Warning)?)(?:: ([^\n]*))?$", words, re.M)
    if raised:
        name, text = raised[-1]
        return f"it cannot be run: {name}{': ' + text if text else ''}."
    return "it cannot be run."
