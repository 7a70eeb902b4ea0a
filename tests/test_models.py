"""Loading the models: the libraries' own classes, whole files, and one sentence for everything that is wrong."""

from __future__ import annotations

import ctypes
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from textedit_lite import Editor, cli
from textedit_lite.checksums import CHECKSUMS, check_sums, write_sums
from textedit_lite.errors import SettingsError, WeightsError
from textedit_lite.inpaint import inpaint_batch
from textedit_lite.memory import free_memory, in_portions, total_memory
from textedit_lite.models import FULL, best_device, check_device, load_models
from textedit_lite.resources import data_path
from textedit_lite.rivals.whole import Outcome, edit_whole
from textedit_lite.vocabulary import COCO_IDS, COLOURS

LITE = data_path("models", "lite")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three small stand-ins for weights, with their checksums."""
    for name in ("detr", "clip", "inpaint/unet"):
        path = tmp_path / name / "model.safetensors"
        path.parent.mkdir(parents=True)
        path.write_bytes(name.encode() * 100)
    write_sums(tmp_path)
    return tmp_path


@pytest.fixture
def copied(tmp_path) -> Path:
    """The lite models in a folder of their own, where they may be damaged."""
    return Path(shutil.copytree(LITE, tmp_path / "weights"))


# --- what is loaded ----------------------------------------------------------------------------------------------


def test_the_lite_models_are_the_libraries_own_classes(models):
    from diffusers import StableDiffusionInpaintPipeline
    from transformers import CLIPModel, DetrForObjectDetection

    assert isinstance(models.detr, DetrForObjectDetection) and not models.detr.training
    assert isinstance(models.clip, CLIPModel) and not models.clip.training
    assert isinstance(models.painter, StableDiffusionInpaintPipeline)
    assert models.painter.unet.config.in_channels == 9
    assert models.painter.safety_checker is None
    assert (models.name, models.device) == ("lite", "cpu")


def test_lite_computes_on_the_cpu_unless_another_device_is_asked_for(monkeypatch):
    """However fine the GPU is: so its pictures are everywhere the same, and what it returns can be looked at."""
    from textedit_lite import models as loading

    monkeypatch.setattr(loading, "best_device", lambda: "cuda")
    monkeypatch.setattr(loading, "_load", lambda sources, name, device, *rest: device)
    monkeypatch.setattr(loading, "check_device", lambda device: device)
    assert load_models("lite") == load_models("lite+lcm") == "cpu" and load_models("full") == load_models("lite", "cuda") == "cuda"


def test_what_a_part_of_a_model_can_do_without_may_be_lacking_and_nothing_else(tmp_path):
    """The published Mask2Former is older than the last norm of its Swin, which nothing in it looks at."""
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import Mask2FormerConfig, Mask2FormerForUniversalSegmentation, SwinConfig

    from textedit_lite.checkpoints import whole_model

    swin = SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=4, image_size=64,
                      out_features=[f"stage{i}" for i in range(1, 5)])  # fmt: skip
    width = {name: 32 for name in ("feature_size", "mask_feature_size", "hidden_dim", "encoder_feedforward_dim", "dim_feedforward")}
    config = Mask2FormerConfig(backbone_config=swin, encoder_layers=1, decoder_layers=2, num_attention_heads=2, num_queries=5, **width)
    model = Mask2FormerForUniversalSegmentation(config).eval()
    model.save_pretrained(tmp_path)
    stored = load_file(tmp_path / "model.safetensors")
    kept = {name: tensor for name, tensor in stored.items() if "swin.layernorm" not in name}
    assert len(kept) == len(stored) - 2
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    pixels = torch.zeros(1, 3, 64, 64)
    with torch.no_grad():
        read = whole_model(Mask2FormerForUniversalSegmentation, tmp_path, "cpu")(pixels).masks_queries_logits
        assert torch.equal(read, model(pixels).masks_queries_logits)
    assert whole_model(Mask2FormerForUniversalSegmentation, tmp_path, "meta").device.type == "meta"
    kept.pop(next(name for name in kept if "hidden_states_norms" in name))
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 tensors, as .*hidden_states_norms"):
        whole_model(Mask2FormerForUniversalSegmentation, tmp_path, "cpu")


def test_what_the_models_know_of_themselves(models):
    assert len(models.categories) >= 12 and set(models.categories) <= set(COCO_IDS)
    assert set(models.known_words) >= {*models.categories, *COLOURS, "facing the front", "upside down"}
    assert models.native == models.painter.unet.config.sample_size * models.painter.vae_scale_factor
    assert models.native % 8 == 0 and models.native < 256


def test_weights_are_computed_with_in_float32(models):
    import torch

    parts = (models.detr, models.clip, models.painter.unet, models.painter.vae, models.painter.text_encoder)
    assert {parameter.dtype for part in parts for parameter in part.parameters()} == {torch.float32}


def test_no_processor_needs_torchvision(models):
    for processor in (models.detr_processor, models.clip_processor):
        assert "Fast" not in type(processor).__name__ and "torchvision" not in type(processor).__module__


def test_loading_says_nothing(capfd):
    load_models("lite", device="cpu")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bars", [False, True])
def test_the_libraries_bars_and_notices_are_afterwards_as_the_user_had_them(bars):
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    from textedit_lite.checkpoints import loading

    def shown() -> list[tuple[int, bool]]:
        return [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in (diffusers_log, transformers_log)]

    before, now = shown(), [(20, bars), (40, bars)]
    try:
        _let_show(now)
        with pytest.raises(WeightsError, match="The weights cannot be loaded .no.: look"), loading("The weights", "look"):
            assert shown() == [(40, False)] * 2
            raise ValueError("no")
        assert shown() == now
    finally:
        _let_show(before)


def _let_show(states: list[tuple[int, bool]]) -> None:
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    for log, (level, bars) in zip((diffusers_log, transformers_log), states, strict=True):
        log.set_verbosity(level)
        (log.enable_progress_bar if bars else log.disable_progress_bar)()


@pytest.mark.parametrize(
    ("version", "name"), [("0.39.2", "torch_dtype"), ("0.40.0", "dtype"), ("0.42.1", "dtype"), ("1.0.0", "dtype")]
)
def test_the_precision_is_asked_for_as_this_diffusers_calls_it(monkeypatch, version, name):
    """One that it does not know it would ignore, and load in another."""
    from importlib import metadata

    from textedit_lite.checkpoints import dtype_argument

    monkeypatch.setattr(metadata, "version", lambda package: version)
    assert dtype_argument() == name


@pytest.mark.parametrize(("device", "half"), [("cuda", "float16"), ("cuda:1", "float16"), ("mps", "float16"), ("cpu", "bfloat16")])
def test_half_precision_is_what_a_device_computes_fast(monkeypatch, device, half):
    import torch

    from textedit_lite import models as loading
    from textedit_lite.memory import holding

    def loaded(folders, variant, name, on, painting):
        raise WeightsError(f"{painting} on {on}")

    monkeypatch.setattr(loading, "check_device", lambda device: device)
    monkeypatch.setattr(loading, "_loaded", loaded)
    for low, dtype in ((True, getattr(torch, half)), (False, torch.float32)):
        chosen = replace(holding("cpu", 1, {"unet": 1, "text_encoder": 1}, 64, low), half=low)
        monkeypatch.setattr(loading, "_planned", lambda *given, chosen=chosen: chosen)
        with pytest.raises(WeightsError, match=f"{dtype} on {device}$"):
            load_models("lite", device)


# --- checksums ---------------------------------------------------------------------------------------------------


def test_the_shipped_weights_are_whole():
    check_sums(LITE)


def test_sums_are_in_the_format_of_sha256sum(folder):
    check_sums(folder)
    lines = (folder / CHECKSUMS).read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == [
        "clip/model.safetensors", "detr/model.safetensors", "inpaint/unet/model.safetensors"]  # fmt: skip
    assert all(len(line.split("  ")[0]) == 64 for line in lines)
    (folder / CHECKSUMS).write_text("\r\n".join(line.replace("  ", " *") for line in lines))  # as on Windows
    check_sums(folder)


def test_one_wrong_byte_is_noticed(folder):
    path = folder / "clip/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(WeightsError, match="clip/model.safetensors is damaged"):
        check_sums(folder)


def test_a_missing_an_unlisted_and_an_unreadable_file_are_noticed(folder):
    (folder / "detr/more.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="detr/more.safetensors is not listed"):
        check_sums(folder)
    (folder / "detr/more.safetensors").unlink()
    (folder / "detr/model.safetensors").unlink()
    with pytest.raises(WeightsError, match="detr/model.safetensors is missing"):
        check_sums(folder)
    (folder / CHECKSUMS).write_text("one-word-on-a-line\n")
    with pytest.raises(WeightsError, match="list of checksums"):
        check_sums(folder)
    (folder / CHECKSUMS).unlink()
    with pytest.raises(WeightsError, match="list of checksums"):
        check_sums(folder)


# --- what cannot be loaded ---------------------------------------------------------------------------------------


def test_a_folder_that_is_not_there_or_lacks_a_model(tmp_path):
    with pytest.raises(WeightsError, match="lack detr/, clip/, inpaint/"):
        load_models(tmp_path / "nowhere")
    (tmp_path / "detr").mkdir()
    (tmp_path / "inpaint").mkdir()
    with pytest.raises(WeightsError, match="lack clip/:"):
        load_models(tmp_path)


def test_a_damaged_weights_file_is_refused_before_it_is_read(copied, monkeypatch):
    path = copied / "clip/model.safetensors"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="clip/model.safetensors is damaged"):
        load_models(copied)
    monkeypatch.setattr("textedit_lite.models.data_path", lambda *parts: copied)
    with pytest.raises(WeightsError, match="clip/model.safetensors is damaged"):
        load_models("lite")


NONSENSE = (
    "truncated", "empty", "no config", "config of another kind", "no weights", "other weights", "another painter",
)  # fmt: skip


@pytest.mark.parametrize("what", NONSENSE)
def test_a_folder_without_sums_that_holds_nonsense(copied, what):
    (copied / CHECKSUMS).unlink()
    weights, config = copied / "detr/model.safetensors", copied / "detr/config.json"
    if what == "truncated":
        weights.write_bytes(weights.read_bytes()[:5000])
    elif what == "empty":
        weights.write_bytes(b"")
    elif what == "no config":
        config.unlink()
    elif what == "config of another kind":
        config.write_text(json.dumps({"model_type": "clip"}))
    elif what == "no weights":
        weights.unlink()
    elif what == "other weights":
        shutil.copy(copied / "clip/model.safetensors", weights)
    else:
        unet = next((copied / "inpaint/unet").glob("*.safetensors"))
        shutil.copy(copied / "clip/model.safetensors", unet)
    with pytest.raises(WeightsError) as caught:
        load_models(copied)
    assert str(caught.value).count("\n") == 0 and str(caught.value).endswith(".")


def test_a_device_that_is_not_there():
    with pytest.raises(SettingsError, match="no device 'toaster'"):
        load_models("lite", device="toaster")


@pytest.mark.parametrize(
    ("device", "words"),
    [("mps", "no MPS device, .*: give cpu"), ("xpu", "no device 'xpu': give cpu, cuda or mps"), ("cuda", "no CUDA device: give cpu")],
)  # fmt: skip
def test_a_device_that_this_machine_lacks_is_one_sentence(device, words, monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match=words):
        load_models("lite", device=device)


def test_a_device_is_counted_from_nought(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(SettingsError, match="no device 'cuda:9', as this torch sees 2 and counts from cuda:0: give cuda"):
        load_models("lite", device="cuda:9")
    with pytest.raises(SettingsError, match="no device 'cuda:2', as this torch sees 2"):
        check_device("cuda:2")
    assert [check_device(device) for device in ("cuda", "cuda:0", "cuda:1")] == ["cuda", "cuda:0", "cuda:1"]
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(SettingsError, match="no device 'mps:1'"):
        load_models("lite", device="mps:1")
    assert load_models("lite", device="cpu:3").device == "cpu"


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_the_best_device_is_the_gpu_that_torch_has(monkeypatch, cuda, mps, best):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert best_device() == best


def test_an_edit_is_asked_for_on_a_device_and_in_low_memory(monkeypatch):
    asked = []

    def load(*arguments):
        asked.append(arguments)
        raise WeightsError("That is enough.")

    monkeypatch.setattr("textedit_lite.models.load_models", load)
    words = ["edit", str(data_path("samples", "street.png")), "the left car changes to a red car"]
    for more in ([], ["--device", "cuda:1", "--low-memory"]):
        assert cli.main([*words, *more]) == 2
    assert asked == [("lite", None, None), ("lite", "cuda:1", True)]


def test_a_copy_in_another_folder_is_loaded_under_its_own_name(copied, models):
    other = load_models(copied, device="cpu")
    assert other.name == str(copied) and other.categories == models.categories and other.optional.keys() == models.optional.keys()
    assert all((a == b).all() for a, b in zip(other.clip.parameters(), models.clip.parameters(), strict=True))


# --- memory ------------------------------------------------------------------------------------------------------


def test_the_plan_is_its_formula():
    """4 F + b sum P + k b (2 h t^2 + 4 * 256 s^2), by hand, for 256 pixels: t = 1024; offloaded, without the text encoder."""
    from textedit_lite.memory import CUDA_OWN, holding

    painter = {"unet": 900, "vae": 100, "text_encoder": 60, "safety_checker": 40}
    tokens, map_ = 2 * 8 * 1024**2, 4 * 256 * 256**2
    assert holding("cpu", 10, painter, 256, low=False).need == 4 * 10 + 4 * 1100 + 4 * (tokens + map_)
    assert holding("cuda", 10, painter, 256, low=False).need == 4 * 10 + 2 * 1100 + 4 * 2 * (tokens + map_) + CUDA_OWN
    assert holding("cuda", 10, painter, 256, low=True).need == 4 * 10 + 2 * 1040 + 2 * (tokens // 2 + map_) + CUDA_OWN
    assert holding("cpu", 10, painter, 256, low=True).weights == 4 * 10 + 2 * 1100
    assert holding("mps", 10, painter, 256, low=True).need == 4 * 10 + 2 * 1100 + 2 * (tokens + map_)
    for kind, low, at_once in (("cpu", False, 32), ("cuda", False, 32), ("cuda", True, 32)):  # a lite painter's pictures are cheap
        assert holding(kind, 10, painter, 112, low).at_once == at_once


def test_the_memory_of_a_device_is_its_own(monkeypatch):
    import psutil
    import torch

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: {"cuda": (3, 8), "cuda:1": (5, 16)}[device])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory={"cuda": 8, "cuda:1": 16}[device]))
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 2)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=7, total=32))
    found = {device: (free_memory(device), total_memory(device)) for device in ("cuda", "cuda:1", "mps", "cpu")}
    assert found == {"cuda": (3, 8), "cuda:1": (5, 16), "mps": (10, 12), "cpu": (7, 32)}


def test_the_memory_is_planned_for_the_painters_own_size_and_autoencoder(models, monkeypatch):
    from textedit_lite import models as loading
    from textedit_lite.memory import holding

    sides = []
    monkeypatch.setattr(loading, "holding", lambda *given, **how: sides.append((given[3], how["channels"])) or holding(*given, **how))
    plan = loading._planned("lite", {part: LITE / part for part in FULL}, None, "cpu", False)
    assert sides == [(models.native, 40)] and plan.need < 500_000_000, "as the doctor says"


def test_the_whole_memory_decides_how_models_are_held_and_what_is_free_whether_their_weights_fit(monkeypatch):
    from textedit_lite import models as loading

    def planned(total: float, free: float, low: bool | None = None, device: str = "cpu"):
        monkeypatch.setattr(loading, "total_memory", lambda on: total)
        monkeypatch.setattr(loading, "free_memory", lambda on: free)
        return loading._planned("lite", {part: LITE / part for part in FULL}, None, device, low)

    plain, low = (planned(1e12, 1e12, low) for low in (False, True))
    assert low.weights < plain.weights < plain.need and not plain.low and low.low
    assert planned(1.2 * plain.need, plain.weights) == plain == planned(plain.need, plain.weights, False)
    assert planned(plain.need, plain.weights) == low  # some of it is a screen's and the driver's
    with pytest.raises(WeightsError, match="ask for low_memory=True"):
        planned(1e12, plain.weights - 1)
    with pytest.raises(WeightsError, match="free: close other programs, or use lite"):
        planned(0, low.weights - 1)
    assert planned(1e12, 1e12, device="cuda:1").half and planned(0, 1e12, device="cuda:1").offload


def test_what_the_docstring_and_the_readme_say_of_memory_is_what_is_computed():
    from textedit_lite.memory import holding
    from textedit_lite.models import FULL_FINDERS, FULL_PAINTER

    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
    needs = {(kind, low): holding(kind, FULL_FINDERS, FULL_PAINTER, 512, low).need for kind in ("cuda", "cpu") for low in (False, True)}
    assert {key: f"{need / 1e9:.1f}" for key, need in needs.items()} == {
        ("cuda", False): "8.3", ("cuda", True): "4.6", ("cpu", False): "8.4", ("cpu", True): "4.3"}  # fmt: skip
    assert "8.3 GB of a GPU" in load_models.__doc__ and "4.6 GB in low" in load_models.__doc__ and "8.4 and 4.3 GB" in load_models.__doc__
    assert "they take 8.3 GB of it, or 4.6 GB in low memory" in readme


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc keeps what was freed")
def test_memory_that_was_freed_goes_back_to_the_system():
    import psutil

    from textedit_lite.memory import give_back

    pieces = [bytearray(60_000) for _ in range(4_000)]
    kept = pieces[::40]  # scattered among what is freed, so that the C library cannot give it back by itself
    del pieces
    before = psutil.Process().memory_info().rss
    give_back()
    assert before - psutil.Process().memory_info().rss > 100_000_000 and len(kept) == 100


def test_weights_larger_than_the_memory_are_refused_with_both_numbers(monkeypatch):
    monkeypatch.setattr("textedit_lite.models.free_memory", lambda device: 2_000_000)
    words = r"The lite weights need \d+ MB for the weights .* has 2 MB free: ask for low_memory=True"
    with pytest.raises(WeightsError, match=words) as caught:
        load_models("lite", device="cpu")
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("raised", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_memory_that_runs_out_while_loading_is_one_sentence(raised, monkeypatch):
    from textedit_lite import models as loading

    def full(*arguments, **options):
        raise raised

    monkeypatch.setattr(loading, "whole_model", full)
    with pytest.raises(WeightsError, match=r"The lite weights need \d+ MB for the weights .* free"):
        load_models("lite", device="cpu")
    with pytest.raises(WeightsError, match="no room in the memory"):
        loading.lone_segmenter(LITE / "sam", "sam")


def test_memory_that_runs_out_in_a_command_is_one_sentence(monkeypatch, capsys):
    import torch

    from textedit_lite import cli, doctor

    for raised in (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GB"), MemoryError()):
        def full(*arguments, raised=raised, **options):
            raise raised

        monkeypatch.setattr(doctor, "doctor", full)
        assert cli.main(["doctor"]) == 2
        assert capsys.readouterr().err == "textedit-lite: The memory has no room for this: close other programs, or use lite.\n"


def test_a_text_encoder_that_lacks_a_tensor_is_refused(copied):
    """The painter's own loading would draw it at random, and say nothing."""
    from safetensors.torch import load_file, save_file

    (copied / CHECKSUMS).unlink()
    [file] = (copied / "inpaint" / "text_encoder").glob("*.safetensors")
    stored = load_file(file)
    stored.pop(next(name for name in stored if name.endswith("final_layer_norm.weight")))
    save_file(stored, file, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="lacks 1 tensors"):
        load_models(copied, device="cpu")


