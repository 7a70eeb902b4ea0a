"""The rivals with full-size weights' ids: out of a cache laid out as the Hub's client does it, offline, in small."""

from __future__ import annotations

import json
import shutil
from fnmatch import fnmatch

import hub_cache
import numpy as np
import pytest

from textedit_lite import hub
from textedit_lite.errors import WeightsError
from textedit_lite.evaluation.manifest import rival_of
from textedit_lite.inpaint import BLACKENED
from textedit_lite.models import FULL, OPTIONAL, fetch_weights, load_models
from textedit_lite.rivals import diffedit, instruct_pix2pix, sdedit

RIVALS = ("text2image", "instruct-pix2pix")
PROMPT = "the left car changes to a red car"
QUICK = {"sdedit": {"steps": 4}, "diffedit": {"steps": 4, "maps": 2}, "instruct-pix2pix": {"steps": 2}}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with small models of the full architectures under the full ids, and a client that may not go out."""
    from huggingface_hub import constants

    root = tmp_path_factory.mktemp("hub")
    for part, folder in hub_cache.build(root / "made", hub_cache.SMALL_SIZE, detector_side=128).items():
        hub_cache.publish(root / "cache", FULL[part], folder)
    for part in RIVALS:
        hub_cache.publish(root / "cache", OPTIONAL[part], hub_cache.build_rival(root / part, part, hub_cache.SMALL_SIZE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield root / "cache"


@pytest.fixture(scope="module")
def full(cache):
    return load_models("full", device="cpu")


def test_only_the_unet_and_its_schedule_are_wanted():
    there = [
        "model_index.json", "scheduler/scheduler_config.json", "unet/config.json", "unet/diffusion_pytorch_model.fp16.safetensors",
        "unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.bin", "text_encoder/config.json",
        "text_encoder/model.fp16.safetensors", "vae/diffusion_pytorch_model.fp16.safetensors", "v1-5-pruned.safetensors",
    ]  # fmt: skip
    source = OPTIONAL["text2image"]
    wanted = [name for name in there if any(fnmatch(name, pattern) for pattern in hub.patterns("text2image", source.variant))]
    assert wanted == there[:4]


def test_the_rivals_come_out_of_the_cache_by_their_ids(full):
    from diffusers import DDIMScheduler, EulerAncestralDiscreteScheduler

    pipeline = full.rival("text2image")
    assert isinstance(pipeline.scheduler, DDIMScheduler) and pipeline.unet.config.in_channels == 4
    assert not pipeline.scheduler.config.set_alpha_to_one and not pipeline.scheduler.config.clip_sample
    assert pipeline.vae is full.painter.vae and pipeline.safety_checker is full.painter.safety_checker
    other = full.rival("instruct-pix2pix")
    assert isinstance(other.scheduler, EulerAncestralDiscreteScheduler) and other.unet.config.in_channels == 8
    assert other.unet.dtype == full.painter.unet.dtype


@pytest.mark.parametrize("rival, edit", [("sdedit", sdedit), ("diffedit", diffedit), ("instruct-pix2pix", instruct_pix2pix)])
def test_a_rival_edits_a_photograph_of_any_size(full, monkeypatch, rival, edit):
    monkeypatch.setattr(full.painter, "safety_checker", None)  # one of random numbers blackens what it likes
    monkeypatch.setattr(full, "loaded", {})
    image = hub_cache.a_drawn_photograph((150, 100))
    result = edit(image, PROMPT, full, **QUICK[rival])
    assert result.status == "edited" and result.image.size == (150, 100)
    assert np.array_equal(edit(image, PROMPT, full, **QUICK[rival]).image, result.image)


def test_what_the_safety_checker_blackens_is_no_edit(full, monkeypatch):
    for edit, part in ((sdedit, "text2image"), (diffedit, "text2image"), (instruct_pix2pix, "instruct-pix2pix")):
        pipeline = full.rival(part)
        monkeypatch.setattr(pipeline, "run_safety_checker", lambda pixels, device, dtype: (pixels * 0 - 1, [True] * len(pixels)))
        quick = QUICK["diffedit"] if edit is diffedit else {"steps": 4}
        result = edit(hub_cache.a_drawn_photograph((128, 128)), PROMPT, full, **quick)
        assert result.image is None and (result.status, result.message) == ("unverified", BLACKENED)


def test_a_run_records_settings_and_weights(full):
    recorded = rival_of("diffedit", full)
    assert recorded["settings"]["steps"] == 50
    names = list(recorded["weights_sha256"])
    assert names == ["unet/diffusion_pytorch_model.fp16.safetensors"] and len(recorded["weights_sha256"][names[0]]) == 64
    assert rival_of("ours", full) is None


def test_a_weights_file_may_name_another_unet(full, cache, tmp_path):
    shutil.copytree(hub.snapshot(OPTIONAL["instruct-pix2pix"]), tmp_path / "mine")
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"instruct-pix2pix": "mine"}))
    models = load_models(path, device="cpu")
    assert models.optional["instruct-pix2pix"].path == str(tmp_path / "mine")
    assert models.rival("instruct-pix2pix").unet.config.in_channels == 8
    assert models.optional["text2image"] == OPTIONAL["text2image"]


def test_rivals_that_are_not_in_the_cache_are_one_sentence(full, monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(full, "loaded", {})
    with pytest.raises(WeightsError, match="is not in the cache") as caught:
        sdedit(hub_cache.a_drawn_photograph((64, 64)), PROMPT, full)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_copy_in_half_precision_is_checked_as_what_is_loaded(full, tmp_path):
    shutil.copytree(hub.snapshot(OPTIONAL["text2image"]), tmp_path / "mine")
    assert list((tmp_path / "mine").rglob("*.fp16.safetensors"))
    path, said = tmp_path / "weights.json", []
    path.write_text(json.dumps({"text2image": "mine"}))
    fetch_weights(path, say=said.append)
    assert said[-1].startswith("text2image: ") and not said[-1].endswith(", 0 MB, whole.")
