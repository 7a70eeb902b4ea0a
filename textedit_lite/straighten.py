"""Turns the surroundings of a leaning object upright for the painter, and turns what it painted back into the picture.

A small painter knows upright objects better than leaning ones. Of 17 tilted objects that were to be seen from the
front, 10 came out right painted as they lean and 15 in surroundings that were turned upright; of 14 upside down, 11 and 12.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops

from .blend import FEATHER, lay_in, place_of
from .boxes import CONTEXT, GROW, LARGE, crop, grow_box, rotated, shrinkage

ENOUGH = 192  # pixels that are kept of a longest side above `boxes.LARGE`: a small painter sees even fewer


@dataclass(frozen=True)
class Straight:
    """The surroundings of a leaning object, in which it stands upright.

    image: RGB, square; mask: L, of its size, 255 = to be repainted, a square in its middle. degrees: by how much the
    object leans in the picture, counter-clockwise; window: the square of the picture (xyxy, whole pixels, reaching beyond
    its borders where it must) whose middle, when turned, is the image; times: how many of the picture's pixels a side become
    one of the image's.
    """

    image: Image.Image
    mask: Image.Image
    degrees: float
    window: tuple[int, int, int, int]
    times: int = 1

    def within(self, mask: Image.Image) -> Image.Image:
        """The part of a mask (L, the picture's size) that the turned square covers, too. Taught in notebook 04."""
        x0, y0, x1, y1 = mask.getbbox()
        x0, y0, x1, y1 = place = (*np.maximum((x0, y0), self.window[:2]), *np.minimum((x1, y1), self.window[2:]))
        square = self._enlarged(self._whole(self.mask).rotate(self.degrees), place).point([0] * 128 + [255] * 128)
        result = Image.new("L", mask.size)
        result.paste(ImageChops.darker(mask.crop(place), square), (x0, y0))
        return result

    def back(self, picture: Image.Image, painted: Image.Image, mask: Image.Image, width: float = FEATHER) -> Image.Image:
        """The picture with `painted`, which is `image` repainted, turned and put in where `mask` is; all else is untouched.

        mask: as `within` returns it; width: of the feather, in short sides of the mask's box. Every pixel outside of the mask is the
        picture's own, bit for bit. Taught in notebook 04.
        """
        after = self._enlarged(rotated(self._whole(painted), self.degrees), place_of(mask))
        return lay_in(picture, after, mask, width)

    def _whole(self, picture: Image.Image) -> Image.Image:
        """`image`, or a picture of its size, in the middle of a black square that stands for all of `window`."""
        side = (self.window[2] - self.window[0]) // self.times
        whole = Image.new(picture.mode, (side, side))
        margin = (side - picture.width) // 2
        whole.paste(picture, (margin, margin))
        return whole

    def _enlarged(self, whole: Image.Image, place: tuple[int, int, int, int]) -> Image.Image:
        """What `whole`, a picture that stands for all of `window`, shows at a place (xyxy) of the picture, at the picture's own size."""
        x0, y0, x1, y1 = place
        part = tuple((value - self.window[k % 2]) / self.times for k, value in enumerate(place))
        return whole.resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC, part)


def straighten(image: Image.Image, box, degrees: float, grow: float = GROW) -> Straight:
    """The surroundings of an object that leans by `degrees` counter-clockwise, turned so that it stands upright.

    image: RGB; box: xyxy of the object as it leans; grow: of the mask, in longest sides of the box (`build_mask`). The mask
    is a square as wide as the leaning box's longest side: for the objects of the small world that is the upright one's
    to 1.5 % (and 6.5 % from object to object), nearer than a leaning rectangle or ellipse would come. What lies
    beyond the picture's borders repeats its edge. A large object is turned in a reduced picture. Taught in notebook 04.
    """
    longest = max(box[2] - box[0], box[3] - box[1])
    times = shrinkage(longest, LARGE, ENOUGH)
    longest /= times
    half = math.ceil(CONTEXT * (0.5 + grow) * longest) + 2  # enough for the painter's window to lie inside
    t = math.radians(degrees)
    reach = math.ceil(half * (abs(math.cos(t)) + abs(math.sin(t)))) + 1
    x, y = (times * round((low + high) / 2 / times) for low, high in ((box[0], box[2]), (box[1], box[3])))
    window = (x - times * reach, y - times * reach, x + times * reach, y + times * reach)
    margin = reach - half
    upright = rotated(crop(image, window, times), -degrees)
    upright = upright.crop((margin, margin, margin + 2 * half, margin + 2 * half))
    mask = Image.new("L", upright.size)
    middle = np.array([half - longest / 2, half - longest / 2, half + longest / 2, half + longest / 2])
    mask.paste(255, grow_box(middle, upright.size, grow, square=True))
    return Straight(upright, mask, degrees, window, times)
