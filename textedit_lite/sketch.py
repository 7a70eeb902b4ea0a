"""Sketches a change with plain pixels, so that the painter starts from the right form and not from pure noise.

That is SDEdit's idea (Meng et al., 2022): noise is added to a rough picture of what is wanted, and the painter takes it
away again. A new colour keeps the object's form, and a new pose is a turn of it; a new view must be imagined, so it has
no sketch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from .boxes import rotated, shrinkage
from .segment import DILATE, dilate
from .vocabulary import COLOUR_RGB, POSE_DEGREES

STRANGE = 45.0  # distance (of 255) from the plane of a colour's shades and tints at which a pixel is of another colour
HUE = 1 / 3  # share of a pixel's length that is the old colour, from which on the pixel is all the object's
REACH = 0.05  # by how much the place that an object leaves is larger than the object, in short sides of the mask
GREY = (8.0, 14.0)  # chroma (largest minus smallest of red, green, blue): up to the first a pixel is grey, from the second on it is not
# How light the parts of a white and of a black object are; and for an object with a hue, its parts as shares of its body's colour.
TONES = {"white": {"ink": 36.0, "line": 92.0, "body": 240.0, "light": 255.0}, "black": {"ink": 16.0, "body": 46.0, "line": 112.0}}
SHADES = {"ink": 0.15, "line": 0.38, "body": 1.0, "light": 1.4}
# A place above LARGE^2 pixels is analysed at a reduced size of ENOUGH^2 pixels, with its rim; the change itself is made at full size.
LARGE, ENOUGH = 707, 354
EDGE = 2  # pixels around other objects that are not taken for background, because their edges are blurred
MARGIN = 0.06  # how far an object may reach beyond the detector's box, in longest sides of it
INSIDE = 0.08  # how deep in its dilated shape a pixel is surely the object's, in longest sides of the box
HIGHLIGHT = 0.2  # how far towards white the lightest parts are
GRID = 33  # colours per channel of the table by which a large object is recoloured
MATTE = (10.0, 34.0)  # distances from the estimated background at which a pixel begins to be object, and is all object


def sketch(
    image: Image.Image, mask: Image.Image, box, now: dict[str, str], wanted: dict[str, str], shape: Image.Image | None = None,
    others: Image.Image | None = None,
) -> Image.Image | None:  # fmt: skip
    """The picture with the change sketched inside of the mask, or None where a sketch cannot show it.

    image: RGB; mask: L, 255 = to be repainted; box: xyxy of the object as it is; now, wanted: its colour, view and pose
    before and after; shape: L, 255 = what may belong to the object (`segment.silhouette`), if that is known; others: L, 255 = what
    belongs to its neighbours (`segment.neighbours`). The object is told from its background by its distance from the
    background's membrane (`fill_in`), within that shape; without a shape, within the whole mask, and then a neighbour, a shadow
    and the horizon are taken for it as well. It is recoloured (`recolour`), or turned around the middle of its box. Outside of the
    mask nothing changes. Taught in notebook 04.
    """
    changes = {name for name in ("colour", "view", "pose") if name in wanted and wanted[name] != now.get(name)}
    if not changes or "view" in changes:
        return None
    if "colour" in changes and not {wanted["colour"], now.get("colour")} <= COLOUR_RGB.keys():
        return None
    around = _surroundings(image, mask, box, shape, others)
    region, x0, y0 = around.region, *around.place[:2]
    matte = _matte(around)
    if "colour" in changes:
        matte = _filled(matte, around.near, None if shape is None else INSIDE * around.longest)
    layer, sketched = around.enlarged(255 * matte), region
    if "colour" in changes:
        pair = now["colour"], wanted["colour"]
        if around.times > 1 and now["colour"] not in TONES:
            sketched = Image.composite(region.filter(_lookup(*pair)), region, layer)
        else:
            pixels, weight = np.array(region), np.asarray(layer)
            own = weight > 0
            old, share = pixels[own].astype(np.float32), weight[own][:, None] / np.float32(255)
            pixels[own] = np.rint(old + share * (recolour(old, *pair) - old)).clip(0, 255)
            sketched = Image.fromarray(pixels)
    if "pose" in changes:
        # Only the place behind the object must be made up: a pattern or a neighbour beside it stays as it is.
        behind = around.without(_reached(matte))
        centre = ((box[0] + box[2]) / 2 - x0, (box[1] + box[3]) / 2 - y0)
        turn = POSE_DEGREES[wanted["pose"]] - POSE_DEGREES[now["pose"]]
        both = Image.merge("RGBX", (*sketched.split(), layer))  # both turned at once, which costs less
        turned = rotated(both, turn, centre, layer.getbbox())
        sketched = Image.composite(turned.convert("RGB"), behind, turned.getchannel(3))
    result = image.copy()
    result.paste(sketched, (x0, y0), around.hole)
    return result


def emptied(image: Image.Image, mask: Image.Image, box, shape: Image.Image, others: Image.Image | None = None) -> Image.Image:
    """The picture without an object: where its shape lies under the mask, the background is filled in smoothly (`fill_in`).

    Arguments as those of `sketch`; outside of the mask, and of the shape, nothing changes. Taught in notebook 07.
    """
    around = _surroundings(image, mask, box, shape, others)
    result = image.copy()
    result.paste(around.without(around.near), around.place[:2], shape.crop(around.place).point([0] * 128 + [255] * 128))
    return result


@dataclass(frozen=True)
class _Surroundings:
    """What lies under a mask and a little around it: at full size, and so small that it can be looked at in little time.

    place: xyxy; region: RGB, and hole: L, 255 = to be repainted, both of that place. The rest is of the smaller picture, where one
    pixel stands for `times` a side: seen: float32 [h, w, 3]; bool [h, w], gone: the hole, near: what may be the object, beside:
    what is its neighbours', strange: that and its edge, which say nothing about the background. box: xyxy of the object.
    """

    place: tuple[int, int, int, int]
    region: Image.Image
    hole: Image.Image
    times: int
    seen: np.ndarray
    gone: np.ndarray
    near: np.ndarray
    beside: np.ndarray
    strange: np.ndarray
    box: np.ndarray

    @property
    def longest(self) -> float:
        """The box's longest side."""
        return float(max(self.box[2:] - self.box[:2]))

    def enlarged(self, small: np.ndarray, resample: int = Image.Resampling.BILINEAR) -> Image.Image:
        """Values [h, w] or [h, w, 3] of the smaller picture, 0..255, at the size of the region."""
        place = (0, 0, self.region.width / self.times, self.region.height / self.times)
        return Image.fromarray(np.rint(small).clip(0, 255).astype(np.uint8)).resize(self.region.size, resample, place)

    def without(self, thing: np.ndarray) -> Image.Image:
        """The region without a thing, bool [h, w], as far as the hole reaches; neighbours stay, and do not run into its place."""
        left = self.gone & thing & ~self.beside
        room = ImageChops.darker(self.hole, self.enlarged(255.0 * left, Image.Resampling.NEAREST))
        return Image.composite(self.enlarged(fill_in(self.seen, left | self.strange)), self.region, room)


