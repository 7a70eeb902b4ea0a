"""Every way to edit on a device that is not there: a GPU in half precision, with parts that wait on the CPU, and Apple's MPS.

And the ladder that measures a GPU, and all trainers.
"""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from pretend import pretended
from safetensors.torch import load_file

from textedit_lite.editor import Editor
from textedit_lite.inpaint import denoising, inpaint, round_trip
from textedit_lite.models import SHARED, load_models
from textedit_lite.resources import data_path
from textedit_lite.rivals import diffedit, instruct_pix2pix, plain_edit, sdedit

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import full_size  # noqa: E402
import gpu_ladder  # noqa: E402

EDITS = {
    "ours": lambda image, models: Editor(models).edit(image, gpu_ladder.prompt(), select="best", rounds=1, steps=2),
    "plain": lambda image, models: plain_edit(image, gpu_ladder.prompt(), models, steps=3),
    "sdedit": lambda image, models: sdedit(image, gpu_ladder.prompt(), models, steps=4),
    "diffedit": lambda image, models: diffedit(image, gpu_ladder.prompt(), models, steps=4, maps=2),
    "instruct": lambda image, models: instruct_pix2pix(image, gpu_ladder.prompt(), models, steps=2),
}


def tiny(dtype):
    """The public architectures at their smallest, on the CPU; with the rivals' pipelines, and a safety checker that lets all pass."""
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInstructPix2PixPipeline, UNet2DConditionModel

    models = full_size.build("tiny", "cpu", dtype)
    models.painter.safety_checker.concept_embeds_weights.data.fill_(2)
    shared = {name: getattr(models.painter, name) for name in SHARED}
    kinds = {"text2image": (StableDiffusionImg2ImgPipeline, 4), "instruct-pix2pix": (StableDiffusionInstructPix2PixPipeline, 8)}
    for part, (kind, channels) in kinds.items():
        unet = UNet2DConditionModel(in_channels=channels, out_channels=4, **full_size.SIZES["tiny"]["unet"]).to(dtype).eval()
        schedule = DDIMScheduler.from_config(models.painter.scheduler.config)
        models.loaded[part] = kind(unet=unet, scheduler=schedule, **shared)
        models.loaded[part].set_progress_bar_config(disable=True)
    return replace(models, optional=dict.fromkeys(models.loaded))


def moved(models, device: str, offload: bool):
    """The models on a device; offload: the painters' parts wait on the CPU until they work, as in low memory."""
    models.detr.to(device)
    models.clip.to(device)
    for painter in (models.painter, *models.loaded.values()):
        if offload:
            painter.enable_attention_slicing()
            painter.enable_model_cpu_offload(device=device)
        else:
            painter.to(device)
    return replace(models, device=device, low_memory=offload, text_features={})


def parts_on(models) -> set[str]:
    """The kinds of devices on which the parts of all painters lie."""
    painters = (models.painter, *models.loaded.values())
    return {weight.device.type for one in painters for part in (one.unet, one.vae, one.text_encoder) for weight in part.parameters()}


@pytest.mark.parametrize(("kind", "dtype", "offload"), [
    ("cuda", torch.float16, True), ("mps", torch.float32, False),
    pytest.param("cuda", torch.float16, False, marks=pytest.mark.slow), pytest.param("mps", torch.float16, False, marks=pytest.mark.slow),
])  # fmt: skip
def test_every_way_to_edit_keeps_to_the_device(kind, dtype, offload):
    models, image = tiny(dtype), gpu_ladder.pictures(1, 96)[0]
    mask = Image.new("L", image.size)
    mask.paste(255, (30, 30, 70, 70))
    with torch.no_grad(), pretended(kind) as device, gpu_ladder.planted(models):
        models = moved(models, str(device), offload)
        for way, edit in EDITS.items():
            result = edit(image, models)
            assert result.image is not None, f"{way}: {result.message}"
            assert not offload or parts_on(models) == {"cpu"}, f"{way} leaves a part of a painter on the GPU"
        assert len(denoising(image, mask, "a red car", models.painter, steps=2)) == 2
        assert len(round_trip([image.resize((64, 64))], models.painter)) == 1
        assert not inpaint(image, mask, "a red car", models.painter, seeds=(1, 2), steps=3, strength=0.7, negative="a dog")[1].refused


