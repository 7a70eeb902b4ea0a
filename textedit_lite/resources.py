"""Where the files that ship with the package lie: the lite models, the sample pictures, the notebooks."""

from __future__ import annotations

from pathlib import Path


def data_path(*parts: str) -> Path:
    """The path of a shipped file or folder, e.g. `data_path("models", "lite")` or `data_path("samples")`.

    The path is returned whether or not something is there. Taught in notebook 01.
    """
    return shipped("data").joinpath(*parts)


def shipped(name: str) -> Path:
    """One of the repository's folders: in an installed wheel it lies inside the package, in a checkout beside it."""
    package = Path(__file__).resolve().parent
    return package / name if (package / name).is_dir() else package.parent / name
