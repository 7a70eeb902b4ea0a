"""The Hub's way in: ids and revisions out of a cache laid out as its client does it, offline, through the same code as the real ones."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import hub_cache
import pytest

from textedit_lite import Editor, cli, hub
from textedit_lite.errors import WeightsError
from textedit_lite.hub import Source
from textedit_lite.inpaint import possible_steps
from textedit_lite.models import FULL, OPTIONAL, fetch_weights, load_models, read_sources
from textedit_lite.vocabulary import PHOTOGRAPHED

PROMPT = "the left car changes to a red car"


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A cache with small models of the full architectures under the full ids, and a client that may not go out."""
    from huggingface_hub import constants

    root = tmp_path_factory.mktemp("hub")
    for part, folder in hub_cache.build(root / "made", hub_cache.SMALL_SIZE, detector_side=128).items():
        hub_cache.publish(root / "cache", FULL[part], folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        yield root / "cache"


@pytest.fixture
def copied(offline, tmp_path, monkeypatch) -> Path:
    """The same cache, which may be damaged."""
    from huggingface_hub import constants

    shutil.copytree(offline, tmp_path / "cache", symlinks=True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def full(offline):
    return load_models("full", device="cpu")


def one_sentence(error) -> str:
    text = str(error.value)
    assert text.endswith(".") and "\n" not in text, text
    return text


# --- loading by id -----------------------------------------------------------------------------------------------


def test_the_full_models_come_out_of_the_cache_by_their_ids(full):
    from transformers import CLIPTokenizer, ResNetBackbone

    assert full.name == "full" and full.known_words is None
    assert len(full.categories) == 80 and full.categories[0] == "person"
    assert full.captions == "a photo of {}" and full.reads == ("colour",) and not full.sketches
    assert (full.steps, full.guidance, full.temperature, full.sure, full.colours) == (30, 7.5, 1.0, 0.8, PHOTOGRAPHED)
    assert isinstance(full.painter.tokenizer, CLIPTokenizer) and isinstance(full.clip_tokenizer, CLIPTokenizer)
    assert len(full.clip_tokenizer) == hub_cache.WORDS and full.painter.safety_checker is not None
    assert any(isinstance(module, ResNetBackbone) for module in full.detr.modules())
    processors = (full.detr_processor, full.clip_processor, full.painter.feature_extractor)
    assert all("Pil" in type(processor).__name__ for processor in processors)
    assert full.detr_processor.size["longest_edge"] == 213  # 1333, at the scale of the small detector


def test_a_painting_from_noise_begins_at_the_last_timestep_however_few_its_steps(full, models):
    for painter, published in ((full.painter, "leading"), (models.painter, "trailing")):
        scheduler = type(painter.scheduler).from_config(painter.scheduler.config)  # whose timesteps nobody else is using
        for steps in (1, 2, 4, 12, 30):
            scheduler.set_timesteps(steps)
            assert scheduler.timesteps.max() == scheduler.config.num_train_timesteps - 1 == 999
            assert len(scheduler.timesteps) == steps and possible_steps(steps, painter) == steps
        as_published = type(scheduler).from_config(scheduler.config, timestep_spacing=published)
        as_published.set_timesteps(4)
        assert as_published.timesteps.max() == {"leading": 751, "trailing": 999}[published]
        differ = [key for key, value in scheduler.config.items() if key[0] != "_" and as_published.config[key] != value]
        assert differ == (["timestep_spacing"] if published == "leading" else [])


def test_a_timm_backbone_is_read_into_the_same_layers(full, offline):
    """Every tensor that the file holds under timm's names is in the model, bit for bit."""
    from safetensors.torch import load_file

    stored = load_file(hub.snapshot(FULL["detr"]) / "model.safetensors")
    own = hub_cache.with_timm_names({key.replace("model.backbone.model.", "model.backbone.conv_encoder.model."): value
                                     for key, value in full.detr.state_dict().items()})  # fmt: skip
    backbone = {key for key in stored if "backbone" in key}
    assert len(backbone) == 53 + 4 * 53  # convolutions, and four numbers a channel for the norm behind each
    assert backbone == {key for key in own if "backbone" in key}
    assert all((stored[key] == own[key]).all() for key in backbone)


@pytest.mark.parametrize("names", ["timm's", "transformers'"])
def test_a_resnet_of_transformers_is_read_under_either_names(full, offline, tmp_path, names):
    """As the branch "no_timm" has it, and as the library saves a model that came under timm's names."""
    folder = tmp_path / "detr"
    full.detr.save_pretrained(folder)
    shutil.copy(hub.snapshot(FULL["detr"]) / "preprocessor_config.json", folder)
    assert json.loads((folder / "config.json").read_text())["backbone_config"]["model_type"] == "resnet"
    if names == "transformers'":
        from safetensors.torch import save_file

        own = {key.replace("model.backbone.model.", "model.backbone.conv_encoder.model."): value
               for key, value in full.detr.state_dict().items()}  # fmt: skip
        save_file(own, folder / "model.safetensors", {"format": "pt"})
    assert ("conv1" in str(list(hub.header(folder / "model.safetensors")))) == (names == "timm's")
    weights = tmp_path / "weights.toml"
    weights.write_text('detr = "detr"\n')
    again = load_models(weights, device="cpu")
    assert again.name == str(weights)
    assert all((a == b).all() for a, b in zip(again.detr.parameters(), full.detr.parameters(), strict=True))


def test_a_backbone_with_many_layers_a_stage_is_read_too():
    """As of ResNet-101, whose third stage has 23."""
    import torch
    from transformers import ResNetBackbone, ResNetConfig

    from textedit_lite.checkpoints import TIMM_DEPTHS, TIMM_NAMES

    with torch.device("meta"):
        resnet = ResNetBackbone(ResNetConfig(depths=TIMM_DEPTHS["resnet101"], out_features=["stage4"]))
    own = {f"model.backbone.conv_encoder.model.{name}" for name in resnet.state_dict() if "num_batches" not in name}
    timms = {name: hub_cache.with_timm_names({name: None}).popitem()[0] for name in own}
    assert any("layer3.22.conv3" in name for name in timms.values())
    for name, read in timms.items():
        for pattern, replaced in TIMM_NAMES.items():
            read = re.sub(pattern, replaced, read)
        assert read == name


@pytest.mark.parametrize("changed", [{"dilation": True}, {"backbone": "resnet18"}])
def test_a_backbone_that_only_timm_can_build_is_told_of(offline, tmp_path, changed):
    from textedit_lite.checkpoints import without_timm

    config = json.loads((hub.snapshot(FULL["detr"]) / "config.json").read_text())
    hub_cache.write_json(tmp_path / "config.json", config | changed)
    with pytest.raises(ValueError, match="backbone resnet.* cannot be read without timm"):
        without_timm(tmp_path)


def test_clip_reads_to_the_first_end_of_the_text(full):
    """The public configuration still calls token 2 the end; the padding behind the real one must not count."""
    import torch

    words = "a photo of a red car"
    short = full.clip_tokenizer([words], return_tensors="pt")
    padded = full.clip_tokenizer([words], padding="max_length", truncation=True, return_tensors="pt")
    assert padded["input_ids"].shape == (1, 77)
    with torch.inference_mode():
        features = [full.clip.get_text_features(**tokens).pooler_output for tokens in (short, padded)]
    assert torch.allclose(*features, atol=1e-5)


def test_an_edit_keeps_the_background_and_what_is_not_there_is_a_status(full):
    import numpy as np
    from PIL import Image

    picture = hub_cache.a_drawn_photograph()
    editor = Editor(full)
    nowhere = editor.edit(picture, PROMPT)
    assert nowhere.status == "not_found" and nowhere.image is None and "car" in nowhere.message
    mask = Image.new("L", picture.size)
    mask.paste(255, (200, 150, 400, 330))
    result = editor.edit(picture, PROMPT, mask=mask, steps=2)
    assert result.status in ("edited", "unverified") and result.rounds == 3
    assert result.description.startswith("a red car") and "tilted" not in result.description
    before, after, outside = (np.asarray(part) for part in (picture, result.image, mask))
    assert (before == after)[outside == 0].all() and (before != after)[outside > 0].any()


def test_low_memory_computes_in_half_and_one_by_one(offline, monkeypatch):
    from dataclasses import replace

    import torch

    from textedit_lite import models as module

    planned = module._planned
    monkeypatch.setattr(module, "_planned", lambda *given: replace(planned(*given), at_once=1))  # as for a painter of full size
    models = load_models("full", device="cpu", low_memory=True)
    assert models.low_memory and models.painter.unet.dtype == torch.bfloat16 and models.clip.dtype == torch.float32
    assert models.painter.vae.use_slicing
    from PIL import Image

    picture, calls = hub_cache.a_drawn_photograph((96, 64)), []
    run = type(models.painter).__call__
    monkeypatch.setattr(type(models.painter), "__call__", lambda self, **given: calls.append(len(given["prompt"])) or run(self, **given))
    mask = Image.new("L", picture.size)
    mask.paste(255, (20, 20, 60, 50))
    result = Editor(models).edit(picture, PROMPT, mask=mask, steps=2, rounds=2)
    assert result.image is not None and calls == [1, 1, 1]


# --- the cache ---------------------------------------------------------------------------------------------------


def test_whatever_comes_from_the_hub_is_pinned_to_a_commit():
    """A branch may move: what was checked once would be another file tomorrow."""
    assert all(re.fullmatch("[0-9a-f]{40}", source.revision) for source in (FULL | OPTIONAL).values())


def test_a_warm_cache_is_used_without_a_look_outside(offline, monkeypatch):
    import huggingface_hub

    def outside(*arguments, **options):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", outside)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", outside)
    assert [hub.fetch(source, part) for part, source in FULL.items()] == [hub.snapshot(source) for source in FULL.values()]


def test_fetch_on_a_warm_cache_checks_every_file(offline, capsys):
    assert cli.main(["fetch", "full"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == list(FULL) and all(line.endswith("whole.") for line in lines)


def test_a_folder_without_weights_is_not_called_whole(offline, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "weights.toml").write_text('clip = "mine"\n')
    said = []
    with pytest.raises(WeightsError, match="mine holds no safetensors for clip: ") as caught:
        fetch_weights(tmp_path / "weights.toml", say=said.append)
    assert one_sentence(caught) and [line.split(":")[0] for line in said] == ["detr"]


def test_one_wrong_byte_in_the_cache_is_found_by_its_hash(copied):
    path = next(hub.snapshot(FULL["inpaint"]).glob("vae/*.fp16.safetensors"))
    blob = path.resolve()
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    assert hashlib.sha256(data).hexdigest() != blob.name
    with pytest.raises(WeightsError, match="another sha256 than the Hub gives and was removed") as caught:
        fetch_weights("full", say=lambda line: None)
    assert str(path) in one_sentence(caught)
    assert not blob.exists() and hub.cached(FULL["inpaint"], "inpaint") is None  # nothing will load it


def test_a_file_that_is_cut_short_is_found_before_it_is_loaded(copied):
    blob = (hub.snapshot(FULL["clip"]) / "model.safetensors").resolve()
    blob.write_bytes(blob.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="damaged or cut short") as caught:
        load_models("full", device="cpu")
    one_sentence(caught)


@pytest.mark.parametrize("part, name", [
    ("detr", "preprocessor_config.json"), ("clip", "model.safetensors"), ("clip", "tokenizer.json vocab.json"),
    ("inpaint", "model_index.json"), ("inpaint", "unet/diffusion_pytorch_model.fp16.safetensors"),
    ("inpaint", "safety_checker/config.json"), ("inpaint", "scheduler"),
])  # fmt: skip
def test_an_interrupted_download_does_not_count_as_one(copied, part, name):
    folder = hub.snapshot(FULL[part])
    for one in name.split():
        shutil.rmtree(folder / one) if (folder / one).is_dir() else (folder / one).unlink()
    assert hub.snapshot(FULL[part]) and hub.cached(FULL[part], part) is None
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set") as caught:
        load_models("full", device="cpu")
    assert FULL[part].path in one_sentence(caught)


def test_pieces_and_their_index_are_as_good_as_a_whole_file(tmp_path):
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for name in ("config.json", "preprocessor_config.json", "model-1.safetensors"):
        (tmp_path / name).write_text("{}")
    assert hub.lacking(tmp_path, "detr", None) == ["model-2.safetensors"]
    (tmp_path / "model-2.safetensors").write_text("")
    assert hub.lacking(tmp_path, "detr", None) == []


def test_pieces_of_a_variant_are_told_from_those_of_none(tmp_path):
    """As transformers names them, and as diffusers does."""
    plain = ["model-00001-of-00002.safetensors", "model.safetensors"]
    half = ["model.fp16-00001-of-00002.safetensors", "model-00001-of-00002.fp16.safetensors", "model.fp16.safetensors"]
    for name in plain + half:
        (tmp_path / name).touch()
    assert [path.name for path in hub.weights_files(tmp_path)] == sorted(plain)
    assert [path.name for path in hub.weights_files(tmp_path, "fp16")] == sorted(half)


def test_a_branch_is_the_commit_that_the_cache_says(copied):
    source, commit = FULL["clip"], "0" * 40
    home = hub.snapshot(source).parents[1]
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(source.revision + "\n")
    (home / "refs" / "new").write_text(commit)
    (home / "snapshots" / commit).mkdir()
    assert hub.snapshot(Source(source.path)) == hub.snapshot(Source(source.path, "main")) == hub.snapshot(source)
    assert hub.snapshot(Source(source.path, "new")).name == commit and hub.snapshot(Source(source.path, "old")) is None


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"0", lambda data: b"", lambda data: data[1:]])
def test_a_file_is_whole_if_it_is_exactly_as_long_as_its_header_says(offline, tmp_path, change):
    path = tmp_path / "model.safetensors"
    shutil.copy(hub.snapshot(FULL["clip"]) / path.name, path)
    assert hub.verify(tmp_path) == path.stat().st_size
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(WeightsError, match="damaged or cut short"):
        hub.verify(tmp_path)


def test_no_pickle_and_no_other_variant_is_ever_fetched():
    from fnmatch import fnmatch

    def taken(part, variant, names):
        return [name for name in names if any(fnmatch(name, pattern) for pattern in hub.patterns(part, variant))]

    painter = ["model_index.json", "sd-v1-5-inpainting.ckpt", "unet/config.json", "unet/diffusion_pytorch_model.bin",
               "tokenizer/merges.txt", "unet/diffusion_pytorch_model.safetensors",
               "unet/diffusion_pytorch_model.fp16.safetensors", "README.md",
               "unet/diffusion_pytorch_model.non_ema.safetensors", "text_encoder/model.fp16.safetensors"]  # fmt: skip
    assert taken("inpaint", "fp16", painter) == [painter[0], painter[2], painter[4], painter[6], painter[9]]
    assert taken("inpaint", None, painter) == [painter[0], painter[2], painter[4], painter[5]]
    assert taken("clip", None, ["pytorch_model.bin", "flax_model.msgpack", "model.safetensors", "vocab.json", "merges.txt"]) == [
        "model.safetensors", "vocab.json", "merges.txt"]  # fmt: skip


def test_the_sums_of_what_a_weights_file_names_on_the_hub_are_the_caches(offline, tmp_path):
    from textedit_lite.evaluation.manifest import weights_of

    whole = weights_of("full")
    folders = {part: hub.snapshot(source) for part, source in FULL.items()}
    blobs = {f"{part}/{path.relative_to(folder).as_posix()}": path.resolve().name
             for part, folder in folders.items() for path in folder.rglob("*.safetensors")}  # fmt: skip
    assert whole == blobs and len(whole) == 6
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"clip": {"revision": FULL["clip"].revision}}))
    assert weights_of(str(path)) == whole
    path.write_text(json.dumps({"clip": "nobody/nothing"}))
    assert weights_of(str(path))["clip/nobody/nothing@None"] == "not in the cache"


