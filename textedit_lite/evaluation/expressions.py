"""Says in words which object of a scene is meant: referring expressions, each true of exactly one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np

from ..boxes import area, xyxy_to_cxcywh
from ..vocabulary import COLOURS, POSES, VIEWS
from ..world.scenes import Scene, boxes, relations

KINDS = ("category", "colour", "superlative", "ordinal", "relation")
APART = 0.35  # words may name the order of two centres that are this far apart, in mean extents of their boxes
SIZED = 1.5  # and the order of two areas that differ by this factor
NEARER = 1.4  # the nearest object is nearer than the next one by this factor, and its edge by that share of the picture
EDGES = 0.08
_SIDES = {"left": (0, 1), "right": (0, -1), "top": (1, 1), "bottom": (1, -1)}  # axis, and whether the smaller comes first
_SUPERLATIVES = {
    "left": ("left", "leftmost"), "right": ("right", "rightmost"), "top": ("top", "highest"), "bottom": ("bottom", "lowest"),
    "largest": ("largest", "biggest"), "smallest": ("smallest",),
}  # fmt: skip
_RANKS = ("first", "second", "third", "fourth", "fifth", "sixth")
_RELATIONS = {
    "left of": ("left of", "to the left of"), "right of": ("right of", "on the right of"), "above": ("above",),
    "below": ("below", "under"), "next to": ("next to", "beside"), "larger than": ("larger than",), "smaller than": ("smaller than",),
}  # fmt: skip
_OPPOSITE = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


@dataclass(frozen=True)
class Expression:
    """Words that mean object `index` of a scene and no other, as "the cup left of the red car"; kind: one of KINDS."""

    kind: str
    words: str
    index: int
    prompt: str  # an edit prompt with these words


def expressions(scene: Scene, seed: int = 0) -> list[Expression]:
    """One expression, by lot, of each kind that the scene has an object for; none for a scene of one object.

    category: the only object of its category. All other kinds mean one of several objects of a category. colour: the only
    one of its colour; superlative: the first in an order ("the largest cup"); ordinal: a later one ("the second bus from the
    left", "the third largest boat"); relation: the only one that stands in a relation to another object. The words for that
    object may name its colour, view, pose or place ("the cup left of the tilted car", "the chair next to the left clock").
    Nothing is borderline: see APART, SIZED, NEARER, and the margins of `scenes.relations`. The same seed gives the same
    words. Taught in notebook 07.
    """
    if len(scene.objects) < 2:
        return []
    found = []
    for number, (kind, ways) in enumerate(zip(KINDS, (_by_category, _by_colour, _by_superlative, _by_ordinal, _by_relation))):
        rng = np.random.default_rng([seed, scene.index, number])
        if possible := ways(scene, rng):
            words, index = possible[rng.integers(len(possible))]
            thing = scene.objects[index]
            colour = rng.choice([name for name in COLOURS if name != thing.colour])
            found.append(Expression(kind, words, index, f"{words} changes to a {colour} {thing.category}"))
    return found


# --- what may be said, as (words, index) -------------------------------------------------------------------------


def _by_category(scene: Scene, rng) -> list[tuple[str, int]]:
    return [(f"the {names[0]}", group[0]) for names, group in _groups(scene) if len(names) == 1 and len(group) == 1]


def _by_colour(scene: Scene, rng) -> list[tuple[str, int]]:
    several = {names[0] for names, group in _groups(scene) if len(names) == 1 and len(group) > 1}
    return [(f"the {names[1]} {names[0]}", group[0]) for names, group in _groups(scene)
            if len(names) == 2 and len(group) == 1 and names[0] in several]  # fmt: skip


def _by_superlative(scene: Scene, rng) -> list[tuple[str, int]]:
    return [(f"the {rng.choice(words)} {_noun(names)}", group[order[0]])
            for names, group in _several(scene) for selector, words in _SUPERLATIVES.items()
            if (order := _order(_boxes(scene)[group], selector)) and _clear(_boxes(scene)[group], selector, order, 0)]  # fmt: skip


def _by_ordinal(scene: Scene, rng) -> list[tuple[str, int]]:
    found = []
    for names, group in _several(scene):
        for selector in _SUPERLATIVES:
            order = _order(_boxes(scene)[group], selector)
            for rank in range(1, len(group)):
                if all(_clear(_boxes(scene)[group], selector, order, i) for i in range(rank + 1)):
                    words = f"the {_RANKS[rank]} {{}} from the {selector}" if selector in _SIDES else f"the {_RANKS[rank]} {selector} {{}}"
                    found.append((words.format(_noun(names)), group[order[rank]]))
    return found


def _by_relation(scene: Scene, rng) -> list[tuple[str, int]]:
    found: dict[str, list[tuple[str, int]]] = {}
    anchors = _anchors(scene, rng)
    for (names, group), (name, ways) in product(_several(scene), _RELATIONS.items()):
        for anchor, words in anchors:
            others = [i for i in group if i != anchor]
            true, false = _stand(scene, name, others, anchor)
            if len(true) == 1 and len(false) == len(others) - 1 > 0:
                found.setdefault(name, []).append((f"the {_noun(names)} {rng.choice(ways)} {words}", true[0]))
    # The relation is chosen by lot as well, "next to" seldom: an object is far more often the nearest than the only one above.
    chances = np.array([0.2 if name == "next to" else 1.0 for name in found])
    return found[rng.choice(list(found), p=chances / chances.sum())] if found else []


def _anchors(scene: Scene, rng) -> list[tuple[int, str]]:
    """Each object that words can name, with such words; they may name a colour, a view or a pose that is not needed."""
    found = []
    for i, thing in enumerate(scene.objects):
        said = [{}, {"colour": thing.colour}, {"view": thing.view}, {"pose": thing.pose}]
        alone = [words for words in said if [i] == [j for j, other in enumerate(scene.objects) if other.category == thing.category
                 and all(getattr(other, name) == value for name, value in words.items())]]  # fmt: skip
        if alone:
            words = alone[rng.integers(len(alone))]
            tail = VIEWS.get(words.get("view"), "")
            pose = words.get("pose", "")
            head = "the " + " ".join(part for part in (words.get("colour"), pose if pose in POSES else "", thing.category, tail) if part)
            found.append((i, head))
    found += [(index, words) for words, index in _by_superlative(scene, rng) if rng.random() < 0.3]
    return found


# --- what is true ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=8)
def _boxes(scene: Scene) -> np.ndarray:
    return boxes(scene)


@lru_cache(maxsize=8)
def _relations_of(scene: Scene) -> frozenset[tuple[int, str, int]]:
    return frozenset(relations(scene))


def _groups(scene: Scene) -> list[tuple[tuple[str, ...], list[int]]]:
    """The objects of each category, and of each category and colour: ((category[, colour]), their indices)."""
    names: dict[tuple[str, ...], list[int]] = {}
    for i, thing in enumerate(scene.objects):
        names.setdefault((thing.category,), []).append(i)
        names.setdefault((thing.category, thing.colour), []).append(i)
    return list(names.items())


def _several(scene: Scene) -> list[tuple[tuple[str, ...], list[int]]]:
    return [(names, group) for names, group in _groups(scene) if len(group) > 1]


def _noun(names: tuple[str, ...]) -> str:
    return " ".join(reversed(names))


def _order(found: np.ndarray, selector: str) -> list[int]:
    return sorted(range(len(found)), key=lambda i: _measure(selector)(found)[i])


def _measure(selector: str) -> Callable[[np.ndarray], np.ndarray]:
    """Boxes [N, 4] -> numbers [N] that grow in the selector's order."""
    if selector in _SIDES:
        axis, sign = _SIDES[selector]
        return lambda found: sign * xyxy_to_cxcywh(found)[:, axis]
    sign = -1 if selector == "largest" else 1
    return lambda found: sign * np.log(area(found))


def _clear(found: np.ndarray, selector: str, order: Sequence[int], rank: int) -> bool:
    """Whether the box at place `rank` of an order stands clearly before the next one."""
    if rank + 1 >= len(order):
        return True
    one, other = order[rank], order[rank + 1]
    gap = float(np.diff(_measure(selector)(found)[[one, other]])[0])
    if selector not in _SIDES:
        return gap >= np.log(SIZED)
    axis = _SIDES[selector][0]
    return gap >= APART * float(xyxy_to_cxcywh(found)[[one, other], axis + 2].mean())


def _stand(scene: Scene, name: str, others: Sequence[int], anchor: int) -> tuple[list[int], list[int]]:
    """Those of the others that clearly stand in a relation to the anchor, and those that clearly do not."""
    found = _boxes(scene)
    if name in _OPPOSITE:
        told = _relations_of(scene)
        return [i for i in others if (i, name, anchor) in told], [i for i in others if (i, _OPPOSITE[name], anchor) in told]
    if name == "next to":
        return _nearest(found, others, anchor, EDGES * scene.unit)
    ratio = {i: float(area(found[i]) / area(found[anchor])) ** (1 if name == "larger than" else -1) for i in others}
    return [i for i in others if ratio[i] >= SIZED], [i for i in others if ratio[i] <= 1 / SIZED]


def _nearest(found: np.ndarray, others: Sequence[int], anchor: int, edges: float) -> tuple[list[int], list[int]]:
    """The one that is clearly next to the anchor, by centres and by edges, and the rest; both empty where none is."""
    if not others:
        return [], []
    box, centre = found[anchor], xyxy_to_cxcywh(found[anchor])[:2]
    far = {i: float(np.linalg.norm(xyxy_to_cxcywh(found[i])[:2] - centre)) for i in others}
    gap = {i: float(np.linalg.norm(np.clip(np.maximum(box[:2] - found[i][2:], found[i][:2] - box[2:]), 0, None))) for i in others}
    first, *rest = sorted(others, key=far.get)
    if all(far[i] >= NEARER * far[first] and gap[i] >= gap[first] + edges for i in rest):
        return [first], rest
    return [], []
