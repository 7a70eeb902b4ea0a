"""What the tests share: the lite models, loaded once, and the real COCO pictures where they are at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:  # several processes share the cores, each with torch's threads; before torch loads
    threads = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))

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
