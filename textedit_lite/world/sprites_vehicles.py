"""Draws the small world's vehicles: car, bus, boat and airplane, from the front and from the side."""

from __future__ import annotations

from .sprites_pen import Pen, smooth, wheel


def car_front(pen: Pen) -> None:
    for x in (0.09, 0.73):
        pen.box(x, 0.72, x + 0.18, 0.92, 0.04, "tyre")
    for x in (0.05, 0.85):
        pen.box(x, 0.33, x + 0.10, 0.42, 0.03, "shade")
    pen.blob([(0.24, 0.11), (0.50, 0.08), (0.76, 0.11), (0.87, 0.46), (0.50, 0.52), (0.13, 0.46)])
    pen.polygon([(0.30, 0.19), (0.70, 0.19), (0.77, 0.40), (0.23, 0.40)], "glass")
    pen.polygon([(0.35, 0.205), (0.44, 0.205), (0.37, 0.385), (0.28, 0.385)], "cream", False)
    pen.box(0.05, 0.44, 0.95, 0.84, 0.09)
    pen.box(0.14, 0.465, 0.86, 0.50, 0.015, "light", False)
    for x in (0.17, 0.83):
        pen.oval(x, 0.61, 0.075, tone="cream")
    pen.box(0.34, 0.57, 0.66, 0.66, 0.03, "tyre", False)
    pen.box(0.065, 0.735, 0.935, 0.80, 0.02, "shade", False)
    pen.box(0.42, 0.725, 0.58, 0.80, 0.01, "metal", False)


def car_side(pen: Pen) -> None:
    pen.polygon([(0.04, 0.66), (0.04, 0.48), (0.09, 0.42), (0.19, 0.39), (0.30, 0.19), (0.36, 0.16), (0.57, 0.16),
                 (0.63, 0.19), (0.74, 0.39), (0.90, 0.43), (0.96, 0.50), (0.96, 0.70), (0.05, 0.70)])  # fmt: skip
    pen.polygon([(0.27, 0.38), (0.36, 0.22), (0.44, 0.22), (0.44, 0.38)], "glass")
    pen.polygon([(0.49, 0.22), (0.575, 0.22), (0.66, 0.38), (0.49, 0.38)], "glass")
    pen.box(0.06, 0.60, 0.95, 0.685, 0.01, "shade", False)
    pen.box(0.09, 0.435, 0.82, 0.465, 0.01, "light", False)
    pen.stroke([(0.465, 0.40), (0.465, 0.68)], 0.014, "line", False)
    pen.box(0.50, 0.495, 0.57, 0.52, 0.01, "line", False)
    pen.oval(0.915, 0.52, 0.042, tone="cream")
    pen.box(0.035, 0.48, 0.09, 0.54, 0.01, "deep")
    for x in (0.24, 0.76):
        wheel(pen, x, 0.70, 0.12)


def bus_front(pen: Pen) -> None:
    for x in (0.19, 0.66):
        pen.box(x, 0.80, x + 0.15, 0.95, 0.03, "tyre")
    for x in (0.08, 0.84):
        pen.box(x, 0.26, x + 0.08, 0.42, 0.03, "shade")
    pen.box(0.14, 0.05, 0.86, 0.88, 0.09)
    pen.box(0.33, 0.095, 0.67, 0.155, 0.015, "cream", False)
    pen.box(0.21, 0.21, 0.79, 0.45, 0.04, "glass")
    pen.polygon([(0.29, 0.225), (0.39, 0.225), (0.31, 0.435), (0.25, 0.435)], "cream", False)
    pen.stroke([(0.50, 0.22), (0.50, 0.44)], 0.022, "line", False)
    pen.box(0.155, 0.51, 0.845, 0.56, 0.0, "light", False)
    for x in (0.25, 0.75):
        pen.oval(x, 0.68, 0.06, tone="cream")
    pen.box(0.38, 0.65, 0.62, 0.71, 0.02, "tyre", False)
    pen.box(0.155, 0.79, 0.845, 0.86, 0.04, "shade", False)


def bus_side(pen: Pen) -> None:
    pen.box(0.30, 0.185, 0.52, 0.25, 0.02, "shade")
    pen.polygon([(0.04, 0.26), (0.07, 0.22), (0.89, 0.22), (0.92, 0.25), (0.96, 0.48), (0.96, 0.72), (0.04, 0.72)])
    for x in (0.09, 0.25, 0.41, 0.57):
        pen.box(x, 0.29, x + 0.12, 0.44, 0.02, "glass")
    pen.polygon([(0.87, 0.29), (0.905, 0.29), (0.935, 0.47), (0.87, 0.47)], "glass")
    pen.box(0.73, 0.29, 0.83, 0.69, 0.02, "glass")
    pen.stroke([(0.78, 0.30), (0.78, 0.68)], 0.016, "line", False)
    pen.box(0.055, 0.49, 0.70, 0.53, 0.0, "light", False)
    pen.box(0.055, 0.63, 0.70, 0.71, 0.0, "shade", False)
    pen.oval(0.93, 0.60, 0.032, tone="cream")
    for x in (0.22, 0.62):
        wheel(pen, x, 0.72, 0.105)


