"""Finds the drawing that best explains a patch of a picture: which form, colour, size and place, and how well it fits.

A drawing T with opacity A over the background B explains the picture I better than B alone by
sum A (|I - B|^2 - |I - T|^2), where A stands for A^2. That is linear in (A, A T, A |T|^2), so all places of all
drawings are one matrix product: 12 categories x 2 views x 3 poses x 8 colours at five sizes and 25 places.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from PIL import Image

from ..vocabulary import COLOURS, POSES, VIEWS
from .scenes import stamp
from .sprites import CATEGORIES

FORMS = tuple(product(CATEGORIES, VIEWS, POSES))  # (category, view, pose)
UNIT = 16  # coarse pixels a side of an object's canvas; fine pixels are half as large
WINDOW = 30  # coarse pixels a side of a patch
BANK = 24  # coarse pixels a side of a coarse drawing
CANVASES = (16, 18, 20, 22, 24)  # coarse pixels of the turned canvas: 0.75 to 1.125 times the object's size
CANVAS = 42  # fine pixels of the turned canvas of an object that has kept its size
REACH = 2  # coarse pixels that the object may have moved: an eighth of its canvas
FINE = 2 * BANK + 2  # fine pixels a side of a fine drawing
SHORTLIST = 8  # forms that are looked at in fine pixels
DETAIL = 9  # fine pixels; structure below this scale is detail, and parts of this size may shift
SHIFT = 2  # fine pixels by which a part may be off, a sixteenth of the object's canvas


@dataclass(frozen=True)
class Patch:
    """An object's surroundings: the edited pixels, the empty background (RGB, 0 to 1), and which pixels count."""

    edited: np.ndarray  # [3, 60, 60]
    empty: np.ndarray  # [3, 60, 60]
    counts: np.ndarray  # [60, 60]


@dataclass(frozen=True)
class Match:
    """A drawing laid over the background: its form, its place (fine pixels off the centre), and how well it fits."""

    category: str
    view: str
    pose: str
    colour: str
    canvas: int
    dy: int
    dx: int
    fit: float = 0.0  # correlation, rigid
    likeness: float = 0.0  # correlation of the fine structure, each part free to shift a little
    explained: float = 0.0  # 1 - |I - C|^2 / |I - B|^2, with C the drawing over the background B


# --- the search --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=256)  # enough for one judgement; more would keep hundreds of megabytes
def _drawing(category: str, colour: str, view: str, pose: str, canvas: int, size: int) -> np.ndarray:
    """(A, A T, A |T|^2) of an object whose turned canvas measures `canvas` pixels: float32 [5, size, size]."""
    drawn = stamp(category, colour, view, pose, 96).resize((canvas, canvas), Image.Resampling.BILINEAR)
    at = (size - canvas) // 2
    whole = Image.new("RGBA", (size, size))
    whole.paste(drawn, (at, at))
    pixels = np.asarray(whole, np.float32).transpose(2, 0, 1) / 255
    opacity, rgb = pixels[3:], pixels[:3]
    return np.concatenate([opacity, opacity * rgb, opacity * (rgb**2).sum(0, keepdims=True)])


@lru_cache(maxsize=1)
def _bank() -> tuple[np.ndarray, list[tuple]]:
    """All coarse drawings, float32 [2880, 5 * 24 * 24], and what each shows: (form, colour, canvas)."""
    kinds = [(form, colour, canvas) for form in FORMS for colour in COLOURS for canvas in CANVASES]
    draw = _drawing.__wrapped__
    rows = [draw(form[0], colour, form[1], form[2], canvas, BANK).ravel() for form, colour, canvas in kinds]
    return np.stack(rows), kinds


