"""A history with undo and redo: past states are kept, and a new state discards what had been undone."""

from __future__ import annotations

from typing import Generic, TypeVar

from PIL import Image

State = TypeVar("State")
LONGEST = 50  # states; the oldest are forgotten
HEAVIEST = 1_000_000_000  # bytes of what is kept: fewer states of large pictures
PIXEL = 5  # bytes a pixel of a result: PIL keeps four of its picture, one of its mask


class History(Generic[State]):
    """States in the order in which they came about, and the place of the current one. Taught in notebook 05.

    longest: how many are kept. Beyond that the oldest are forgotten, but never the first, which one wants to come back to.
    """

    def __init__(self, first: State, longest: int = LONGEST):
        self._states, self._at, self._longest = [first], 0, longest

    def __len__(self) -> int:
        return len(self._states)

    @property
    def current(self) -> State:
        return self._states[self._at]

    @property
    def place(self) -> int:
        """Which of the states is the current one, from 0."""
        return self._at

    @property
    def can_undo(self) -> bool:
        return self._at > 0

    @property
    def can_redo(self) -> bool:
        return self._at + 1 < len(self._states)

    def push(self, state: State) -> None:
        """Make `state` the current one; what had been undone is gone."""
        first, *others = *self._states[: self._at + 1], state
        self._states = [first, *others[1 - self._longest :]]
        self._at = len(self._states) - 1

    def undo(self) -> State:
        """Go back by one state, where there is one; returns the current one."""
        self._at = max(0, self._at - 1)
        return self.current

    def redo(self) -> State:
        """Go forward again by one state, where one was undone; returns the current one."""
        self._at = min(len(self._states) - 1, self._at + 1)
        return self.current


def how_many(picture: Image.Image) -> int:
    """How many results of a picture's size are kept: LONGEST, or as many as HEAVIEST allows, but always one beside the first."""
    return max(2, min(LONGEST, HEAVIEST // (PIXEL * picture.width * picture.height)))