# --- what goes wrong ---------------------------------------------------------------------------------------------


@pytest.fixture
def empty(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "none"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_offline_without_weights_is_one_sentence(empty, capsys):
    assert cli.main(["fetch", "full", "--yes"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "HF_HUB_OFFLINE is set" in error and "fetch full" in error


def _answer(kind, status: int):
    """The client's own error, made as it makes it from an answer."""
    from huggingface_hub import errors

    try:
        from huggingface_hub.errors import HTTPError  # its transport's, under whatever name that goes today
        transport = __import__(HTTPError.__module__.split(".")[0])
        response = transport.Response(status, request=transport.Request("GET", "https://huggingface.co/api/models/a/b"))
    except (ImportError, AttributeError):
        response = SimpleNamespace(status_code=status, headers={}, request=None)
    return getattr(errors, kind)("no", response=response)


@pytest.mark.parametrize("kind, status, words", [
    ("GatedRepoError", 403, "is gated: accept its terms at https://huggingface.co/facebook/detr-resnet-50"),
    ("RepositoryNotFoundError", 404, "There is no facebook/detr-resnet-50 on the Hub"),
    ("RevisionNotFoundError", 404, "no longer has the revision"), ("HfHubHTTPError", 503, "answered 503"),
    ("HfHubHTTPError", 401, "to the token of HF_TOKEN or `hf auth login` (401): renew it or do without"),
])  # fmt: skip
def test_what_the_hub_answers_becomes_a_sentence(empty, monkeypatch, kind, status, words):
    import huggingface_hub

    def refuse(*arguments, **options):
        raise _answer(kind, status)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", refuse)
    with pytest.raises(WeightsError) as caught:
        fetch_weights("full")
    assert words in one_sentence(caught)


def test_a_full_and_a_locked_disk_are_told_apart(empty):
    full = OSError(errno.ENOSPC, "No space left on device")
    assert "is full: make room" in hub.explain(full, FULL["clip"])
    for number in (errno.EACCES, errno.EPERM, errno.EROFS):
        assert "a folder of your own" in hub.explain(OSError(number, "no"), FULL["clip"])
    for number, words in ((errno.ENOSPC, "is full: make room"), (errno.EACCES, "a folder of your own")):  # as hf_xet says it
        said = RuntimeError(f"Data processing error: File reconstruction error: IO Error: oh no (os error {number})")
        assert words in hub.explain(said, FULL["clip"])
    assert "the Hub cannot be reached" in hub.explain(ConnectionError("no route"), FULL["clip"])


def test_a_download_that_the_disk_cannot_hold_does_not_begin(empty, monkeypatch):
    import huggingface_hub

    files = [SimpleNamespace(rfilename="model.safetensors", size=10**15), SimpleNamespace(rfilename="pytorch_model.bin", size=10**18)]
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *arguments, **options: SimpleNamespace(siblings=files))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *arguments, **options: pytest.fail("it began"))
    with pytest.raises(WeightsError, match=r"needs 1000000.0 GB and .* free: make room") as caught:
        hub.fetch(FULL["clip"], "clip")
    one_sentence(caught)


def test_of_a_download_that_broke_off_only_the_rest_is_counted(copied, monkeypatch):
    import huggingface_hub

    asked, folder = [], hub.snapshot(FULL["inpaint"])
    files = [SimpleNamespace(rfilename=path.relative_to(folder).as_posix(), size=path.stat().st_size)
             for path in folder.rglob("*") if path.is_file()]  # fmt: skip

    def model_info(client, name, revision, **options):
        asked.append((name, revision))
        return SimpleNamespace(siblings=files)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    (weights,) = (folder / "vae").glob("*.safetensors")
    size = weights.stat().st_size
    assert hub.download_size(FULL["inpaint"], "inpaint") == 0
    weights.unlink()
    assert hub.download_size(FULL["inpaint"], "inpaint") == size > 0
    assert asked == 2 * [(FULL["inpaint"].path, FULL["inpaint"].revision)]


def test_a_cache_on_a_drive_that_is_not_there_is_one_sentence(empty, monkeypatch):
    """As on Windows, where even the topmost folder of a path may be missing."""
    monkeypatch.setattr(hub.os.path, "exists", lambda path: False)
    with pytest.raises(WeightsError, match="set HF_HOME to a folder on a disk that is there") as caught:
        hub.check_space(1)
    one_sentence(caught)


def test_a_cache_that_may_not_be_looked_into_holds_nothing(copied, monkeypatch):
    import os

    assert hub.cached(FULL["clip"], "clip")
    stat = os.stat

    def refused(path, *arguments, **options):
        if str(path).startswith(str(copied)):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return stat(path, *arguments, **options)

    monkeypatch.setattr(os, "stat", refused)
    assert hub.cached(FULL["clip"], "clip") is None


@pytest.mark.parametrize("own", [False, True])
def test_a_download_in_the_midst_of_an_edit_is_told_of_before_it_begins(empty, monkeypatch, tmp_path, capsys, own):
    import huggingface_hub

    from textedit_lite.models import OPTIONAL

    def begun(*arguments, **options):
        assert "Downloading" in capsys.readouterr().err, "nobody was told"
        raise ConnectionError("and broke off")

    files = [SimpleNamespace(rfilename="model.safetensors", size=375_000_000)]
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *arguments, **options: SimpleNamespace(siblings=files))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", begun)
    models = load_models("lite", device="cpu")
    models.loaded, models.optional, models.name = {}, {"sam": Source("a/b") if own else OPTIONAL["sam"]}, str(tmp_path / "w.toml")
    with pytest.raises(WeightsError, match="cannot be reached"):
        models.segmenter("sam")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *arguments, **options: pytest.fail("it began"))
    monkeypatch.setattr(hub, "fetch", lambda source, part: tmp_path)
    with pytest.raises(WeightsError):
        models.segmenter("sam")
    line, name = capsys.readouterr().err, models.name if own else "sam"
    assert line.startswith(f"Downloading 375 MB ({models.optional['sam']}) into ") and line.count("\n") == 1
    assert line.endswith(f"; `textedit-lite fetch {name}` does this ahead of time.\n")


