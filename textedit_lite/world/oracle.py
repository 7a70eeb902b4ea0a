"""Grades an edit without any network: reads which colour, pose, view and category an object shows, by pixels and renderer.

The oracle knows the scene, so it knows the picture behind the object. It looks for the drawing that, laid over that
background, best explains the edited pixels, and reads the colour from a histogram inside of that drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
from PIL import Image

from ..errors import SettingsError
from ..vocabulary import COLOUR_RGB, COLOURS
from .fitting import UNIT, WINDOW, Match, Patch, examined, laid_out, refine, search
from .scenes import Scene, full_mask, render

MIN_LIKENESS = 0.7  # 98 % of bent objects reach 0.74, of grey boxes 0.64 at most, scribbles in the right colour 0.67
MIN_EXPLAINED = 0.1  # share of the difference to the empty background that the drawing must explain
EXAMINED = 3  # number of best matches that are examined


@dataclass(frozen=True)
class Judgement:
    """What an object shows after an edit; all four attributes are None where no object of this world can be seen.

    changed: any attribute differs from the scene's. success: what was asked for is there, and the object is still of
    its category. kept: attribute -> whether it is still the scene's, for those that the change does not name.
    likeness: correlation of the fine structures of picture and drawing, 1 is perfect. margins: attribute -> lead in fit
    over the best drawing with another value (for the colour: lead in histogram overlap over the next colour).
    """

    category: str | None
    colour: str | None
    view: str | None
    pose: str | None
    changed: bool
    success: bool
    kept: dict[str, bool] = field(hash=False)
    likeness: float
    margins: dict[str, float] = field(hash=False)


def judge(scene: Scene, index: int, change: dict[str, str], edited_image: Image.Image) -> Judgement:
    """Grade an edit of object `index` that was to make `change` (attribute -> value), by pixels alone.

    edited_image: RGB, the scene's size. Pixels that other objects cover in the scene are left out. The object may have
    moved by an eighth of its canvas, and may measure 0.71 to 1.18 times its old size, as a painter does not copy.
    Raises SettingsError for an unknown object, attribute, or size. Taught in notebook 05.
    """
    if not 0 <= index < len(scene.objects) or not change.keys() <= {"category", "colour", "view", "pose"}:
        raise SettingsError(f"The scene has objects 0 to {len(scene.objects) - 1}, and a change names their category, "
                            f"colour, view or pose: there is no {sorted(change)} of object {index}.")  # fmt: skip
    if edited_image.size != (scene.width, scene.height):
        raise SettingsError(f"The edited picture must have the scene's size, {scene.width}x{scene.height} pixels.")
    patch = _patch(scene, index, edited_image)
    matches = refine(patch, search(patch))
    best = _best(patch, matches)
    colour, colour_margin = _colour(patch, best)
    if colour != best.colour:  # the coarse search took it for another colour: look again in the right one
        matches = refine(patch, [replace(match, colour=colour) for match in matches])
        best = _best(patch, matches)
    truth = scene.objects[index]
    before = {name: getattr(truth, name) for name in ("category", "colour", "view", "pose")}
    margins = {"colour": colour_margin}
    for name in ("category", "view", "pose"):
        rivals = [match.fit for match in matches if getattr(match, name) != getattr(best, name)]
        margins[name] = best.fit - max(rivals, default=0.0)
    there = best.likeness >= MIN_LIKENESS and best.explained >= MIN_EXPLAINED
    shown = {name: (colour if name == "colour" else getattr(best, name)) if there else None for name in before}
    wanted = {"category": truth.category, **change}
    return Judgement(
        **shown,
        changed=shown != before,
        success=all(shown[name] == value for name, value in wanted.items()),
        kept={name: shown[name] == before[name] for name in before if name not in change},
        likeness=best.likeness,
        margins=margins,
    )


def _best(patch: Patch, matches: list[Match]) -> Match:
    return max((examined(patch, match) for match in matches[:EXAMINED]), key=lambda match: match.fit + match.likeness)


# --- what is looked at -------------------------------------------------------------------------------------------


@lru_cache(maxsize=32)
def _surroundings(scene: Scene, index: int) -> tuple[tuple[int, ...], tuple[float, ...], np.ndarray, np.ndarray]:
    """(window, the part of it that is looked at, the empty background in it, which of its pixels count)."""
    thing = scene.objects[index]
    x, y = thing.x * scene.unit, thing.y * scene.unit
    half = thing.size * scene.unit * WINDOW / UNIT / 2
    reach = int(np.ceil(half)) + 2
    x0, y0 = int(x) - reach, int(y) - reach
    window = (x0, y0, x0 + 2 * reach + 1, y0 + 2 * reach + 1)
    part = (x - half - x0, y - half - y0, x + half - x0, y + half - y0)
    alone = replace(scene, objects=scene.objects[:index] + scene.objects[index + 1 :])
    counts = np.full((scene.height, scene.width), 255, np.uint8)
    for i in range(index + 1, len(scene.objects)):
        counts[full_mask(scene, i) > 0] = 0
    return window, part, _view(render(alone), window, part), _view(Image.fromarray(counts), window, part)


def _view(image: Image.Image, window: tuple[int, ...], part: tuple[float, ...]) -> np.ndarray:
    """A part of a window of a picture, from 0 to 1, and 0 outside of the picture: [3, 60, 60], or [60, 60] if it is grey."""
    pixels = image.crop(window).resize((2 * WINDOW,) * 2, Image.Resampling.BILINEAR, box=part)
    pixels = np.asarray(pixels, np.float32) / 255
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels


def _patch(scene: Scene, index: int, image: Image.Image) -> Patch:
    window, part, empty, counts = _surroundings(scene, index)
    return Patch(_view(image.convert("RGB"), window, part), empty, counts)


# --- colour ------------------------------------------------------------------------------------------------------


def _hue(rgb: np.ndarray) -> np.ndarray:
    """The angle of RGB [3, ...] around the grey axis, in degrees, 0 for red: 0 to 360."""
    r, g, b = rgb
    return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360


def palette_shares(rgb: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the pixels in each of COLOURS, and last the share that is grey: float [9], sums to 1.

    rgb: [3, ...], 0 to 1; weights: [...]. Coloured pixels go to the palette's nearest hue, and pale ones by their value to
    white, grey or black, as PixLens counts colours (Stefanache et al., 2024). Taught in notebook 05.
    """
    value, low = rgb.max(0), rgb.min(0)
    vivid = (value - low > 0.35 * value) & (value > 0.2)
    names = [name for name in COLOURS if name not in ("white", "black")]
    hues = np.array([_hue(np.array(COLOUR_RGB[name])) for name in names])
    gaps = np.abs((_hue(rgb)[None] - hues.reshape(-1, *[1] * value.ndim) + 180) % 360 - 180)
    numbers = np.array([COLOURS.index(name) for name in names])[gaps.argmin(0)]
    plain = np.where(value > 0.7, COLOURS.index("white"), np.where(value < 0.42, COLOURS.index("black"), len(COLOURS)))
    shares = np.bincount(np.where(vivid, numbers, plain).ravel(), weights.ravel(), len(COLOURS) + 1)
    return shares / max(shares.sum(), 1e-6)


def _colour(patch: Patch, match: Match) -> tuple[str, float]:
    """The colour whose drawing has the histogram nearest to the picture's (intersection), and its lead over the next."""
    drawings = [laid_out(replace(match, colour=colour)) for colour in COLOURS]
    weights = patch.counts * (drawings[0][0] > 0.95)
    shown = palette_shares(patch.edited, weights)
    overlap = [np.minimum(palette_shares(laid[1:4], weights), shown).sum() for laid in drawings]
    order = np.argsort(overlap)
    return COLOURS[order[-1]], float(overlap[order[-1]] - overlap[order[-2]])
