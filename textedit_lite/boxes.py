"""Box arithmetic, and the crops and coordinate transforms that are built on it.

Boxes are float32 [N, 4], xyxy in pixels, unless a name says otherwise; x grows to the right, y downwards.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

CLIP_SIDE = 1.15  # side of CLIP's square crop, in longest sides of the box
LARGEST_CROP, CROP = 672, 336  # pixels a side: a crop larger than the first is reduced to at most the second; the usual CLIPs take no more
LARGE, ENOUGH = 512, 384  # pixels of a longest side: an object larger than the first is looked at reduced, to at most the second
SHARP = 500_000  # pixels of a picture from which on nobody can tell how it was interpolated when it was turned
CONTEXT = 4 / 3  # side of the painter's window, in longest sides of the mask: the mask fills three quarters of it
GROW = 0.08  # how far a mask reaches beyond its box on each side, in longest sides of the box


def cxcywh_to_xyxy(boxes: np.ndarray) -> np.ndarray:
    """(centre x, centre y, width, height) to (x0, y0, x1, y1): float32 [..., 4]. Taught in notebook 01."""
    cx, cy, w, h = np.moveaxis(np.asarray(boxes, np.float32), -1, 0)
    return np.stack([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)


def xyxy_to_cxcywh(boxes: np.ndarray) -> np.ndarray:
    """(x0, y0, x1, y1) to (centre x, centre y, width, height): float32 [..., 4]. Taught in notebook 01."""
    x0, y0, x1, y1 = np.moveaxis(np.asarray(boxes, np.float32), -1, 0)
    return np.stack([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0], -1)


def area(boxes: np.ndarray) -> np.ndarray:
    """Areas in square pixels, 0 for a box that is inside out: float32 [...]."""
    boxes = np.asarray(boxes, np.float32)
    return np.prod(np.clip(boxes[..., 2:] - boxes[..., :2], 0, None), -1)


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of `a` [N, 4] with every box of `b` [M, 4]: float32 [N, M].

    IoU = |A and B| / |A or B|; 0 where both are empty. Taught in notebook 01.
    """
    a, b = np.asarray(a, np.float32).reshape(-1, 4), np.asarray(b, np.float32).reshape(-1, 4)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.prod(np.clip(high - low, 0, None), -1)
    union = area(a)[:, None] + area(b)[None] - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def clip_boxes(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Boxes cut off at the borders of a picture of `size` (width, height): float32 [..., 4]."""
    width, height = size
    return np.clip(np.asarray(boxes, np.float32), 0, np.array([width, height, width, height], np.float32))


def scale_boxes(boxes: np.ndarray, old: tuple[int, int], new: tuple[int, int]) -> np.ndarray:
    """Boxes of a picture of size `old` (width, height) in the pixels of the same picture at size `new`.

    This is the transform between the detector's 800, the painter's 512 (or the lite sizes) and the picture.
    Taught in notebook 01.
    """
    factor = np.array([new[0] / old[0], new[1] / old[1]] * 2, np.float32)
    return np.asarray(boxes, np.float32) * factor


def grow_box(
    box: np.ndarray, size: tuple[int, int], grow: float = GROW, degrees: float = 0.0, square: bool = False
) -> tuple[int, int, int, int]:
    """The box of a mask: the room that `box` fills when turned by `degrees`, grown by `grow` of its longest side, in whole pixels.

    size: (width, height) of the picture, at whose borders the box is cut. A box of w x h turned by an angle t needs
    w cos t + h sin t by w sin t + h cos t. square: first make it as wide as it is high, for what is to be seen from
    another side: a bus is long from the side and tall from the front. Taught in notebook 03.
    """
    cx, cy, w, h = (float(v) for v in xyxy_to_cxcywh(box))
    margin = grow * max(w, h)
    t = math.radians(degrees)
    w, h = w * math.cos(t) + h * math.sin(t), w * math.sin(t) + h * math.cos(t)
    if square:
        w = h = max(w, h)
    w, h = w / 2 + margin, h / 2 + margin
    x0, y0 = max(0, math.floor(cx - w)), max(0, math.floor(cy - h))
    x1, y1 = min(size[0], math.ceil(cx + w)), min(size[1], math.ceil(cy + h))
    return x0, y0, x1, y1


def context_window(
    box: tuple, size: tuple[int, int], ratio: float = CONTEXT, minimum: int = 32
) -> tuple[int, int, int, int]:
    """The square window around a mask's box that the painter sees: xyxy in whole pixels.

    Its side is `ratio` times the box's longest side, at least `minimum`; it is pushed inside of a picture of `size`
    (width, height) where it fits, and centred on the picture along a side where it does not. Taught in notebook 04.
    """
    side = max(minimum, math.ceil(ratio * max(box[2] - box[0], box[3] - box[1])))
    window = []
    for low, high, extent in ((box[0], box[2], size[0]), (box[1], box[3], size[1])):
        start = round((low + high - side) / 2)
        start = (extent - side) // 2 if side > extent else min(max(start, 0), extent - side)
        window.append(start)
    return window[0], window[1], window[0] + side, window[1] + side


def shrinkage(side: float, large: float = LARGE, enough: float = ENOUGH) -> int:
    """The whole number that divides a side before it is looked at: 1 up to `large`, then so that at most `enough` pixels are left."""
    return 1 if side <= large else math.ceil(side / enough)


def crop(image: Image.Image, window: tuple[int, int, int, int], times: int = 1) -> Image.Image:
    """The window of a picture; what lies outside of the picture repeats its edge pixels.

    times: how many pixels a side are averaged into one, counted from where the picture begins in the window.
    Taught in notebook 03.
    """
    x0, y0, x1, y1 = window
    inside = (max(x0, 0), max(y0, 0), min(x1, image.width), min(y1, image.height))
    part = image.crop(inside) if times == 1 else image.reduce(times, inside)
    if inside == tuple(window):
        return part
    pixels = np.asarray(part)
    pad = [((inside[k] - window[k]) // times, math.ceil((window[k + 2] - inside[k + 2]) / times)) for k in (1, 0)]
    padded = np.pad(pixels, (*pad, *[(0, 0)] * (pixels.ndim - 2)), mode="edge")
    return Image.fromarray(padded[: math.ceil((y1 - y0) / times), : math.ceil((x1 - x0) / times)])


def rotated(
    picture: Image.Image, degrees: float, centre: tuple[float, float] | None = None, part: tuple[int, int, int, int] | None = None
) -> Image.Image:  # fmt: skip
    """A picture turned counter-clockwise about a point (default: its middle), at its own size; black comes in at the corners.

    Bicubic; a picture of many pixels is turned bilinearly, which costs less, and half a turn only moves its pixels, to the
    nearest half pixel. part: xyxy; in such a picture, what lies outside of it may be left out.
    """
    fine = picture.width * picture.height < SHARP
    if degrees % 360 == 180 and centre and not fine:
        left, top = (round(2 * middle) - extent for middle, extent in zip(centre, picture.size))
        return picture.transpose(Image.Transpose.ROTATE_180).crop((-left, -top, picture.width - left, picture.height - top))
    if fine or part is None:
        return picture.rotate(degrees, Image.Resampling.BICUBIC if fine else Image.Resampling.BILINEAR, center=centre)
    # A point of the result comes from x = c + R^-1 (x' - c); one more pixel on every side, as each is a mixture of four.
    (x, y), (left, top) = centre or (picture.width / 2, picture.height / 2), (part[0] - 1, part[1] - 1)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    corners = [(x + cos * (u - x) + sin * (v - y), y - sin * (u - x) + cos * (v - y)) for u in part[::2] for v in part[1::2]]
    across, down = zip(*corners)
    x0, y0 = max(math.floor(min(across)) - 1, 0), max(math.floor(min(down)) - 1, 0)
    x1, y1 = min(math.ceil(max(across)) + 1, picture.width), min(math.ceil(max(down)) + 1, picture.height)
    back = (cos, -sin, x + cos * (x0 - x) - sin * (y0 - y) - left, sin, cos, y + sin * (x0 - x) + cos * (y0 - y) - top)
    source = picture.crop((left, top, part[2] + 1, part[3] + 1))
    result = Image.new(picture.mode, picture.size)
    result.paste(source.transform((x1 - x0, y1 - y0), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR), (x0, y0))
    return result


def zoom(
    image: Image.Image, window: tuple[int, int, int, int], size: int | tuple[int, int], resample: int = Image.Resampling.LANCZOS,
    mode: str = "edge",
) -> Image.Image:  # fmt: skip
    """The window of a picture at `size` (width, height) pixels; outside of the picture it repeats the edge, or is 0 ("constant").

    size: one number for a square. Only what lies inside is scaled, because the window around a panorama holds many times
    the picture's pixels. Taught in notebook 04.
    """
    part, out, pad = [], [], []
    for low, high, extent, side in zip(window[:2], window[2:], image.size, (size, size) if isinstance(size, int) else size):
        scale = side / (high - low)
        # Whole pixels of the result, and exactly the piece of the picture that they show.
        first, last = math.ceil((max(low, 0) - low) * scale), math.floor((min(high, extent) - low) * scale)
        if last <= first:  # the whole picture is thinner than a pixel
            first = min(int((max(low, 0) - low) * scale), side - 1)
            last, piece = first + 1, (max(low, 0), min(high, extent))
        else:
            piece = (max(low + first / scale, 0), min(low + last / scale, extent))
        part.append(piece)
        out.append(last - first)
        pad.append((first, side - last))
    (x0, x1), (y0, y1) = part
    inner = (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
    box = (x0 - inner[0], y0 - inner[1], x1 - inner[0], y1 - inner[1])
    pixels = np.asarray(image.crop(inner).resize(tuple(out), resample, box, reducing_gap=3))
    return Image.fromarray(np.pad(pixels, (pad[1], pad[0]) + ((0, 0),) * (pixels.ndim - 2), mode=mode))


def square_crop(image: Image.Image, box: np.ndarray, factor: float = CLIP_SIDE) -> Image.Image:
    """The square around a box that CLIP sees: its side is `factor` times the box's longest; beyond 672 pixels it is made smaller.

    Taught in notebook 02.
    """
    cx, cy, w, h = (float(v) for v in xyxy_to_cxcywh(box))
    side = max(2, round(factor * max(w, h)))
    x0, y0 = round(cx - side / 2), round(cy - side / 2)
    # A box at the very border still has pixels to repeat.
    x0, y0 = min(max(x0, 1 - side), image.width - 1), min(max(y0, 1 - side), image.height - 1)
    return crop(image, (x0, y0, x0 + side, y0 + side), shrinkage(side, LARGEST_CROP, CROP))
