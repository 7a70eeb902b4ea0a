"""The real full-size weights against published values; for machines that have them: `pytest -m hub`, after `textedit-lite fetch full`.

The photograph is number 39769 of COCO val2017 (two cats, two remote controls, a couch): TEXTEDIT_COCO_39769 may name its
file, else it is downloaded.
"""

from __future__ import annotations

import io
import os
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.hub
URL = "http://images.cocodataset.org/val2017/000000039769.jpg"
# As the libraries' own tests have them, of this photograph.
LOGITS = [[-19.1194, -0.0893, -11.0154], [-17.3640, -1.8035, -14.0219], [-20.0461, -0.5837, -11.1060]]
FOUND = {"remote": (0.9982, 0.9960), "couch": (0.9955,), "cat": (0.9988, 0.9987)}
FIRST_BOX = (40.1615, 70.8090, 175.5476, 117.9810)  # of the surest remote
PIXELS = (0.2796, 0.3138, 0.3481)
CAT_AND_DOG = (24.5701, 19.3049)  # logits of "a photo of a cat", "a photo of a dog"


@pytest.fixture(scope="module", autouse=True)
def whole_floats():
    """Newer GPUs shorten the factors of a convolution to 10 bits, which the values below would notice."""
    import torch

    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


@pytest.fixture(scope="module")
def cats() -> Image.Image:
    given = os.environ.get("TEXTEDIT_COCO_39769")
    data = Path(given).read_bytes() if given else urllib.request.urlopen(URL, timeout=60).read()
    return Image.open(io.BytesIO(data)).convert("RGB")


@pytest.fixture(scope="module")
def full():
    from textedit_lite import load_models

    return load_models("full")


def test_the_weights_are_as_the_hub_has_them():
    from textedit_lite.models import FULL, fetch_weights

    assert set(fetch_weights("full", say=lambda line: None)) == set(FULL)


def test_detr_says_of_the_photograph_what_it_is_known_to_say(full, cats):
    import torch

    pixels = full.detr_processor(images=cats, return_tensors="pt")["pixel_values"]
    assert pixels.shape == (1, 3, 800, 1066)
    assert pixels[0, 0, 0, :3].tolist() == pytest.approx(PIXELS, abs=2e-3)
    with torch.inference_mode():
        logits = full.detr(pixels.to(full.device)).logits
    assert logits.shape == (1, 100, 92)
    assert logits[0, :3, :3].float().cpu().numpy() == pytest.approx(np.array(LOGITS), abs=5e-3)


def test_our_own_stage_finds_the_same_objects(full, cats):
    from textedit_lite import detect

    found = detect(cats, full.detr, full.detr_processor, threshold=0.3)
    assert sorted(found.labels) == sorted(label for label, scores in FOUND.items() for _ in scores)
    for label, scores in FOUND.items():
        ours = [score for score, own in zip(found.scores, found.labels, strict=True) if own == label]
        assert ours == pytest.approx(sorted(scores, reverse=True), abs=2e-3)
    remotes = [box for box, label in zip(found.boxes, found.labels, strict=True) if label == "remote"]
    assert min(np.abs(box - FIRST_BOX).max() for box in remotes) < 0.5


def test_clip_tells_the_cat_from_the_dog(full, cats):
    import torch

    words = ["a photo of a cat", "a photo of a dog"]
    tokens = full.clip_tokenizer(words, padding=True, return_tensors="pt").to(full.device)
    pixels = full.clip_processor(images=cats, return_tensors="pt")["pixel_values"].to(full.device)
    with torch.inference_mode():
        logits = full.clip(pixel_values=pixels, **tokens).logits_per_image[0]
    assert logits.float().cpu().numpy() == pytest.approx(np.array(CAT_AND_DOG), abs=2e-2)


def test_our_own_matching_scores_the_same_features(full, cats):
    """Cosine similarities, scaled, are CLIP's logits; the frame "a photo of {}" is ours to add."""
    from textedit_lite.match import similarity

    cosine = similarity([cats], ["a cat", "a dog"], full)[0]
    assert cosine * float(full.clip.logit_scale.detach().exp()) == pytest.approx(np.array(CAT_AND_DOG), abs=2e-2)


def test_an_edit_of_the_photograph_leaves_its_background_exact(full, cats):
    from textedit_lite import Editor

    result = Editor(full).edit(cats, "the left cat changes to a dog", steps=20, rounds=1)
    assert result.status in ("edited", "unverified") and result.candidates[result.index].label == "cat"
    before, after, outside = (np.asarray(part) for part in (cats, result.image, result.mask))
    assert (before == after)[outside == 0].all() and (before != after)[outside > 0].mean() > 0.5


def test_what_the_photograph_does_not_show_is_not_found(full, cats):
    from textedit_lite import Editor

    result = Editor(full).edit(cats, "make the bus red")
    assert result.status == "not_found" and result.image is None and "cat" in result.message
