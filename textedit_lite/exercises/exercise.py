"""What an exercise is: a task with a picture, random inputs, and a way to say in a sentence what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np


def _plain_call(answer: Callable, *arguments) -> Any:
    return answer(*arguments)


@dataclass(frozen=True)
class Exercise:
    """One exercise. Everything that goes in and comes out is plain data: numbers, words, arrays, lists and tuples of them.

    number: "1.3", the third of notebook 01. title: a few words. points: what a right answer earns. name: of the
    function that the student writes. cases(rng): the inputs, argument tuples, edge cases first, then random ones of many
    shapes. reference(*arguments): what a right answer returns. draw(): the task as a figure. compare(expected, got,
    arguments): None, or a sentence that says what is wrong with `got`. run(answer, *arguments): calls the answer and
    returns plain data, where that takes more than passing the arguments on (an answer that takes functions, say).
    """

    number: str
    title: str
    points: int
    name: str
    cases: Callable[[np.random.Generator], Iterable[tuple]]
    reference: Callable
    draw: Callable[[], Any]
    compare: Callable[[Any, Any, tuple], str | None] | None = None
    run: Callable = _plain_call

    @property
    def grade_id(self) -> str:
        """The name of the answer's cell, e.g. "answer-1-3"."""
        return "answer-" + self.number.replace(".", "-")

    def wrong(self, got: Any, arguments: tuple) -> str | None:
        """What is wrong with an answer's result on these arguments, or None."""
        expected = self.reference(*arguments)
        if got is None and expected is not None:
            return "it returns None: does it end in a `return`?"
        try:
            return (self.compare or difference)(expected, got, arguments)
        except Exception:  # a comparison that takes the right kind of thing for granted
            return f"it returns {shown(got)}, which cannot be compared with {shown(expected)}."


def difference(expected: Any, got: Any, arguments: tuple = (), rtol: float = 1e-4, atol: float = 1e-5) -> str | None:
    """What distinguishes two results, as a sentence, or None: type first, then shape, then the first wrong value.

    Whole numbers must be equal, others close by. None may be asked for (an index where there is none).
    """
    if expected is None or got is None:
        return None if got is expected else f"it should be {shown(expected)}, and is {shown(got)}."
    if isinstance(expected, (list, tuple)):
        got = list(got) if isinstance(got, np.ndarray) and got.ndim else got
        if not isinstance(got, (list, tuple)) or len(got) != len(expected):
            size = f"{len(got)} items" if isinstance(got, (list, tuple)) else f"a {type(got).__name__}"
            return f"it should return {len(expected)} items, and returns {size}."
        parts = (difference(one, other, arguments, rtol, atol) for one, other in zip(expected, got))
        wrong = [(i, part) for i, part in enumerate(parts) if part]
        return f"item {wrong[0][0]}: {wrong[0][1]}" if wrong else None
    if isinstance(expected, (str, bool, np.bool_)):
        same = isinstance(got, str) if isinstance(expected, str) else np.ndim(got) == 0 and np.asarray(got).dtype == bool
        return None if same and bool(got == expected) else f"it should be {expected!r}, and is {shown(got)}."
    try:
        want, have = np.asarray(expected), np.asarray(got)
    except (TypeError, ValueError):  # rows of different lengths
        have = np.array(None)
    if have.dtype.kind not in "biuf":
        return f"it should be numbers, and is {shown(got)}."
    if want.shape != have.shape and not (want.shape and have.shape):
        return f"it should be {'an array of shape ' + str(want.shape) if want.shape else 'one number'}, and is {shown(have)}."
    if want.shape != have.shape:
        return f"the shape should be {want.shape}, and is {have.shape}."
    if want.dtype == np.uint8 and have.dtype != np.uint8:
        return f"the type should be uint8, and is {have.dtype}."
    rtol = rtol if want.dtype.kind == "f" else 0
    bad = ~np.isclose(have.astype(float), want.astype(float), rtol, atol, equal_nan=True)
    if not bad.any():
        return None
    place = tuple(int(v) for v in np.argwhere(bad)[0])
    where = f"at {list(place)} " if place else ""
    return f"{where}it should be {shown(want[place])}, and is {shown(have[place])}."


def shown(value: Any, most: int = 160) -> str:
    """A value in so few letters that it fits into a sentence; large arrays by shape and type."""
    if isinstance(value, np.ndarray) and not 1 <= value.size <= 16:
        return f"an array of shape {value.shape}, {value.dtype}"
    if isinstance(value, np.ndarray):
        text = f"{value.dtype.name} " * (value.ndim > 0) + np.array2string(value, precision=4, separator=", ").replace("\n", " ")
    elif isinstance(value, (float, np.floating)):
        text = f"{float(value):.6g}"
    elif isinstance(value, np.generic):
        text = str(value.item())
    elif isinstance(value, (tuple, list)):
        text = ("(%s)" if isinstance(value, tuple) else "[%s]") % ", ".join(shown(item, most) for item in value)
    elif value is None or isinstance(value, (int, str, dict, set)):
        text = repr(value)
    else:  # the repr of other things holds their address, which is another one each time
        text = f"a {type(value).__name__}"
    return text if len(text) <= most else text[: most - 3] + "..."