def _surroundings(image: Image.Image, mask: Image.Image, box, shape: Image.Image | None, others: Image.Image | None) -> _Surroundings:
    from scipy.ndimage import distance_transform_edt

    x0, y0, x1, y1 = mask.getbbox()
    times = shrinkage(math.sqrt((x1 - x0) * (y1 - y0)), LARGE, ENOUGH)
    rim = 2 * times  # so that on every side a pixel of the smaller picture is all background
    x0, y0, x1, y1 = place = max(x0 - rim, 0), max(y0 - rim, 0), min(x1 + rim, image.width), min(y1 + rim, image.height)
    region, hole = image.crop(place), mask.crop(place).point([0] * 128 + [255] * 128)

    def covered(part: Image.Image) -> np.ndarray:
        return np.asarray(part.crop(place).reduce(times)) >= 128

    seen, gone = np.asarray(region.reduce(times), np.float32), np.asarray(hole.reduce(times)) > 0
    near = gone if shape is None else gone & covered(shape)
    within = (np.asarray(box) - (x0, y0, x0, y0)) / times
    beside = strange = np.zeros_like(gone)
    if others is not None and shape is not None:
        own = distance_transform_edt(near) > DILATE * max(within[2:] - within[:2])  # what was its shape before it was dilated
        beside = covered(others) & ~own
        strange = dilate(beside, EDGE) & ~own
        near = near & ~strange
    return _Surroundings(place, region, hole, times, seen, gone, near, beside, strange, within)


