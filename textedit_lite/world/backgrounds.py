"""Draws the places of the small world: a road, a meadow, the sea, snow, a room, a kitchen, and patterned walls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

# Backgrounds keep to pale or greyish tones, so that the eight object colours stand out from all of them.


@dataclass(frozen=True)
class Background:
    """A place: its kind, the seed of its colours and shapes, and where its ground begins (fraction of the height)."""

    kind: str
    seed: int
    horizon: float | None  # None: a wall or a pattern, on which things hang instead of standing


def _tint(rng: np.random.Generator, base: tuple[int, int, int], spread: int = 14) -> np.ndarray:
    """A colour near `base`: float32 [3], 0 to 255."""
    common = rng.uniform(-spread, spread)
    return np.clip(np.array(base) + common + rng.uniform(-spread / 2, spread / 2, 3), 0, 255).astype(np.float32)


def _vertical(width: int, height: int, top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    """A vertical gradient, uint8 [height, width, 3]."""
    t = np.linspace(0, 1, max(height, 1), dtype=np.float32)[:, None]
    rows = top * (1 - t) + bottom * t
    return np.broadcast_to(np.rint(rows)[:, None], (len(t), width, 3)).astype(np.uint8)


def _split(width: int, height: int, horizon: int, colours: list[np.ndarray]) -> Image.Image:
    """Two vertical gradients that meet at the horizon: (top, bottom) above it and (top, bottom) below it."""
    above = _vertical(width, horizon, colours[0], colours[1])
    below = _vertical(width, height - horizon, colours[2], colours[3])
    return Image.fromarray(np.concatenate([above, below]))


def _paint(tone: np.ndarray, factor: float = 1.0) -> tuple[int, int, int]:
    return tuple(int(v) for v in np.clip(tone * factor, 0, 255))


def _clouds(draw: ImageDraw.ImageDraw, rng: np.random.Generator, width: int, horizon: int) -> None:
    for _ in range(rng.integers(1, 4)):
        x, y, r = rng.uniform(0, width), rng.uniform(0.15, 0.6) * horizon, rng.uniform(0.10, 0.2) * horizon
        for dx, scale in ((-1.3, 0.7), (0, 1), (1.3, 0.8)):
            draw.ellipse([x + dx * r - r * scale * 1.2, y - r * scale, x + dx * r + r * scale * 1.2, y + r * scale * 0.7],
                         fill=(236, 241, 246))


def _road(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    sky, road = _tint(rng, (176, 203, 224)), _tint(rng, (128, 128, 134))
    image = _split(width, height, horizon, [sky, sky * 0.4 + 150, road * 0.92, road * 1.1])
    draw = ImageDraw.Draw(image)
    _clouds(draw, rng, width, horizon)
    x = -rng.uniform(0, 0.1) * width
    while x < width:  # a skyline of pale houses
        w, h = rng.uniform(0.10, 0.2) * width, rng.uniform(0.15, 0.5) * horizon
        tone = _tint(rng, (182, 178, 178), 16)
        draw.rectangle([x, horizon - h, x + w, horizon], fill=_paint(tone))
        for row in range(1, int(h / (0.09 * height)) + 1):
            y = horizon - h + (row - 0.6) * 0.09 * height
            draw.rectangle([x + 0.2 * w, y, x + 0.4 * w, y + 0.035 * height], fill=_paint(tone, 0.86))
            draw.rectangle([x + 0.6 * w, y, x + 0.8 * w, y + 0.035 * height], fill=_paint(tone, 0.86))
        x += w
    kerb = horizon + 0.03 * height
    draw.rectangle([0, horizon, width, kerb], fill=_paint(road, 1.35))
    lane = horizon + rng.uniform(0.5, 0.65) * (height - horizon)
    for i in range(-1, 7):
        start = (i + rng.uniform(0, 0.05)) * 0.2 * width
        draw.rectangle([start, lane, start + 0.1 * width, lane + 0.016 * height], fill=_paint(road, 1.6))
    return image


def _hills(image: Image.Image, horizon: int, tone: np.ndarray, rng: np.random.Generator) -> None:
    width = image.width
    x = np.linspace(0, width, 40)
    ridge = np.sin(x / width * rng.uniform(5, 9) + rng.uniform(0, 6)) * 0.5 + 0.6
    points = [(0, horizon + 1), *zip(x, horizon - ridge * 0.22 * horizon), (width, horizon + 1)]
    ImageDraw.Draw(image).polygon([(float(a), float(b)) for a, b in points], fill=_paint(tone))


def _meadow(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    sky, grass = _tint(rng, (180, 208, 226)), _tint(rng, (158, 186, 130))
    image = _split(width, height, horizon, [sky, sky * 0.5 + 120, grass * 1.05, grass * 0.88])
    _clouds(ImageDraw.Draw(image), rng, width, int(horizon * 0.8))
    _hills(image, horizon, grass * 0.82 + 20, rng)
    return image


def _sea(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    sky, water = _tint(rng, (232, 214, 196)), _tint(rng, (132, 172, 186))
    image = _split(width, height, horizon, [sky * 0.9, sky, water * 0.92, water * 1.1])
    draw = ImageDraw.Draw(image)
    _clouds(draw, rng, width, horizon)
    for _ in range(14):  # short crests, longer towards the viewer
        depth = rng.uniform(0.05, 1)
        y, length = horizon + depth * (height - horizon), (0.04 + 0.1 * depth) * width
        x = rng.uniform(-0.1, 1) * width
        draw.line([x, y, x + length, y], fill=_paint(water, 1.18), width=max(1, round(0.008 * height)))
    return image


def _snow(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    sky, snow = _tint(rng, (168, 186, 206)), _tint(rng, (216, 222, 230), 8)
    image = _split(width, height, horizon, [sky, sky * 0.5 + 105, snow * 0.97, snow * 0.9])
    _hills(image, horizon, snow * 0.86, rng)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 6)):  # grey firs
        x, h = rng.uniform(0, width), rng.uniform(0.2, 0.4) * horizon
        draw.polygon([(x, horizon - h), (x - 0.3 * h, horizon), (x + 0.3 * h, horizon)], fill=_paint(sky, 0.72))
    return image


def _room(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    wall, floor = _tint(rng, (206, 196, 180)), _tint(rng, (168, 142, 118))
    image = _split(width, height, horizon, [wall, wall * 0.93, floor * 0.9, floor * 1.1])
    draw = ImageDraw.Draw(image)
    vanishing = rng.uniform(0.3, 0.7) * width
    for i in range(-8, 17):  # floor boards
        x = i * 0.125 * width
        draw.line([vanishing + (x - vanishing) * 0.45, horizon, vanishing + (x - vanishing) * 1.6, height],
                  fill=_paint(floor, 0.86), width=max(1, round(0.006 * height)))
    draw.rectangle([0, horizon - 0.03 * height, width, horizon], fill=_paint(wall, 1.1))
    x, y = rng.uniform(0.1, 0.6) * width, rng.uniform(0.12, 0.3) * horizon
    draw.rectangle([x, y, x + 0.28 * width, y + 0.5 * horizon], fill=(226, 228, 228))
    draw.rectangle([x + 0.02 * width, y + 0.02 * height, x + 0.26 * width, y + 0.5 * horizon - 0.02 * height],
                   fill=_paint(_tint(rng, (176, 200, 212))))
    return image


def _kitchen(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    tile, board = _tint(rng, (198, 208, 204)), _tint(rng, (186, 164, 140))
    image = _split(width, height, horizon, [tile, tile * 0.95, board * 1.08, board * 0.92])
    draw = ImageDraw.Draw(image)
    side = rng.uniform(0.09, 0.13) * min(width, height)
    joint = max(1, round(0.007 * height))
    for y in np.arange(horizon, 0, -side):
        draw.line([0, y, width, y], fill=_paint(tile, 1.12), width=joint)
    for x in np.arange(rng.uniform(0, side), width, side):
        draw.line([x, 0, x, horizon], fill=_paint(tile, 1.12), width=joint)
    draw.rectangle([0, horizon, width, horizon + 0.02 * height], fill=_paint(board, 0.8))
    return image


def _gradient(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    first, second = _tint(rng, (176, 176, 180), 40), _tint(rng, (176, 176, 180), 40)
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    angle = rng.uniform(0, 2 * np.pi)
    t = (x * np.float32(np.cos(angle)) + y * np.float32(np.sin(angle)))[..., None] / 2.8 + 0.5
    return Image.fromarray(np.rint(first * (1 - t) + second * t).clip(0, 255).astype(np.uint8))


def _stripes(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    tone = _tint(rng, (196, 190, 186), 24)
    image = Image.new("RGB", (width, height), _paint(tone))
    draw = ImageDraw.Draw(image)
    pitch = rng.uniform(0.12, 0.25) * min(width, height)
    if rng.random() < 0.5:
        for x in np.arange(rng.uniform(-1, 0) * pitch, width, pitch):
            draw.rectangle([x, 0, x + pitch / 2, height], fill=_paint(tone, 0.9))
    else:
        for y in np.arange(rng.uniform(-1, 0) * pitch, height, pitch):
            draw.rectangle([0, y, width, y + pitch / 2], fill=_paint(tone, 0.9))
    return image


def _checks(width: int, height: int, horizon: int, rng: np.random.Generator) -> Image.Image:
    tone = _tint(rng, (190, 194, 196), 24)
    side = rng.uniform(0.1, 0.2) * min(width, height)
    ox, oy = rng.uniform(0, side, 2)
    even = ((np.arange(width) + ox) // side).astype(int)[None] + ((np.arange(height) + oy) // side).astype(int)[:, None]
    pair = np.array([_paint(tone), _paint(tone, 0.9)], np.uint8)
    return Image.fromarray(pair[even % 2])


# kind -> (painter, range of the horizon or None, the words of a caption)
KINDS: dict[str, tuple[Callable, tuple[float, float] | None, str]] = {
    "road": (_road, (0.34, 0.46), "on a road"),
    "meadow": (_meadow, (0.3, 0.45), "in a meadow"),
    "sea": (_sea, (0.28, 0.42), "at the sea"),
    "snow": (_snow, (0.3, 0.45), "in the snow"),
    "room": (_room, (0.45, 0.58), "in a room"),
    "kitchen": (_kitchen, (0.42, 0.58), "in a kitchen"),
    "gradient": (_gradient, None, "on a plain ground"),
    "stripes": (_stripes, None, "on striped paper"),
    "checks": (_checks, None, "on chequered paper"),
}


def make_background(rng: np.random.Generator) -> Background:
    """A background drawn by lot."""
    kind = str(rng.choice(list(KINDS)))
    bounds = KINDS[kind][1]
    return Background(kind, int(rng.integers(2**31)), float(rng.uniform(*bounds)) if bounds else None)


def draw_background(background: Background, width: int, height: int) -> Image.Image:
    """Draw a background at `width` x `height` pixels, RGB.

    Shapes are fractions of the picture, so any size shows the same place.
    """
    paint = KINDS[background.kind][0]
    horizon = round((background.horizon or 0.5) * height)
    return paint(width, height, horizon, np.random.default_rng(background.seed))