def test_a_small_machine_gets_low_memory_by_itself_and_a_wish_decides(monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.models.total_memory", lambda device: 50_000_000)
    models = load_models("lite", device="cpu")
    assert models.low_memory and models.painter.unet.dtype == torch.bfloat16
    models = load_models("lite", device="cpu", low_memory=False)
    assert not models.low_memory and models.painter.unet.dtype == torch.float32


def test_low_memory_slices_the_attention_except_on_mps_where_slices_may_come_out_black():
    from diffusers.models.attention_processor import SlicedAttnProcessor

    from textedit_lite.models import _slice_attention

    def sliced(pipeline) -> bool:
        kinds = {type(processor) for processor in pipeline.unet.attn_processors.values()}
        return kinds == {SlicedAttnProcessor}

    painter = load_models("lite").painter
    for device in ("mps", "mps:0"):
        _slice_attention(painter, device)
        assert not sliced(painter)
    low = load_models("lite", device="cpu", low_memory=True)
    assert sliced(low.painter) and sliced(low.rival("text2image"))


# --- memory that runs out while it paints ------------------------------------------------------------------------


def no_more_than(most: int, paint, asked: list[int], error: Exception | None = None):
    """A painter for whose GPU more than so many at once are too many; `asked` is how many each call was for."""
    import torch

    def painted(some, *arguments, **options):
        asked.append(len(some))
        if len(some) > most:
            raise error or torch.OutOfMemoryError("CUDA out of memory.")
        return paint(some, *arguments, **options)

    return painted


def test_what_is_too_much_at_once_is_halved_until_it_fits_and_stays_so():
    asked, models = [], SimpleNamespace(at_once=8, low_memory=False)
    double = no_more_than(3, lambda some: [2 * one for one in some], asked)
    assert in_portions(range(11), models, double) == [2 * i for i in range(11)]
    assert asked == [8, 4, 2, 2, 2, 2, 2, 1] and models.at_once == 2
    assert in_portions([], models, double) == []
    assert in_portions(range(3), models, double) == [0, 2, 4] and asked[8:] == [2, 1]


@pytest.mark.parametrize(
    "said",
    ["MPS backend out of memory (MPS allocated: 9 GB)", "DefaultCPUAllocator: can't allocate memory: 9 bytes",
     "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"],
)  # fmt: skip
def test_memory_runs_out_on_other_devices_too(said):
    asked, models = [], SimpleNamespace(at_once=4, low_memory=False)
    assert in_portions(range(4), models, no_more_than(2, list, asked, RuntimeError(said))) == [0, 1, 2, 3] and asked == [4, 2, 2]
    with pytest.raises(RuntimeError, match="shapes"):  # no other error is taken for it
        in_portions(range(4), models, no_more_than(0, list, asked, RuntimeError("shapes differ")))


@pytest.mark.parametrize(("low", "words"), [(False, "--low-memory`, `load_models.low_memory=True.`"), (True, "close other .* use lite")])
def test_memory_for_not_even_one_painting_is_one_sentence(low, words):
    asked, models = [], SimpleNamespace(at_once=4, low_memory=low)
    with pytest.raises(WeightsError, match=words) as caught:
        in_portions(range(3), models, no_more_than(0, list, asked))
    assert asked == [3, 1] and "smaller picture would not help" in str(caught.value) and str(caught.value).endswith("size.")


def test_an_edit_goes_on_one_by_one_where_the_memory_runs_out(models, monkeypatch):
    street, prompts = data_path("samples", "street.png"), ["the left car changes to a red car", "the left car changes to a green car"]
    together = Editor(models).edit_batch([street] * 2, prompts, rounds=1)
    asked = []
    monkeypatch.setattr("textedit_lite.editor.inpaint_batch", no_more_than(1, inpaint_batch, asked))
    alone = Editor(replace(models)).edit_batch([street] * 2, prompts, rounds=1)
    assert asked == [2, 1, 1]
    for one, other in zip(together, alone, strict=True):
        assert np.abs(np.asarray(one.image, int) - np.asarray(other.image, int)).max() <= 1


def test_a_rival_goes_on_one_by_one_where_the_memory_runs_out(models):
    asked, sizes = [], [(64, 64), (128, 64), (32, 32), (96, 96)]
    pictures = [Image.new("RGB", size, (i, 0, 0)) for i, size in enumerate(sizes)]
    paint = no_more_than(1, lambda jobs: [Outcome(job.picture) for job in jobs], asked)
    settings = {"steps": 1, "guidance": 1.0}
    prompt = ["the car changes to a red car"] * 4
    done = edit_whole("sdedit", pictures, prompt, range(4), replace(models), models.painter, settings, paint)
    assert asked == [3, 1, 1, 1, 1]
    assert [(result.image.size, result.image.getpixel((0, 0))[0], result.settings.seed) for result in done] == [
        (size, i, i) for i, size in enumerate(sizes)]  # fmt: skip