def test_fetch_asks_before_it_downloads(empty, monkeypatch):
    import huggingface_hub

    files = [SimpleNamespace(rfilename="model.safetensors", size=2_000_000)]
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *arguments, **options: SimpleNamespace(siblings=files))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *arguments, **options: pytest.fail("nobody agreed"))
    asked = []
    assert fetch_weights("full", agree=lambda question: asked.append(question)) == {}
    assert len(asked) == 1 and "downloads 4 MB" in asked[0] and FULL["inpaint"].path in asked[0]
    monkeypatch.setattr(hub.shutil, "disk_usage", lambda place: SimpleNamespace(free=3_000_000))  # enough for one of the two
    with pytest.raises(WeightsError, match="needs 4 MB and .* has 3 MB free"):
        fetch_weights("full", agree=lambda question: pytest.fail("it asked"))


@pytest.mark.parametrize("held, asked, taken", [
    (".fp16", None, "fp16"), (".fp16", "fp16", "fp16"), ("", None, None), ("", "fp16", None), (".bf16", "bf16", "bf16"),
])  # fmt: skip
def test_of_a_folder_the_variant_is_loaded_that_it_holds(tmp_path, held, asked, taken):
    from textedit_lite.models import _variant

    path = tmp_path / "unet" / f"diffusion_pytorch_model{held}.safetensors"
    path.parent.mkdir()
    path.touch()
    assert _variant(tmp_path, Source(str(tmp_path), variant=asked)) == taken


