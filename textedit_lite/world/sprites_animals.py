"""Draws the small world's animals: teddy bear and bird, from the front and from the side."""

from __future__ import annotations

from .sprites_pen import Pen, smooth


def teddy_front(pen: Pen) -> None:
    for side in (-1, 1):
        pen.oval(0.5 + side * 0.20, 0.14, 0.095)
        pen.oval(0.5 + side * 0.20, 0.14, 0.05, tone="light", line=False)
        pen.stroke([(0.5 + side * 0.20, 0.52), (0.5 + side * 0.33, 0.64)], 0.12)
    pen.oval(0.50, 0.66, 0.25, 0.26)
    pen.oval(0.50, 0.66, 0.15, 0.17, "light", False)
    for side in (-1, 1):
        pen.oval(0.5 + side * 0.23, 0.84, 0.13, 0.115)
        pen.oval(0.5 + side * 0.24, 0.85, 0.07, 0.06, "shade", False)
    pen.oval(0.50, 0.28, 0.25, 0.22)
    pen.oval(0.50, 0.35, 0.12, 0.095, "cream", False)
    pen.oval(0.50, 0.315, 0.045, 0.033, "ink", False)
    pen.stroke([(0.50, 0.33), (0.50, 0.37), *smooth([(0.54, 0.40), (0.50, 0.37), (0.46, 0.40)], False)], 0.014, "ink",
               False)  # fmt: skip
    for x in (0.39, 0.61):
        pen.oval(x, 0.24, 0.032, tone="eye", line=False)
    pen.polygon([(0.50, 0.49), (0.38, 0.44), (0.38, 0.54)], "metal")
    pen.polygon([(0.50, 0.49), (0.62, 0.44), (0.62, 0.54)], "metal")


def teddy_side(pen: Pen) -> None:
    pen.oval(0.20, 0.80, 0.07)
    pen.blob([(0.38, 0.40), (0.55, 0.42), (0.64, 0.60), (0.60, 0.82), (0.45, 0.93), (0.28, 0.88), (0.22, 0.70),
              (0.28, 0.50)])  # fmt: skip
    pen.stroke([(0.44, 0.84), (0.70, 0.86)], 0.14)
    pen.oval(0.78, 0.83, 0.075, 0.115)
    pen.oval(0.79, 0.83, 0.04, 0.075, "shade", False)
    pen.oval(0.64, 0.33, 0.13, 0.105, "cream")
    pen.oval(0.43, 0.27, 0.23, 0.22)
    pen.oval(0.66, 0.34, 0.105, 0.085, "cream", False)
    pen.oval(0.755, 0.30, 0.04, 0.035, "ink", False)
    pen.stroke([(0.74, 0.375), (0.66, 0.39)], 0.014, "ink", False)
    pen.oval(0.56, 0.22, 0.032, tone="eye", line=False)
    pen.oval(0.32, 0.13, 0.095)
    pen.oval(0.33, 0.14, 0.05, tone="light", line=False)
    pen.stroke([(0.40, 0.57), (0.64, 0.66)], 0.12)


def bird_front(pen: Pen) -> None:
    for x in (0.40, 0.60):
        pen.stroke([(x, 0.80), (x, 0.91)], 0.022, "tyre")
        pen.stroke([(x - 0.06, 0.93), (x, 0.90), (x + 0.06, 0.93)], 0.022, "tyre")
    for side in (-1, 1):
        wing = [(0.24, 0.40), (0.38, 0.52), (0.36, 0.72), (0.26, 0.84), (0.15, 0.62)]
        pen.blob([(0.5 - side * (0.5 - x), y) for x, y in wing], "shade")
    pen.polygon([(0.50, 0.04), (0.56, 0.14), (0.44, 0.14)])
    pen.blob([(0.50, 0.08), (0.69, 0.17), (0.71, 0.36), (0.77, 0.58), (0.69, 0.78), (0.50, 0.85), (0.31, 0.78),
              (0.23, 0.58), (0.29, 0.36), (0.31, 0.17)])  # fmt: skip
    pen.oval(0.50, 0.64, 0.17, 0.17, "light", False)
    for x in (0.40, 0.60):
        pen.oval(x, 0.25, 0.06, tone="cream")
        pen.oval(x, 0.255, 0.03, tone="ink", line=False)
    pen.polygon([(0.43, 0.33), (0.57, 0.33), (0.50, 0.46)], "metal")


def bird_side(pen: Pen) -> None:
    for x in (0.46, 0.57):
        pen.stroke([(x, 0.72), (x + 0.01, 0.85)], 0.022, "tyre")
        pen.stroke([(x - 0.02, 0.86), (x + 0.08, 0.86)], 0.022, "tyre")
    pen.polygon([(0.30, 0.52), (0.05, 0.58), (0.04, 0.66), (0.12, 0.70), (0.32, 0.66)], "shade")
    pen.polygon([(0.84, 0.25), (0.96, 0.31), (0.84, 0.36)], "metal")
    pen.blob([(0.70, 0.14), (0.83, 0.19), (0.87, 0.31), (0.80, 0.44), (0.78, 0.60), (0.64, 0.74), (0.44, 0.75),
              (0.26, 0.66), (0.24, 0.56), (0.40, 0.46), (0.54, 0.34), (0.58, 0.20)])  # fmt: skip
    pen.blob([(0.76, 0.46), (0.75, 0.60), (0.62, 0.70), (0.52, 0.71), (0.64, 0.62), (0.70, 0.52)], "light", False)
    wing = [(0.60, 0.46), (0.62, 0.56), (0.50, 0.65), (0.30, 0.66), (0.14, 0.60), (0.34, 0.53), (0.48, 0.45)]
    pen.blob(wing, "shade")
    pen.stroke([(0.34, 0.60), (0.50, 0.57)], 0.014, "line", False)
    pen.oval(0.74, 0.26, 0.05, tone="cream")
    pen.oval(0.75, 0.26, 0.026, tone="ink", line=False)