def _evidence(edited: np.ndarray, empty: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The picture's factor in the product: float32 [5, height, width]."""
    gap = ((edited - empty) ** 2).sum(0) - (edited**2).sum(0)
    return np.concatenate([(counts * gap)[None], 2 * counts * edited, -counts[None]])


def _places(evidence: np.ndarray, top: int, left: int, size: int) -> np.ndarray:
    """The evidence under a drawing at each of the 25 places around (top, left): float32 [5 * size * size, 25]."""
    reach = size + 2 * REACH
    around = evidence[:, top - REACH : top - REACH + reach, left - REACH : left - REACH + reach]
    places = sliding_window_view(around, (size, size), (1, 2))  # [5, 5, 5, size, size]
    return places.transpose(0, 3, 4, 1, 2).reshape(5 * size * size, -1)


def search(patch: Patch) -> list[Match]:
    """The forms that explain the patch best, each in its best colour, size and place."""
    shape = (WINDOW, 2, WINDOW, 2)
    coarse = [a.reshape(*a.shape[:-2], *shape).mean((-1, -3)) for a in (patch.edited, patch.empty, patch.counts)]
    middle = (WINDOW - BANK) // 2
    bank, kinds = _bank()
    gains = bank @ _places(_evidence(*coarse), middle, middle, BANK)  # [2880, 25]
    best = gains.max(1).reshape(len(FORMS), -1)
    found = []
    for i in np.argsort(-best.max(1), kind="stable")[:SHORTLIST]:
        row = i * best.shape[1] + best[i].argmax()
        (category, view, pose), colour, canvas = kinds[row]
        dy, dx = divmod(int(gains[row].argmax()), 2 * REACH + 1)
        found.append(Match(category, view, pose, colour, 2 * canvas, 2 * (dy - REACH), 2 * (dx - REACH)))
    return found


def refine(patch: Patch, matches: list[Match]) -> list[Match]:
    """The same forms and colours at twice the resolution, best fit first.

    Each is looked for around the place where it was found and around the object's old place, at three sizes and 25 places
    each: the coarse search may find what hardly differs from its background, a white cup on snow, in a wrong place.
    """
    pad = 8
    evidence = np.pad(_evidence(patch.edited, patch.empty, patch.counts), ((0, 0), (pad, pad), (pad, pad)))
    fine = []
    for match in matches:
        found = [_nearby(evidence, start, pad) for start in (match, replace(match, canvas=CANVAS, dy=0, dx=0))]
        fine.append(max((replace(one, fit=_fit(patch, one)) for one in found), key=lambda one: one.fit))
    return sorted(fine, key=lambda match: -match.fit)


def _nearby(evidence: np.ndarray, match: Match, pad: int) -> Match:
    """The match, moved to the size and place near its own that explain the most."""
    middle = WINDOW - FINE // 2 + pad
    canvases = [match.canvas + 2 * step for step in (-1, 0, 1)]
    drawings = [_drawing(match.category, match.colour, match.view, match.pose, c, FINE).ravel() for c in canvases]
    gains = np.stack(drawings) @ _places(evidence, middle + match.dy, middle + match.dx, FINE)  # [3, 25]
    size, place = np.unravel_index(gains.argmax(), gains.shape)
    dy, dx = divmod(int(place), 2 * REACH + 1)
    return replace(match, canvas=canvases[size], dy=match.dy + dy - REACH, dx=match.dx + dx - REACH)


# --- how well it fits --------------------------------------------------------------------------------------------


def laid_out(match: Match) -> np.ndarray:
    """The drawing of a match where it lies: float32 [5, 60, 60]."""
    drawing = _drawing(match.category, match.colour, match.view, match.pose, match.canvas, FINE)
    pad = 10
    whole = np.zeros((5, 2 * WINDOW + 2 * pad, 2 * WINDOW + 2 * pad), np.float32)
    top, left = (WINDOW - FINE // 2 + pad + offset for offset in (match.dy, match.dx))
    whole[:, top : top + FINE, left : left + FINE] = drawing
    return whole[:, pad:-pad, pad:-pad]


def _compared(patch: Patch, match: Match) -> tuple[np.ndarray, np.ndarray]:
    """The drawing over the empty background, and the weights, summing to 1, of its pixels and of two fine pixels around it."""
    from scipy.ndimage import maximum_filter

    laid = laid_out(match)
    drawn = laid[1:4] + (1 - laid[0]) * patch.empty
    weights = patch.counts * (maximum_filter(laid[0], 5) > 0.3)
    return drawn, weights / max(weights.sum(), 1e-6)


def _correlation(a: np.ndarray, b: np.ndarray, weights: np.ndarray) -> float:
    """Pearson's correlation of two RGB pictures, with each channel's mean taken off: -1 to 1."""
    a, b = (x - (x * weights).sum((1, 2), keepdims=True) for x in (a, b))
    power = (weights * a * a).sum() * (weights * b * b).sum()
    return float((weights * a * b).sum() / np.sqrt(power)) if power > 1e-12 else 0.0


def _high_pass(picture: np.ndarray) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    return picture - uniform_filter(picture, (1, DETAIL, DETAIL))


def _fit(patch: Patch, match: Match) -> float:
    """Mean of the correlation of the pictures and of their fine structure."""
    drawn, weights = _compared(patch, match)
    detail = _correlation(_high_pass(patch.edited), _high_pass(drawn), weights)
    return (detail + _correlation(patch.edited, drawn, weights)) / 2


def examined(patch: Patch, match: Match) -> Match:
    """The match with its likeness and explained share, which tell an object from a box, a blot or nothing.

    likeness: around every pixel the fine structures of picture and drawing are correlated at 25 small shifts. The best
    shift counts, as a painter bends what a renderer draws straight.
    """
    from scipy.ndimage import uniform_filter

    drawn, weights = _compared(patch, match)
    edited, wanted = _high_pass(patch.edited), _high_pass(drawn)
    padded = np.pad(edited, ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT)))
    shifted = sliding_window_view(padded, edited.shape[1:], (1, 2)).reshape(3, -1, *edited.shape[1:])  # [3, 25, 60, 60]

    def around(power: np.ndarray) -> np.ndarray:
        return uniform_filter(power * weights, (0, DETAIL, DETAIL)[-power.ndim :])

    product, theirs = around((shifted * wanted[:, None]).sum(0)), around((shifted**2).sum(0))  # [25, 60, 60]
    ours = around((wanted**2).sum(0))
    best = (product / np.sqrt(theirs * ours + 1e-20)).argmax(0)[None]
    product, theirs = (np.take_along_axis(x, best, 0)[0] * (weights > 0) for x in (product, theirs))
    likeness = product.sum() / np.sqrt(theirs.sum() * (ours * (weights > 0)).sum() + 1e-20)

    left = (weights * (patch.edited - drawn) ** 2).sum()
    explained = 1 - left / max((weights * (patch.edited - patch.empty) ** 2).sum(), 1e-6)
    return replace(match, likeness=float(likeness), explained=float(explained))