def boat_front(pen: Pen) -> None:
    pen.stroke([(0.50, 0.06), (0.50, 0.24)], 0.025, "metal")
    pen.box(0.41, 0.13, 0.59, 0.30, 0.02, "shade")
    pen.box(0.42, 0.17, 0.58, 0.21, 0.0, "cream", False)
    pen.box(0.28, 0.27, 0.72, 0.56, 0.04)
    for x in (0.33, 0.53):
        pen.box(x, 0.33, x + 0.14, 0.45, 0.02, "glass")
    pen.blob([(0.13, 0.50), (0.50, 0.545), (0.87, 0.50), (0.85, 0.66), (0.73, 0.84), (0.50, 0.95), (0.27, 0.84),
              (0.15, 0.66)])  # fmt: skip
    pen.blob([(0.24, 0.81), (0.50, 0.84), (0.76, 0.81), (0.69, 0.88), (0.50, 0.945), (0.31, 0.88)], "deep", False)
    pen.stroke([(0.50, 0.55), (0.50, 0.94)], 0.02, "line", False)
    for x in (0.28, 0.72):
        pen.oval(x, 0.66, 0.045, tone="metal")
    pen.stroke(smooth([(0.18, 0.545), (0.34, 0.58), (0.46, 0.585)], False), 0.022, "light", False)


def boat_side(pen: Pen) -> None:
    pen.stroke([(0.60, 0.12), (0.60, 0.36)], 0.022, "metal")
    pen.polygon([(0.61, 0.13), (0.77, 0.18), (0.61, 0.23)], "light")
    pen.box(0.27, 0.16, 0.41, 0.40, 0.02, "shade")
    pen.box(0.28, 0.21, 0.40, 0.26, 0.0, "cream", False)
    pen.polygon([(0.17, 0.36), (0.64, 0.36), (0.70, 0.56), (0.17, 0.56)])
    for x in (0.22, 0.37):
        pen.box(x, 0.41, x + 0.11, 0.50, 0.02, "glass")
    pen.polygon([(0.53, 0.41), (0.61, 0.41), (0.635, 0.50), (0.53, 0.50)], "glass")
    pen.polygon([(0.04, 0.54), (0.70, 0.56), *smooth([(0.80, 0.54), (0.90, 0.50), (0.96, 0.45)], False),
                 *smooth([(0.92, 0.60), (0.85, 0.73), (0.76, 0.83)], False), (0.15, 0.83), (0.07, 0.72)])  # fmt: skip
    pen.polygon([(0.10, 0.745), (0.83, 0.745), (0.76, 0.82), (0.155, 0.82)], "deep", False)
    pen.stroke([(0.08, 0.585), (0.72, 0.60), (0.90, 0.545)], 0.022, "light", False)
    for x in (0.25, 0.42, 0.59):
        pen.oval(x, 0.67, 0.032, tone="metal")


def airplane_front(pen: Pen) -> None:
    pen.polygon([(0.46, 0.10), (0.54, 0.10), (0.56, 0.38), (0.44, 0.38)], "shade")
    pen.polygon([(0.24, 0.26), (0.50, 0.31), (0.76, 0.26), (0.76, 0.33), (0.50, 0.40), (0.24, 0.33)], "shade")
    for x in (0.40, 0.60):
        pen.stroke([(x, 0.62), (x, 0.78)], 0.03, "metal")
        pen.box(x - 0.04, 0.74, x + 0.04, 0.88, 0.03, "tyre")
    for side in (-1, 1):
        wing = [(0.50, 0.49), (0.96, 0.42), (0.96, 0.49), (0.50, 0.68)]
        pen.polygon([(0.5 + side * (x - 0.5), y) for x, y in wing])
        pen.oval(0.5 + side * 0.31, 0.625, 0.085)
        pen.oval(0.5 + side * 0.31, 0.625, 0.045, tone="tyre", line=False)
    pen.oval(0.50, 0.51, 0.215)
    pen.polygon([(0.35, 0.46), (0.40, 0.385), (0.60, 0.385), (0.65, 0.46)], "glass")
    pen.stroke([(0.50, 0.39), (0.50, 0.455)], 0.018, "line", False)
    pen.oval(0.50, 0.60, 0.065, 0.06, "light", False)


def airplane_side(pen: Pen) -> None:
    for x in (0.42, 0.80):
        pen.stroke([(x, 0.66), (x, 0.76)], 0.024, "metal")
        pen.oval(x, 0.80, 0.055, tone="tyre")
    pen.polygon([(0.05, 0.15), (0.17, 0.15), (0.33, 0.42), (0.10, 0.47)])
    pen.polygon([(0.085, 0.18), (0.155, 0.18), (0.20, 0.265), (0.105, 0.265)], "light", False)
    pen.blob([(0.05, 0.41), (0.25, 0.39), (0.60, 0.37), (0.80, 0.39), (0.92, 0.47), (0.955, 0.54), (0.90, 0.63),
              (0.75, 0.68), (0.40, 0.68), (0.20, 0.59)])  # fmt: skip
    pen.blob([(0.30, 0.62), (0.55, 0.64), (0.84, 0.625), (0.75, 0.665), (0.42, 0.665)], "shade", False)
    pen.polygon([(0.79, 0.42), (0.86, 0.44), (0.905, 0.50), (0.79, 0.50)], "glass")
    for x in (0.32, 0.41, 0.50, 0.59, 0.68):
        pen.oval(x, 0.475, 0.03, tone="glass")
    pen.polygon([(0.04, 0.40), (0.16, 0.40), (0.22, 0.47), (0.06, 0.47)], "shade")
    pen.box(0.42, 0.66, 0.58, 0.75, 0.04, "shade")
    pen.polygon([(0.45, 0.57), (0.63, 0.57), (0.37, 0.75), (0.24, 0.75)])