def test_a_segmenters_mask_and_what_is_painted_in_it_are_the_processors():
    models, image = load_models("lite"), Image.open(data_path("samples", "street.png"))
    for kind in ("sam", "mask2former"):
        models.segmenter(kind)

    def edits():
        return [Editor(models).edit(image, "the left car changes to a red car", mask=kind, match="patches", steps=2, rounds=1)
                for kind in ("sam", "mask2former")]  # fmt: skip

    here = edits()
    with torch.no_grad(), pretended("mps") as device:
        for model in (models.detr, models.clip, models.painter, *(model for model, _ in models.loaded.values())):
            model.to(device)
        models = replace(models, device=str(device), text_features={})
        there = edits()
    for one, other in zip(here, there):
        assert one.mask.tobytes() == other.mask.tobytes() and one.mask_kind == other.mask_kind != "box"
        assert np.abs(np.asarray(one.image, int) - np.asarray(other.image, int)).max() <= 2


@pytest.fixture
def a_gpu(monkeypatch):
    """What torch says of a GPU, besides computing on it."""
    said = {
        "is_available": True, "is_bf16_supported": True, "get_device_name": "a GPU", "synchronize": None, "empty_cache": None,
        "reset_peak_memory_stats": None, "max_memory_allocated": 10**9, "get_device_properties": SimpleNamespace(total_memory=10**11),
    }  # fmt: skip
    for name, answer in said.items():
        monkeypatch.setattr(torch.cuda, name, lambda *_, answer=answer, **__: answer)


@pytest.mark.slow
def test_the_ladder_of_a_gpu_climbs_one(a_gpu, monkeypatch, capsys):
    rate = gpu_ladder.matrix_rate
    monkeypatch.setattr(gpu_ladder, "matrix_rate", lambda device, dtype, side: rate(device, dtype, 64))
    with pretended("cuda"):
        how = ["--weights", "tiny", "--side", "96", "--steps", "4", "--batches", "2", "--no-compile", "--turns", "1", "--quiet", "--json"]
        assert gpu_ladder.main(how) == 0
    figures = json.loads(capsys.readouterr().out)
    assert len(figures["rows"]) == 11 and not any(row["failed"] or row["without"] for row in figures["rows"])
    assert (figures["half"], figures["memory"], figures["settings"]["device"]) == ("fp16", 10**11, "cuda")
    assert figures["machine"].startswith("a GPU, torch") and all(row["floor"] > 0 for row in figures["rows"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["clip", "vae", "detr", "sam", "mask2former", "inpaint", "text2image", "instruct_pix2pix", "lcm"])
def test_every_trainer_trains_on_the_device(name, a_gpu, tmp_path, monkeypatch):
    def cannot_build(*_, **__):
        raise RuntimeError("there is nothing to build for")

    monkeypatch.setattr(torch, "compile", cannot_build)
    lite = data_path("models", "lite")
    painters = ("inpaint", "text2image", "instruct_pix2pix", "lcm")
    given = {"vae": lite / "inpaint" / "vae", "clip": lite / "clip"} if name in painters else {"scored": 2}
    with pretended("cuda"):
        importlib.import_module(f"textedit_lite.training.{name}").train(tmp_path, 0.02, count=8, progress=False, **given)
    facts = json.loads((tmp_path / "results.json").read_text())
    assert facts["training"]["steps"] > 0 and "a GPU, torch" in json.dumps(facts)
    assert not any(torch.isnan(value).any() for path in tmp_path.glob("**/*.safetensors") for value in load_file(path).values())
