"""Puts a painted crop back into its picture: the inward feather, the boundary without a seam, what was left alone, the exact paste."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
from PIL import Image

from .errors import SettingsError

FEATHER = 0.04  # width of the feather, in short sides of the mask's box
FINE = 12  # pixels of a feather that are enough to measure it by
MANY = 500_000  # pixels of a place from which on pictures are mixed by a weight of 8 bits, which is off by a level at most
SEAM_DEPTH = 0.12  # how deep the correction of the seam reaches, in short sides of the mask's box
SEAM_LIMIT = 40.0  # a larger step at the border (of 255) is an object that was cut, not a wrong shade
AROUND = 0.02  # over how many short sides of the mask's box a change is averaged, to tell whether it was meant
CHANGED = 40.0  # a change (of 255) from which on the painting, not its start, has the say


def feather(mask: Image.Image, radius: float) -> np.ndarray:
    """The weight of the painted picture: float32 [H, W], 0 outside of the mask, 1 deeper than `radius` pixels inside.

    w = smoothstep(d / (radius + 1)), d the distance to the nearest pixel outside. The feather runs inwards only, so a pixel
    outside of the mask keeps its value exactly; where the mask meets the picture's border it does not fade. A feather of many
    pixels is measured in a smaller picture, whose pixels are a twelfth of it or less. Taught in notebook 03.
    """
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(mask) >= 128
    if radius <= 0 or inside.all():
        return inside.astype(np.float32)
    times, (height, width) = max(1, int(radius / FINE)), inside.shape
    small = inside
    if times > 1:
        # Around a mask there may be but one pixel (`place_of`), less than one of the smaller picture, so the border is continued.
        beyond = [(times, times + -extent % times) for extent in inside.shape]
        small = np.asarray(Image.fromarray(np.pad(inside.view(np.uint8) * np.uint8(255), beyond, "edge")).reduce(times)) >= 128
        if small.all():  # all that is outside is smaller than one of its pixels
            return inside.astype(np.float32)
    # Distances are from pixel to pixel; in a smaller picture the border runs half of its pixel before the first one outside.
    distance = times * distance_transform_edt(small) - (times - 1) / 2
    t = np.clip(distance / (radius + 1), 0, 1)
    weight = (t * t * (3 - 2 * t)).astype(np.float32)
    if times > 1:
        place = (1, 1, 1 + width / times, 1 + height / times)
        weight = np.asarray(Image.fromarray(weight).resize((width, height), Image.Resampling.BILINEAR, place))
    return weight * inside


def ring(mask: np.ndarray, width: int = 2) -> np.ndarray:
    """The pixels just outside of a mask, at most `width` steps away from it: bool [H, W], as the mask.

    A step leads to the pixel above, below, to the left or to the right, and none leads beyond the picture.
    Taught in notebook 03.
    """
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, iterations=width) & ~mask


def refine_boundary(original: np.ndarray, painted: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Take the seam out of a painted crop: float32 [H, W, 3] in 0..255.

    Just outside of the mask the painted crop should equal the original. Where it differs by a small step, the
    painter missed the shade of the background, and the difference is carried inwards and faded out over SEAM_DEPTH short sides:

        f(p) = painted(p) + w(p) * r(q),   r = original - painted on the ring outside of the mask,

    with q the ring pixels near p (averaged by a Gaussian) and w falling from 1 to 0. That is the membrane of Poisson
    image editing (Perez et al., 2003), solved by normalised convolution and cut off at that depth. Steps above 40 of 255
    are left alone: they belong to an object that the mask cuts. original, painted: [H, W, 3]; mask: bool [H, W].
    Taught in notebook 03.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    original, painted = np.asarray(original, np.float32), np.asarray(painted, np.float32)
    mask = np.asarray(mask, bool)
    near = ring(mask)
    if not near.any():
        return painted
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    depth = max(2.0, SEAM_DEPTH * min(len(rows), len(columns)))
    residual = original - painted
    trusted = near & (np.abs(residual).max(-1) < SEAM_LIMIT)
    weight = gaussian_filter(trusted.astype(np.float32), depth / 2)
    carried = np.stack([gaussian_filter(np.where(trusted, residual[..., c], 0), depth / 2) for c in range(3)], -1)
    carried /= np.maximum(weight, 1e-3)[..., None]
    # Where most of the ring nearby is not to be trusted, nothing is carried.
    share = np.clip(weight / np.maximum(gaussian_filter(near.astype(np.float32), depth / 2), 1e-6), 0, 1)
    fade = np.clip(1 - distance_transform_edt(mask) / depth, 0, 1) * share
    return np.where(mask[..., None], painted + carried * fade[..., None], painted).clip(0, 255)


def check_feather(width: float) -> None:
    """Raises SettingsError for a width that no feather can have."""
    if not (isinstance(width, Real) and 0 <= width <= 0.5):
        raise SettingsError(f"The feather cannot be {width} wide: give a share of the mask's short side from 0 to 0.5.")


@dataclass(frozen=True)
class Start:
    """What a painting started from: the whole picture (RGB), and its window sent `through` the autoencoder and back."""

    picture: Image.Image
    through: Image.Image


def paste_back(
    image: Image.Image, painted: Image.Image, mask: Image.Image, window: tuple[int, int, int, int], width: float = FEATHER,
    start: Start | None = None,
) -> Image.Image:  # fmt: skip
    """The picture with `painted`, the repainted `window` (xyxy) of it, put in where the mask is; all else is untouched.

    Every pixel outside of the mask equals the picture's own, bit for bit: only the rounded feathered mixture is
    written, and only inside. painted: RGB, of any size; it is scaled to the window's. width: of the feather, in
    short sides of the mask's box, 0 to 0.5. start: what the painting started from; where it has hardly been changed, it
    stays just as it was (`keep_start`). Taught in notebook 04.
    """
    x0, y0, x1, y1 = place = place_of(mask)
    size = (x1 - x0, y1 - y0)
    scale, down = painted.width / (window[2] - window[0]), painted.height / (window[3] - window[1])
    part = (scale * (x0 - window[0]), down * (y0 - window[1]), scale * (x1 - window[0]), down * (y1 - window[1]))
    after = painted.resize(size, Image.Resampling.LANCZOS, part)
    if start is not None:  # looked at in the size in which it was painted: a large picture's place has millions of pixels
        share = 255 * keep_start(np.asarray(painted), np.asarray(start.through), AROUND * scale * min(size))
        stays = Image.fromarray(np.rint(share).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR, part)
        after = Image.composite(start.picture.crop(place), after, stays)
    return lay_in(image, after, mask, width)


def place_of(mask: Image.Image) -> tuple[int, int, int, int]:
    """The mask's box, xyxy, with one more pixel on every side where the picture has one: there a feather fades, at a border it does not.

    Taught in notebook 03.
    """
    x0, y0, x1, y1 = mask.getbbox()
    return max(x0 - 1, 0), max(y0 - 1, 0), min(x1 + 1, mask.width), min(y1 + 1, mask.height)


def lay_in(image: Image.Image, after: Image.Image, mask: Image.Image, width: float = FEATHER) -> Image.Image:
    """The picture with `after` laid over the mask's place (`place_of`), feathered; all outside of the mask is untouched.

    They are mixed as `mix` does it; in a large place, to within a level of 255. after: RGB, as large as the place; mask: L, as the picture;
    width: of the feather, in short sides of the mask's box. Taught in notebook 03.
    """
    place = place_of(mask)
    x0, y0, x1, y1 = mask.getbbox()
    alpha = feather(mask.crop(place), width * min(x1 - x0, y1 - y0))
    result = image.copy()
    if alpha.size < MANY:
        result.paste(Image.fromarray(mix(np.asarray(image.crop(place)), np.asarray(after), alpha)), place)
    else:
        result.paste(after, place, Image.fromarray(np.rint(255 * alpha).astype(np.uint8)))
    return result


def mix(before: np.ndarray, after: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """`after` over `before` by a weight: uint8 [H, W, 3], rounded to the nearest; where the weight is 0 exactly `before`.

    before + w (after - before). before, after: [H, W, 3], 0..255; weight: [H, W], 0..1. Taught in notebook 03.
    """
    before = np.asarray(before, np.float32)
    mixed = np.asarray(after, np.float32) - before
    mixed *= weight[..., None]  # in place, as the place of a large picture's object has millions of pixels
    mixed += before
    return np.rint(mixed, out=mixed).clip(0, 255, out=mixed).astype(np.uint8)


def keep_start(painted: np.ndarray, through: np.ndarray, reach: float) -> np.ndarray:
    """How much of its start stays in a painting, where the two hardly differ: float32 [h, w], 0..1.

    The painter sees its start only through scaling and the autoencoder, and a small painter is not steady: what it does
    not mean to change comes back blurred and a little off in shade. So a small change counts as none:

        f = w start + (1 - w) painted,   w = exp(-(d / t)^2),

    where d is the change |painted - through| (of 255, averaged over `reach` pixels) and t = CHANGED. Where the painter
    drew something else, w is 0 and its picture stays. painted, and `through`, which is the start sent through scaling and
    the autoencoder: [h, w, 3], 0..255. Taught in notebook 04.
    """
    from scipy.ndimage import gaussian_filter

    difference = np.abs(np.subtract(painted, through, dtype=np.float32)).mean(-1)
    return np.exp(-((gaussian_filter(difference, reach) / CHANGED) ** 2))
