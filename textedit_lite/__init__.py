"""Edit a picture by describing the change: DETR finds, CLIP chooses, a mask is built, Stable Diffusion repaints.

The names below are all that a notebook needs. Each is loaded when it is first used, so that `import textedit_lite` is
instant and a look at the help does not wait for torch.
"""

from __future__ import annotations

import importlib
import sys
import types
from typing import Any

_HOME = {
    "load_models": "models",
    "open_image": "images",
    "parse": "prompt",
    "detect": "detect",
    "match": "match",
    "build_mask": "mask",
    "inpaint": "inpaint",
    "Editor": "editor",
    "replay": "editor",
    "edit_figure": "plots",
    "data_path": "resources",
    "TextEditError": "errors",
}

__all__ = [*_HOME, "__version__"]


class _Package(types.ModuleType):
    """A package whose public names stay what they are when a submodule of the same name is imported.

    Python binds every imported submodule on its package, so `textedit_lite.detect` would be the function or the file,
    depending on who imported what before. Here it is always the function; `from textedit_lite.detect import ...` and
    `importlib.import_module("textedit_lite.detect")` reach the file.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, types.ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value = version("textedit-lite")
    elif name in _HOME:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
