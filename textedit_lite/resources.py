"""Where the files that ship with the package lie: the lite models and the sample pictures."""

from __future__ import annotations

from importlib import resources
from pathlib import Path


def data_path(*parts: str) -> Path:
    """The path of a shipped file or folder, e.g. `data_path("models", "lite")` or `data_path("samples")`.

    In an installed wheel the repository's `data/` lies inside the package; in a checkout it lies beside it. The path
    is returned whether or not something is there. Taught in notebook 01.
    """
    installed = resources.files("textedit_lite") / "data"
    root = Path(str(installed))
    if not root.is_dir():
        root = Path(__file__).resolve().parents[1] / "data"
    return root.joinpath(*parts)