def _matte(around: _Surroundings) -> np.ndarray:
    """How far pixels are the object's, because they differ from the background's membrane and lie in its box: [h, w], 0..1."""
    membrane = fill_in(around.seen, around.near | around.strange)
    distance = np.abs(around.seen - membrane).max(-1) * around.near
    matte = np.clip((distance - MATTE[0]) / (MATTE[1] - MATTE[0]), 0, 1)
    reach, box = MARGIN * around.longest, around.box
    y, x = (np.arange(extent) + 0.5 for extent in matte.shape)
    across, down = (x > box[0] - reach) & (x < box[2] + reach), (y > box[1] - reach) & (y < box[3] + reach)
    return matte * (down[:, None] & across)


def _filled(matte: np.ndarray, near: np.ndarray, depth: float | None) -> np.ndarray:
    """The matte without the holes where a part of the object looks like its background: [H, W], 0..1.

    Gaps of a pixel are closed; deeper than `depth` pixels inside of the object's shape `near`, if that is known, all is object.
    """
    from scipy.ndimage import distance_transform_edt, grey_closing

    filled = np.maximum(matte, near * grey_closing(matte, 3))
    return filled if depth is None else np.maximum(filled, np.clip((distance_transform_edt(near) - depth) / 2, 0, 1))


def _reached(matte: np.ndarray) -> np.ndarray:
    """The object's pixels and those near it: bool [H, W]."""
    from scipy.ndimage import grey_dilation

    return grey_dilation(matte, max(3, round(REACH * min(matte.shape)))) > 0.1