def test_of_a_folder_with_both_precisions_one_is_counted_as_one_is_loaded(offline, tmp_path, monkeypatch):
    from textedit_lite import models as module

    planned, known = [], module._planned
    monkeypatch.setattr(module, "_planned", lambda *given: planned.append(known(*given)) or planned[-1])
    sizes = []
    for part, source in FULL.items():
        shutil.copytree(hub.snapshot(source), tmp_path / part)
    weights = tmp_path / "weights.json"
    weights.write_text(json.dumps({part: part for part in FULL}))
    for both in (False, True):
        for path in list(tmp_path.rglob("*.fp16.safetensors")) if both else ():
            shutil.copy(path, path.with_name(path.name.replace(".fp16", "")))
        load_models(tmp_path, device="cpu")
        fetch_weights(weights, say=lambda line: sizes.append(line.split(", ")[-2]))
    assert planned[0] == planned[1] and planned[0].weights > 4_000_000
    assert sizes[:3] == sizes[3:] and "0 MB" not in sizes


# --- memory ------------------------------------------------------------------------------------------------------


def test_what_is_offloaded_is_never_there_in_larger_number_than_planned(full, monkeypatch):
    """The parts that one painting has on its device at a time, as the offloading's own hooks bring and take them."""
    from accelerate import hooks
    from PIL import Image

    from textedit_lite.inpaint import inpaint
    from textedit_lite.memory import holding

    parts = {part: getattr(full.painter, part) for part in hub.MODELS_OF_A_PAINTER}
    numbers = {part: sum(one.numel() for one in model.parameters()) for part, model in parts.items()}
    there, most, bring = {id(full.painter.safety_checker)}, [], hooks.CpuOffload.pre_forward

    def brought(hook, module, *arguments, **options):
        if hook.prev_module_hook:
            there.discard(id(hook.prev_module_hook.model))
        there.add(id(module))
        most.append(sum(numbers[part] for part, model in parts.items() if id(model) in there))
        return bring(hook, module, *arguments, **options)

    monkeypatch.setattr(hooks.CpuOffload, "pre_forward", brought)
    mask = Image.new("L", (96, 96))
    mask.paste(255, (20, 20, 70, 70))
    try:
        full.painter.enable_model_cpu_offload(device="cpu")  # where nothing moves, but the hooks are the same
        assert "safety_checker" in full.painter._exclude_from_cpu_offload and not hasattr(full.painter.safety_checker, "_hf_hook")
        inpaint(Image.new("RGB", (96, 96)), mask, "a red car", full.painter, steps=2)
    finally:
        full.painter.remove_all_hooks()
        full.painter._all_hooks = []
    assert 2 * max(most) == holding("cuda", 0, numbers, 64, low=True).weights


