"""What an edit should show: what CLIP reads on the object now, and what the words change about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from .match import ATTRIBUTES, Reading, read_object
from .models import Models
from .prompt import EditPrompt
from .vocabulary import POSE_DEGREES, describe


@dataclass(frozen=True)
class Wish:
    """What an object shows now, and what it should show after the edit.

    category: what DETR should find there afterwards; now: CLIP's reading of the object; wanted: its attributes after the edit;
    turned: the pose and the view that it changes to, None where it keeps its own; changes: the prompt's;
    degrees: by how many its outline turns (`outline`); description: the caption to paint; upright: the caption if the object
    stood upright; contrary: the caption of what was there before. The description must beat it where no table of CLIP's
    tells whether the change has happened; elsewhere it is None.
    """

    category: str
    now: Reading
    wanted: dict[str, str]
    turned: dict[str, str | None]
    changes: dict[str, str]
    degrees: float | None
    description: str
    upright: str
    contrary: str | None

    @property
    def can_be_sketched(self) -> bool:
        """Whether plain pixels can show the change: they cannot show another thing, another view, or the user's own words."""
        return not {"category", "text"} & self.changes.keys() and not self.turned["view"]


def make_wish(image: Image.Image, box: Sequence[float], prompt: EditPrompt, models: Models) -> Wish:
    """What a prompt asks of the object in a box (xyxy) of a picture. Taught in notebook 05."""
    name = prompt.name
    named = [(kind, value) for kind in ATTRIBUTES for value in (getattr(prompt, kind), prompt.changes.get(kind)) if value]
    now = read_object(image, box, name, models, [*(("colour", value) for value in models.colours), *named])
    wanted = _wanted(prompt, now, models)
    target = prompt.changes.get("category", name)
    description = prompt.changes.get("text") or describe(target, **wanted)
    unread = prompt.changes.keys() & set(ATTRIBUTES) - set(models.reads)
    # Both captions name the same attributes, so that only what changes tells before from after.
    before = {kind: getattr(prompt, kind) or now.values[kind] for kind in models.reads if kind in wanted}
    return Wish(
        category=prompt.changes.get("category", prompt.category or prompt.noun), now=now, wanted=wanted,
        turned=_turned(prompt, wanted, now, models.reads), changes=prompt.changes,
        degrees=outline(prompt, wanted, now, models.reads), description=description,
        upright=describe(target, **wanted | {"pose": "upright"}),
        contrary=describe(name, **before) if "text" in prompt.changes or unread else None,
    )  # fmt: skip


def _wanted(prompt: EditPrompt, now: Reading, models: Models) -> dict[str, str]:
    """`wished`, and less of it for photographs, where what CLIP reads would mislead the painter.

    A person gets no colour that the prompt does not name, as "a black man" would be somebody else. Another thing gets only what
    the prompt says of it: an apple is not yellow because the banana was.
    """
    if models.known_words is not None:
        return wished(prompt, now, models.reads, models.sure)
    if "category" in prompt.changes:
        return {kind: value for kind, value in prompt.changes.items() if kind in ATTRIBUTES}
    person = prompt.category == "person"
    reads = tuple(kind for kind in models.reads if not (person and kind == "colour"))
    return wished(prompt, now, reads, models.sure)


def wished(prompt: EditPrompt, now: Reading, reads: Sequence[str] = tuple(ATTRIBUTES), bar: float = 0.5) -> dict[str, str]:
    """Colour, view and pose after the edit: what the prompt changes them to, else what it names, else what CLIP is sure of.

    reads: the attributes that this CLIP was taught to read (`Models.reads`); bar: the probability from which it is sure.
    Taught in notebook 05.
    """
    sure = {name: value for name, value in now.values.items() if name in reads and now.probabilities[name][value] >= bar}
    named = {name: value for name in ATTRIBUTES if (value := getattr(prompt, name))}
    changes = {name: value for name, value in prompt.changes.items() if name in ATTRIBUTES}
    return sure | named | changes


def turns(wanted: dict[str, str], now: Reading) -> dict[str, str | None]:
    """The pose and the view that the object changes to, None where it keeps its own. Taught in notebook 05."""
    return {name: wanted.get(name) if wanted.get(name) != now.values[name] else None for name in ("pose", "view")}


def _turned(prompt: EditPrompt, wanted: dict[str, str], now: Reading, reads: Sequence[str]) -> dict[str, str | None]:
    """`turns`, but where this CLIP cannot read an attribute, whatever the prompt asks for is a turn."""
    return {name: value if name in reads else prompt.changes.get(name) for name, value in turns(wanted, now).items()}


def leaning(wanted: dict[str, str], now: Reading, models: Models) -> float:
    """How many degrees an object leans, if it is to be seen from another side; 0 for any other change, and for photographs.

    Taught in notebook 04.
    """
    return POSE_DEGREES.get(wanted.get("pose"), 0.0) if models.sketches and turns(wanted, now)["view"] else 0.0


def outline(prompt: EditPrompt, wanted: dict[str, str], now: Reading, reads: Sequence[str] = tuple(ATTRIBUTES)) -> float | None:
    """By how many degrees the object's outline turns: 0 if it stays as it is, None if nobody knows the new one.

    For `segment.fit`; reads: see `wished`. Taught in notebook 07.
    """
    turn = _turned(prompt, wanted, now, reads)
    if turn["view"] or {"category", "text"} & prompt.changes.keys() or (turn["pose"] and "pose" not in reads):
        return None
    return POSE_DEGREES[turn["pose"]] - POSE_DEGREES[now.values["pose"]] if turn["pose"] else 0.0