def fill_in(pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The hole of a picture filled smoothly from what lies around it: float32 [H, W, 3].

    Pull and push (Gortler et al., 1996): known pixels are averaged into ever coarser pictures, and each unknown pixel
    takes the value of the finest coarser one that is known. pixels: [H, W, 3]; hole: bool [H, W]. Taught in notebook 04.
    """
    known = (~hole).astype(np.float32)[None]
    if known.all() or not known.any():
        return pixels.astype(np.float32)
    channels = np.where(hole, 0, np.moveaxis(pixels, -1, 0)).astype(np.float32, order="C")
    return np.moveaxis(_pull_push(channels, known), 0, -1)


def _pull_push(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`values` [3, H, W] are sums of what is known, `weight` [1, H, W] in 0..1 says how well; every pixel of the result is known."""
    height, width = weight.shape[1:]
    mean = values / np.maximum(weight, 1e-6)
    if min(height, width) < 2 or weight.min() >= 1:
        total = max(float(weight.sum()), 1e-6)
        return np.where(weight > 0, mean, values.sum((1, 2), keepdims=True) / total)
    of_values, of_weight = (_channelwise(v, lambda one: one.reduce(2)) for v in (values, weight))
    weight2 = np.minimum(4 * of_weight, 1)
    coarse = _pull_push(weight2 * of_values / np.maximum(of_weight, 1e-12), weight2)
    place = (0, 0, width / 2, height / 2)
    smooth = _channelwise(coarse, lambda one: one.resize((width, height), Image.Resampling.BILINEAR, box=place))
    return weight * mean + (1 - weight) * smooth


def _channelwise(values: np.ndarray, change: Callable[[Image.Image], Image.Image]) -> np.ndarray:
    """Each channel of float32 [C, H, W], changed as a picture of its own."""
    return np.stack([np.asarray(change(Image.fromarray(channel))) for channel in values])


def recolour(pixels: np.ndarray, old: str, new: str) -> np.ndarray:
    """Pixels of one colour's shades and tints as the same shades and tints of another: float32 [..., 3].

    A pixel p = s b + t 1 + r is a share s of the old colour b, a share t of white, and a rest r (least squares). It becomes
    s b' + t 1 + r, as far as it has a hue and r is small: a window or a tyre is nearly grey, and stays. White and black are
    told by their lightness instead, and what is black has light outlines (`TONES`). Taught in notebook 04.
    """
    if old in TONES:
        red, green, blue = (pixels[..., [c]] for c in range(3))  # one by one, as numpy is slow over an axis of three
        light = (red + green + blue) / 3
        chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
        own = np.clip((GREY[1] - chroma) / (GREY[1] - GREY[0]), 0, 1)  # the sky is as light as what is white, but not grey
        return pixels + own * (_toned(light, TONES[old], new) - pixels)
    base, target = (np.array(COLOUR_RGB[name], np.float32) for name in (old, new))
    parts = np.stack([base, np.ones(3, np.float32)], 1)
    shares = pixels @ np.linalg.pinv(parts).T
    shade, rest = shares[..., :1], pixels - shares @ parts.T
    hue = np.maximum(shade, 0) * np.linalg.norm(base) / np.maximum(np.sqrt(_squares(pixels)), 1)
    own = np.minimum(1, (hue / HUE) ** 2) * np.exp(-_squares(rest) / (2 * STRANGE**2))
    if new == "black":
        becomes = _toned((pixels @ base / (base @ base))[..., None], SHADES, new)
    else:
        light = np.clip(shade, 0, 1.3)
        channels = (pixels[..., [c]] + light * target[c] - shade * base[c] for c in range(3))
        becomes = np.concatenate(list(channels), -1)
    return pixels + own * (becomes - pixels)


@lru_cache(maxsize=8)
def _lookup(old: str, new: str) -> ImageFilter.Color3DLUT:
    """`recolour` as a table of GRID^3 colours, linear between them, for a large object's million pixels.

    Not for white and black, whose pixels are told by how grey they are, more sharply than such a table can.
    """
    levels = np.linspace(0, 255, GRID, dtype=np.float32)
    blue, green, red = np.meshgrid(levels, levels, levels, indexing="ij")  # red changes fastest
    return ImageFilter.Color3DLUT(GRID, (recolour(np.stack([red, green, blue], -1), old, new) / 255).ravel())


def _squares(pixels: np.ndarray) -> np.ndarray:
    """The sum of the channels' squares: [..., 3] -> [..., 1], channel by channel as well."""
    return sum(pixels[..., [c]] ** 2 for c in range(3))


def _toned(values: np.ndarray, tones: dict[str, float], new: str) -> np.ndarray:
    """An object's lightness or shades [..., 1], which have these `tones`, in the tones of another colour: [..., 3].

    Between two tones it is linear, so that a pixel on the edge of an outline becomes the mixture of what
    its two sides become, and no seam of the old colour stays between them.
    """
    body = np.array(COLOUR_RGB[new], np.float32)
    if new in TONES:
        becomes = {name: np.full(3, tone, np.float32) for name, tone in TONES[new].items()} | {"body": body}
    else:
        becomes = {name: share * body for name, share in SHADES.items()}
    becomes["light"] = body + HIGHLIGHT * (255 - body)
    names = sorted(tones, key=tones.get)
    known = [tones[name] for name in names]
    return np.stack([np.interp(values[..., 0], known, [becomes[name][c] for name in names]) for c in range(3)], -1)