# --- weights files -----------------------------------------------------------------------------------------------


def test_a_weights_file_replaces_what_it_names(tmp_path):
    (tmp_path / "mine").mkdir()
    path = tmp_path / "weights.toml"
    path.write_text('detr = "mine"\nclip = "openai/clip-vit-large-patch14"\n[inpaint]\npath = "a/b"\nrevision = "main"\nvariant = "fp16"\n')
    assert read_sources(path) == {
        "detr": Source(str(tmp_path / "mine")), "clip": Source("openai/clip-vit-large-patch14"), "inpaint": Source("a/b", "main", "fp16"),
    }  # fmt: skip
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({"clip": {"revision": "main"}, "detr": {"path": "mine", "revision": "main"}}))
    assert read_sources(path) == {**FULL, "clip": Source(FULL["clip"].path, "main"), "detr": Source(str(tmp_path / "mine"))}


def test_a_weights_file_of_windows_own_editors_is_read(tmp_path):
    for name, text in (("w.toml", 'clip = "a/b"\r\n'), ("w.json", '{"clip": "a/b"}')):
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.encode())
        assert read_sources(tmp_path / name)["clip"] == Source("a/b")


@pytest.mark.parametrize("name", ["w.toml", "w.json"])
def test_a_path_with_backslashes_is_told_to_do_without(name, tmp_path):
    text = r'detr = "C:\models\detr"' if name == "w.toml" else r'{"detr": "C:\models\detr"}'
    (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError, match="a folder .with / between its names") as caught:
        read_sources(tmp_path / name)
    one_sentence(caught)


