"""A pen for the small world's objects: shapes in unit coordinates, tones instead of colours.

Unit coordinates run from 0 to 1, x to the right and y downwards. A drawing names tones ("body", "shade", "glass"),
never colours, so that one drawing serves all eight colours.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from ..vocabulary import COLOUR_RGB

OUTLINE = 0.025  # width of the dark outline, as a fraction of the canvas

# Accents are nearly grey on purpose: a hue histogram must see the object's own colour and nothing else.
_ACCENTS = {
    "glass": (198, 212, 222),
    "tyre": (64, 66, 72),
    "metal": (160, 165, 172),
    "cream": (246, 238, 212),
    "ink": (36, 36, 42),
    "eye": (30, 30, 36),
}
_ACCENTS_ON_WHITE = {"glass": (136, 150, 162), "metal": (138, 142, 150), "cream": (190, 186, 170)}
_ACCENTS_ON_BLACK = {
    "glass": (158, 172, 184), "tyre": (98, 100, 106), "metal": (148, 152, 158), "cream": (222, 216, 194),
    "ink": (16, 16, 20), "eye": (235, 232, 220),
}  # fmt: skip


def _tones(colour: str) -> dict[str, tuple[int, int, int]]:
    """All tones of a drawing in one colour: the body's own five and the accents."""
    if colour == "white":
        own = {"light": (255, 255, 255), "shade": (216, 216, 216), "deep": (186, 187, 190), "line": (92, 92, 98)}
        return {"body": COLOUR_RGB[colour], **own, **_ACCENTS, **_ACCENTS_ON_WHITE}
    if colour == "black":
        own = {"light": (92, 92, 100), "shade": (64, 64, 70), "deep": (28, 28, 32), "line": (112, 112, 120)}
        return {"body": COLOUR_RGB[colour], **own, **_ACCENTS, **_ACCENTS_ON_BLACK}
    body = np.array(COLOUR_RGB[colour], dtype=float)
    own = {"body": body, "light": body + 0.42 * (255 - body), "shade": 0.82 * body, "deep": 0.64 * body}
    own["line"] = 0.38 * body
    return {name: tuple(int(round(value)) for value in tone) for name, tone in own.items()} | _ACCENTS


def arc(cx, cy, rx, ry, start, end, steps=24):
    """Points along an ellipse. Angles are in degrees, 0 to the right, growing clockwise on the screen (y is down)."""
    angles = np.radians(np.linspace(start, end, steps))
    return [(cx + rx * math.cos(a), cy + ry * math.sin(a)) for a in angles]


def smooth(points, closed=True, steps=8):
    """A Catmull-Rom curve through the points."""
    p = np.array(points, dtype=float)
    if closed:
        a, b, c, d = np.roll(p, 1, 0), p, np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        q = np.concatenate([p[:1], p, p[-1:]])
        a, b, c, d = q[:-3], q[1:-2], q[2:-1], q[3:]
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (part[:, None] for part in (a, b, c, d))
    curve = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    curve = curve.reshape(-1, 2)
    return [tuple(xy) for xy in (curve if closed else np.concatenate([curve, p[-1:]]))]


class Pen:
    """Draws shapes in unit coordinates; `line=False` leaves out the outline (for details inside a shape)."""

    def __init__(self, pixels: int, colour: str):
        self.pixels, self.tones, self.width = pixels, _tones(colour), max(1, round(OUTLINE * pixels))
        self.image = Image.new("RGBA", (pixels, pixels))
        self.draw = ImageDraw.Draw(self.image)

    def _px(self, points):
        return [(x * self.pixels, y * self.pixels) for x, y in points]

    def polygon(self, points, tone="body", line=True):
        points = self._px(points)
        self.draw.polygon(points, fill=self.tones[tone])
        if line:
            self.draw.line([*points, points[0], points[1]], fill=self.tones["line"], width=self.width, joint="curve")

    def blob(self, points, tone="body", line=True):
        self.polygon(smooth(points), tone, line)

    def oval(self, x, y, rx, ry=None, tone="body", line=True):
        ry, edge = rx if ry is None else ry, self.width / self.pixels / 2
        if line:
            self._ellipse(x, y, rx + edge, ry + edge, "line")
            rx, ry = rx - edge, ry - edge
        self._ellipse(x, y, rx, ry, tone)

    def _ellipse(self, x, y, rx, ry, tone):
        self.draw.ellipse(self._px([(x - rx, y - ry), (x + rx, y + ry)]), fill=self.tones[tone])

    def box(self, x0, y0, x1, y1, radius=0.03, tone="body", line=True):
        edge = self.width / self.pixels / 2 if line else 0.0
        if line:
            corners = self._px([(x0 - edge, y0 - edge), (x1 + edge, y1 + edge)])
            self.draw.rounded_rectangle(corners, (radius + edge) * self.pixels, fill=self.tones["line"])
        corners = self._px([(x0 + edge, y0 + edge), (x1 - edge, y1 - edge)])
        self.draw.rounded_rectangle(corners, max(0.0, radius - edge) * self.pixels, fill=self.tones[tone])

    def stroke(self, points, width, tone="body", line=True):
        """A thick line with round ends; `width` is in units, its outline comes on top."""
        if line:
            self.stroke(points, width + 2 * self.width / self.pixels, "line", False)
        points, pixels, ink = self._px(points), width * self.pixels, self.tones[tone]
        self.draw.line(points, fill=ink, width=max(1, round(pixels)), joint="curve")
        for x, y in (points[0], points[-1]):
            self.draw.ellipse((x - pixels / 2, y - pixels / 2, x + pixels / 2, y + pixels / 2), fill=ink)


def wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    """A tyre with its hub."""
    pen.oval(x, y, radius, tone="tyre")
    pen.oval(x, y, 0.5 * radius, tone="metal", line=False)
    pen.oval(x, y, 0.17 * radius, tone="tyre", line=False)
