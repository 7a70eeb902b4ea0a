"""Draws the small world's things, front and side: chair, cup, umbrella, clock, fire hydrant and suitcase."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from .sprites_pen import Pen, arc, smooth, wheel


def chair_front(pen: Pen) -> None:
    for x in (0.20, 0.71):
        pen.box(x, 0.62, x + 0.09, 0.95, 0.02, "shade")
    pen.box(0.28, 0.80, 0.72, 0.84, 0.01, "deep")
    pen.box(0.21, 0.05, 0.79, 0.60, 0.12)
    for x in (0.31, 0.45, 0.59):
        pen.box(x, 0.14, x + 0.10, 0.46, 0.03, "shade")
    pen.box(0.15, 0.53, 0.85, 0.70, 0.05)
    pen.box(0.19, 0.555, 0.81, 0.59, 0.015, "light", False)


def chair_side(pen: Pen) -> None:
    pen.stroke([(0.30, 0.64), (0.21, 0.92)], 0.06, "shade")
    pen.stroke([(0.73, 0.64), (0.79, 0.92)], 0.06, "shade")
    pen.stroke([(0.27, 0.78), (0.75, 0.78)], 0.03, "deep")
    pen.blob([(0.17, 0.06), (0.29, 0.06), (0.37, 0.32), (0.41, 0.58), (0.27, 0.60), (0.21, 0.32)])
    pen.stroke(smooth([(0.23, 0.12), (0.275, 0.30), (0.31, 0.48)], False), 0.03, "light", False)
    pen.blob([(0.24, 0.52), (0.50, 0.53), (0.76, 0.51), (0.85, 0.58), (0.80, 0.67), (0.50, 0.68), (0.25, 0.67)])
    pen.stroke([(0.44, 0.56), (0.76, 0.555)], 0.025, "light", False)


def _cup_body(pen: Pen, left: float, right: float, rim: float) -> float:
    """The wall of a cup, open at the height `rim`; returns the middle in x."""
    bottom = arc((left + right) / 2, 0.84, 0.38 * (right - left), 0.10, 5, 175)
    pen.polygon([(left, rim), (right, rim), *bottom])
    return (left + right) / 2


def cup_front(pen: Pen) -> None:
    x = _cup_body(pen, 0.12, 0.88, 0.19)
    pen.polygon([*arc(x, 0.43, 0.334, 0.07, 180, 0), *arc(x, 0.62, 0.307, 0.07, 0, 180)], "cream", False)
    pen.oval(x, 0.19, 0.38, 0.14, "light")
    pen.oval(x, 0.21, 0.295, 0.085, "deep")
    pen.box(x - 0.08, 0.41, x + 0.08, 0.80, 0.08)
    pen.box(x - 0.04, 0.47, x, 0.72, 0.02, "light", False)
    pen.stroke([(0.215, 0.36), (0.245, 0.78)], 0.03, "light", False)


def cup_side(pen: Pen) -> None:
    pen.stroke(arc(0.64, 0.47, 0.25, 0.23, -85, 85), 0.075)
    x = _cup_body(pen, 0.05, 0.70, 0.11)
    pen.polygon([(0.122, 0.66), (0.628, 0.66), (0.619, 0.75), (0.131, 0.75)], "cream", False)
    pen.oval(x, 0.11, 0.325, 0.045, "deep")
    pen.stroke([(0.145, 0.23), (0.175, 0.58)], 0.035, "light", False)


def umbrella_front(pen: Pen) -> None:
    pen.stroke([(0.50, 0.40), (0.50, 0.92)], 0.03, "metal")
    pen.box(0.455, 0.80, 0.545, 0.95, 0.035, "tyre")
    pen.stroke([(0.50, 0.06), (0.50, 0.14)], 0.025, "metal")
    edge = [0.05, 0.23, 0.41, 0.59, 0.77, 0.95]
    scallops = [xy for a, b in pairwise(edge) for xy in arc((a + b) / 2, 0.54, (b - a) / 2, 0.07, 180, 360, 12)]
    pen.polygon([*arc(0.50, 0.54, 0.45, 0.43, 360, 180, 40), *scallops])
    for a, b in ((edge[1], edge[2]), (edge[3], edge[4])):
        panel = smooth([(0.50, 0.115), (a + 0.3 * (0.5 - a), 0.28), (a, 0.53)], False)
        panel += arc((a + b) / 2, 0.53, (b - a) / 2, 0.07, 180, 360, 12)
        panel += smooth([(b, 0.53), (b + 0.3 * (0.5 - b), 0.28), (0.50, 0.115)], False)
        pen.polygon(panel, "shade", False)
    for x in edge[1:-1]:
        pen.stroke(smooth([(0.50, 0.115), (x + 0.3 * (0.5 - x), 0.28), (x, 0.53)], False), 0.014, "line", False)
    pen.stroke(arc(0.50, 0.54, 0.38, 0.36, 205, 240), 0.03, "light", False)


def umbrella_side(pen: Pen) -> None:
    pen.stroke([(0.27, 0.11), (0.31, 0.20)], 0.025, "metal")
    rim = smooth([(0.04, 0.45), (0.22, 0.41), (0.52, 0.44), (0.78, 0.51), (0.95, 0.63)], False)
    under = smooth([(0.95, 0.63), (0.70, 0.64), (0.40, 0.59), (0.16, 0.52), (0.04, 0.45)], False)
    pen.polygon([*rim, *under], "deep")
    hook = [(0.43, 0.84), *arc(0.54, 0.84, 0.11, 0.09, 180, 0, 16)]
    pen.stroke([(0.43, 0.45), (0.43, 0.80)], 0.035, "metal")
    pen.stroke([(0.43, 0.76), *hook], 0.05, "tyre")
    dome = smooth([(0.04, 0.45), (0.11, 0.29), (0.31, 0.17), (0.57, 0.18), (0.81, 0.34), (0.95, 0.63)], False)
    pen.polygon([*dome, *reversed(rim)])
    for x, y, knee in ((0.30, 0.415, (0.26, 0.28)), (0.66, 0.475, (0.55, 0.29))):
        pen.stroke(smooth([(0.31, 0.17), knee, (x, y)], False), 0.014, "line", False)
    pen.stroke(smooth([(0.43, 0.21), (0.59, 0.25), (0.75, 0.36)], False), 0.03, "light", False)


def clock_front(pen: Pen) -> None:
    for side in (-1, 1):
        pen.stroke([(0.5 + side * 0.20, 0.80), (0.5 + side * 0.29, 0.93)], 0.06, "shade")
        pen.stroke([(0.5 + side * 0.18, 0.30), (0.5 + side * 0.25, 0.16)], 0.03, "metal")
        bell = np.array(arc(0.0, 0.0, 0.16, 0.14, 180, 360)) @ np.array([[0.82, side * 0.57], [-side * 0.57, 0.82]])
        pen.polygon([(0.5 + side * 0.25 + x, 0.19 + y) for x, y in bell])
    pen.stroke([(0.50, 0.10), (0.50, 0.22)], 0.03, "metal")
    pen.oval(0.50, 0.095, 0.045, tone="metal")
    pen.oval(0.50, 0.55, 0.375)
    pen.stroke(arc(0.50, 0.55, 0.32, 0.32, 190, 255), 0.03, "light", False)
    pen.oval(0.50, 0.55, 0.255, tone="cream")
    for hour in range(0, 360, 30):
        mark = 0.030 if hour % 90 else 0.055
        c, s = math.cos(math.radians(hour)), math.sin(math.radians(hour))
        ends = [(0.5 + r * c, 0.55 + r * s) for r in (0.225 - mark, 0.225)]
        pen.stroke(ends, 0.018, "tyre", False)
    pen.stroke([(0.50, 0.55), (0.50, 0.38)], 0.028, "tyre", False)
    pen.stroke([(0.50, 0.55), (0.61, 0.48)], 0.036, "tyre", False)
    pen.oval(0.50, 0.55, 0.03, tone="tyre", line=False)


def clock_side(pen: Pen) -> None:
    pen.stroke([(0.36, 0.82), (0.31, 0.93)], 0.055, "shade")
    pen.stroke([(0.58, 0.82), (0.62, 0.93)], 0.055, "shade")
    pen.stroke([(0.23, 0.52), (0.36, 0.52)], 0.03, "metal")
    pen.oval(0.20, 0.46, 0.05, 0.06, "metal")
    pen.oval(0.20, 0.58, 0.05, 0.06, "metal")
    pen.stroke([(0.47, 0.17), (0.47, 0.24)], 0.03, "metal")
    pen.polygon([*arc(0.47, 0.165, 0.16, 0.115, 180, 360)])
    pen.blob([(0.64, 0.27), (0.73, 0.38), (0.76, 0.54), (0.73, 0.70), (0.64, 0.81)], "glass")
    pen.box(0.32, 0.22, 0.66, 0.86, 0.08)
    pen.box(0.58, 0.20, 0.68, 0.88, 0.04, "shade")
    pen.box(0.38, 0.29, 0.42, 0.78, 0.02, "light", False)
    pen.box(0.47, 0.40, 0.53, 0.68, 0.02, "deep", False)


def _hydrant_trunk(pen: Pen, x: float) -> None:
    pen.box(x - 0.05, 0.05, x + 0.05, 0.14, 0.01, "metal")
    pen.box(x - 0.17, 0.30, x + 0.17, 0.86, 0.02)
    pen.box(x - 0.14, 0.32, x - 0.10, 0.82, 0.01, "light", False)
    pen.polygon([*arc(x, 0.28, 0.19, 0.17, 180, 360)])
    pen.box(x - 0.22, 0.27, x + 0.22, 0.34, 0.02, "shade")
    pen.box(x - 0.24, 0.85, x + 0.24, 0.95, 0.02, "shade")


def hydrant_front(pen: Pen) -> None:
    for x, cap in ((0.22, 0.13), (0.64, 0.77)):
        pen.box(x, 0.41, x + 0.14, 0.54, 0.01)
        pen.box(cap, 0.38, cap + 0.10, 0.57, 0.02, "shade")
    _hydrant_trunk(pen, 0.50)
    pen.oval(0.50, 0.56, 0.135)
    pen.oval(0.50, 0.56, 0.085, tone="metal")
    pen.oval(0.50, 0.56, 0.03, tone="tyre", line=False)


def hydrant_side(pen: Pen) -> None:
    pen.box(0.56, 0.45, 0.74, 0.67, 0.01)
    pen.box(0.73, 0.41, 0.82, 0.71, 0.02, "shade")
    pen.box(0.82, 0.51, 0.87, 0.61, 0.01, "metal")
    _hydrant_trunk(pen, 0.43)
    pen.polygon(arc(0.43, 0.475, 0.095, 0.095, 0, 300, 6), "shade")
    pen.oval(0.43, 0.475, 0.03, tone="metal")
    pen.stroke(smooth([(0.43, 0.60), (0.48, 0.74), (0.60, 0.76), (0.72, 0.69)], False), 0.018, "metal")


def suitcase_front(pen: Pen) -> None:
    pen.stroke([(0.36, 0.30), (0.36, 0.17), (0.64, 0.17), (0.64, 0.30)], 0.05, "tyre")
    for x in (0.14, 0.76):
        pen.box(x, 0.82, x + 0.10, 0.88, 0.02, "tyre")
    pen.box(0.05, 0.27, 0.95, 0.84, 0.07)
    pen.box(0.11, 0.305, 0.89, 0.335, 0.015, "light", False)
    for x in (0.17, 0.73):
        pen.box(x, 0.275, x + 0.10, 0.835, 0.0, "deep")
        pen.box(x + 0.01, 0.38, x + 0.09, 0.47, 0.01, "metal")
    pen.box(0.41, 0.38, 0.59, 0.47, 0.02, "cream", False)
    pen.box(0.34, 0.55, 0.66, 0.77, 0.03, "shade")
    pen.stroke([(0.40, 0.61), (0.60, 0.61)], 0.016, "line", False)


def suitcase_side(pen: Pen) -> None:
    for x in (0.57, 0.65):
        pen.stroke([(x, 0.08), (x, 0.34)], 0.022, "metal")
    pen.stroke([(0.54, 0.07), (0.76, 0.07)], 0.05, "tyre")
    pen.box(0.27, 0.88, 0.35, 0.945, 0.01, "tyre")
    pen.box(0.22, 0.30, 0.72, 0.90, 0.07)
    pen.box(0.27, 0.37, 0.31, 0.82, 0.02, "light", False)
    pen.stroke([(0.47, 0.31), (0.47, 0.89)], 0.03, "line", False)
    pen.stroke([(0.40, 0.30), (0.40, 0.25), (0.30, 0.25), (0.30, 0.30)], 0.025, "tyre")
    for y in (0.46, 0.66):
        pen.box(0.53, y, 0.66, y + 0.08, 0.02, "deep", False)
    wheel(pen, 0.70, 0.87, 0.08)
