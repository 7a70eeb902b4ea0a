"""What the tests share: the lite models, loaded once, and the real COCO pictures where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def models():
    """The shipped lite models on the CPU; nothing may change them."""
    from textedit_lite import load_models

    return load_models("lite", device="cpu")


@pytest.fixture(scope="session")
def editor(models):
    """An editor over the lite models."""
    from textedit_lite import Editor

    return Editor(models)


@pytest.fixture(scope="session")
def coco_val() -> Path:
    """A folder with `images/` and `instances.json` out of COCO val2017: TEXTEDIT_COCO_VAL, or ../shared/coco_val."""
    folder = Path(os.environ.get("TEXTEDIT_COCO_VAL") or ROOT.parent / "shared" / "coco_val")
    if not (folder / "instances.json").is_file():
        pytest.skip(f"no COCO pictures in {folder}: set TEXTEDIT_COCO_VAL to a folder with images/ and instances.json")
    return folder