@pytest.mark.parametrize("name", ["~nobody-of-that-name/weights", "~nobody-of-that-name/weights.toml"])
def test_a_home_that_nobody_has_is_one_sentence(name, tmp_path):
    for asked in (load_models, fetch_weights):
        with pytest.raises(WeightsError) as caught:
            asked(name)
        one_sentence(caught)
    (tmp_path / "weights.toml").write_text(f'clip = "{name}"')
    with pytest.raises(WeightsError, match="names for clip a folder that is not there"):
        read_sources(tmp_path / "weights.toml")


NONSENSE = (
    "detr = ", 'vae = "a/b"', "detr = 3", 'detr = ""', 'detr = "nowhere"', 'detr = "./a/b"', 'detr = "./nowhere"', 'detr = { id = "a/b" }',
)  # fmt: skip


@pytest.mark.parametrize("text", NONSENSE)
def test_a_weights_file_that_says_nothing_useful_is_one_sentence(tmp_path, text):
    path = tmp_path / "weights.toml"
    path.write_text(text)
    with pytest.raises(WeightsError, match="The weights file") as caught:
        load_models(path, device="cpu")
    one_sentence(caught)


def test_a_copy_of_a_snapshot_is_a_folder_like_any_other(full, offline, tmp_path):
    """Its half-precision files are found without being told of."""
    for part, source in FULL.items():
        shutil.copytree(hub.snapshot(source), tmp_path / part)
    again = load_models(tmp_path, device="cpu")
    assert all((a == b).all() for a, b in zip(again.painter.unet.parameters(), full.painter.unet.parameters(), strict=True))
