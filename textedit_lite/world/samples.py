"""The sample pictures of data/samples, as scenes: run `python -m textedit_lite.world.samples` to draw them again."""

from __future__ import annotations

from ..images import save_png
from ..resources import data_path
from .backgrounds import Background
from .scenes import Scene, SceneObject, render

SIZE = (384, 256)


def _scene(kind: str, seed: int, horizon: float | None, *objects: SceneObject) -> Scene:
    return Scene("sample", seed, 0, *SIZE, Background(kind, seed, horizon), objects)


# x, y and size are fractions of the picture's short side, as in every scene.
SAMPLES = {
    "street": _scene(
        "road", 3, 0.4,
        SceneObject("fire hydrant", "yellow", "side", "upright", 0.77, 0.52, 0.28),
        SceneObject("bus", "purple", "front", "upright", 1.02, 0.42, 0.36),
        SceneObject("car", "blue", "side", "upright", 0.34, 0.66, 0.4),
        SceneObject("car", "yellow", "side", "upright", 1.15, 0.78, 0.4),
    ),
    "kitchen": _scene(
        "kitchen", 12, 0.5,
        SceneObject("clock", "red", "front", "upright", 0.72, 0.24, 0.34),
        SceneObject("cup", "blue", "side", "upright", 0.28, 0.62, 0.3),
        SceneObject("cup", "green", "side", "upright", 0.72, 0.68, 0.3),
        SceneObject("teddy bear", "orange", "front", "upright", 1.2, 0.62, 0.42),
    ),
    "harbour": _scene(
        "sea", 4, 0.36,
        SceneObject("airplane", "white", "side", "upright", 0.36, 0.2, 0.36),
        SceneObject("boat", "red", "side", "upright", 0.5, 0.62, 0.42),
        SceneObject("boat", "green", "front", "upright", 1.15, 0.66, 0.4),
    ),
    "room": _scene(
        "room", 8, 0.5,
        SceneObject("chair", "green", "side", "upright", 0.26, 0.6, 0.42),
        SceneObject("suitcase", "purple", "front", "upright", 0.75, 0.72, 0.36),
        SceneObject("umbrella", "yellow", "side", "upright", 1.2, 0.62, 0.4),
    ),
    "meadow": _scene(
        "meadow", 5, 0.38,
        SceneObject("bird", "orange", "side", "upright", 0.34, 0.2, 0.34),
        SceneObject("chair", "white", "front", "upright", 0.78, 0.66, 0.4),
        SceneObject("bird", "blue", "side", "upright", 1.2, 0.68, 0.36),
    ),
}  # fmt: skip


def write_samples() -> None:
    """Draw all samples into data/samples."""
    for name, scene in SAMPLES.items():
        save_png(render(scene), data_path("samples", f"{name}.png"))


if __name__ == "__main__":
    write_samples()
