"""The training loop that survives being killed, and the CLIP that is trained with it."""

import hashlib
import json
import math
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from textedit_lite.errors import SettingsError, WeightsError
from textedit_lite.resources import data_path
from textedit_lite.training import clip, data, loop
from textedit_lite.training.score import score
from textedit_lite.vocabulary import COLOURS, POSES, VIEWS, describe
from textedit_lite.world.scenes import make_scene, render
from textedit_lite.world.sprites import CATEGORIES

# --- the loop ----------------------------------------------------------------------------------------------------


def small_model():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 16, 1))
    return layers.to(memory_format=torch.channels_last)


def small_batch(step, generator):
    return {"step": step, "x": torch.randn(8, 3, 6, 6, generator=generator)}


def small_loss(model, batch):
    time.sleep(0.005)
    error = (model(batch["x"])[:, 0] - batch["x"].mean((1, 2, 3))).square().mean()
    return error, {"error": error}


def small_run(out, minutes=0.02, loss=small_loss, **changes):
    return loop.run(small_model(), small_batch, loss, out, minutes, 1e-2, **{"warmup": 5, "progress": False} | changes)


def test_learning_rate_rises_holds_and_falls_to_zero():
    assert loop.learning_rate(1.0, 0, 0.0, warmup=10) == pytest.approx(0.1)
    assert loop.learning_rate(1.0, 50, 0.7, warmup=10, hold=0.75) == 1.0
    assert loop.learning_rate(1.0, 50, 0.875, warmup=10, hold=0.75) == pytest.approx(0.5)
    assert loop.learning_rate(1.0, 50, 1.0) == pytest.approx(0.0)
    assert loop.learning_rate(1.0, 50, 1.3) == pytest.approx(0.0)
    assert loop.learning_rate(1.0, 500, 0.99, hold=1.0) == 1.0


@pytest.mark.parametrize(
    "able, quick",
    [({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx512_f": True, "avx512_bf16": False}, False), ({}, False)],
)
def test_half_precision_is_left_to_processors_that_have_it(able, quick, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able, raising=False)
    kinds = []
    for wanted in (True, False):
        with loop.half_precision("cpu", wanted):
            kinds.append((torch.ones(2, 2) @ torch.ones(2, 2)).dtype)
    assert kinds == [torch.bfloat16 if quick else torch.float32, torch.float32]


@pytest.mark.parametrize("emulates", [True, False])
def test_half_precision_is_left_to_gpus_that_do_not_emulate_it(emulates, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: including_emulation or not emulates)
    assert loop.has_half_precision("cuda") is not emulates
    assert loop.has_half_precision(torch.device("cuda", 1)) is not emulates
    assert not loop.has_half_precision("mps")


class Answering(nn.Linear):
    """Answers with a tuple, as a UNet does."""

    def forward(self, x, return_dict=True):
        return (super().forward(x).tanh(),)


class NoWayBack(torch.autograd.Function):
    """Fails where gradients are asked for, as a compiled model whose backward pass cannot be built."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise subprocess.CalledProcessError(1, "gcc")


def fails_at(place):
    """What stands for torch.compile where it fails at once, at the first call, or on the way back."""

    def compile(model):
        def forward(*inputs, **options):
            if place == "call":
                raise RuntimeError("C++ compile error\nno Python.h")
            return (NoWayBack.apply(model(*inputs, **options)[0]),)

        if place == "once":
            raise RuntimeError("Dynamo is not supported on this Python")
        return forward

    return compile


@pytest.mark.parametrize("place", ["once", "call", "back"])
def test_what_cannot_be_compiled_is_trained_as_it_is_and_says_so_once(place, monkeypatch, capsys):
    tried = []
    monkeypatch.setattr(torch, "compile", lambda model: tried.append(model) or fails_at(place)(model))
    call, models, x = loop.compiled(), [Answering(3, 2), Answering(3, 2)], torch.randn(4, 3)
    for model in models + models:
        (output,) = call(model, x, return_dict=False)
        output.sum().backward()
        assert torch.equal(output, model(x)[0]) and model.weight.grad.any()
    assert tried == models[:1]
    told = capsys.readouterr().err.strip()
    assert "without torch.compile" in told and len(told.splitlines()) == 1


def test_what_can_be_compiled_is_and_is_tried_without_a_trace(monkeypatch, capsys):
    made = []

    def compile(model):
        made.append(model)
        return lambda *inputs, **options: (2 * model(*inputs, **options)[0],)

    monkeypatch.setattr(torch, "compile", compile)
    call, model, x = loop.compiled(), Answering(3, 2), torch.randn(4, 3)
    model.bias.requires_grad_(False)  # as most of a student that learns a LoRA
    for _ in range(2):
        assert torch.equal(call(model, x)[0], 2 * model(x)[0])
    assert made == [model] and model.weight.grad is None
    with torch.no_grad():  # a model that only leads has no way back
        call(Answering(3, 2).requires_grad_(False), x)
    assert capsys.readouterr().err == ""


def test_a_compiler_that_does_nothing_is_found_out(tmp_path, monkeypatch, capsys):
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    call, model, x = loop.compiled(), Answering(3, 2), torch.randn(4, 3)
    with config.patch({"cpp.cxx": (None, "a-compiler-that-is-not-there")}):
        assert torch.equal(call(model, x)[0], model(x)[0])
    assert "without torch.compile" in capsys.readouterr().err


class Travelling(nn.Sequential):
    """A model that notes where it is sent."""

    def to(self, where):
        self.places = [*getattr(self, "places", []), where]
        return self


AWAY, HOME = torch.device("cpu", 0), torch.device("cpu")


def test_a_trained_model_is_back_where_it_came_from(tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "device", lambda: AWAY)
    model = Travelling(*small_model())
    run = loop.run(model, small_batch, small_loss, tmp_path, 0.001, 1e-2, progress=False)
    assert model.places == [AWAY, HOME] and AWAY != HOME and run.model is model


def test_ctrl_c_leaves_nothing_on_the_device(tmp_path, monkeypatch):
    def interrupted(model, batch):
        signal.raise_signal(signal.SIGINT)
        return small_loss(model, batch)

    monkeypatch.setattr(loop, "device", lambda: AWAY)
    model = Travelling(*small_model())
    with pytest.raises(KeyboardInterrupt) as stopped:  # whose frames a notebook keeps
        loop.run(model, small_batch, interrupted, tmp_path, 0.02, 1e-2, progress=False)
    kept = stopped.traceback[-1].frame.f_locals
    assert model.places == [AWAY, HOME]
    assert not [name for name, value in kept.items() if isinstance(value, (torch.Tensor, torch.optim.Optimizer))]
    assert kept["average"] is None and "batch" not in kept


def test_a_run_learns_and_ends_on_time(tmp_path):
    run = small_run(tmp_path, 0.03)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert 0.03 <= run.minutes < 0.06
    assert lines[-1]["step"] == run.steps
    x = torch.randn(256, 3, 6, 6)
    with torch.no_grad():
        better, before = ((m.eval()(x)[:, 0] - x.mean((1, 2, 3))).square().mean() for m in (run.model, small_model()))
    assert better < before


def test_more_minutes_extend_a_finished_run(tmp_path):
    first = small_run(tmp_path, 0.01)
    assert small_run(tmp_path, 0.01).steps == first.steps
    longer = small_run(tmp_path, 0.02)
    assert longer.steps > first.steps
    assert longer.minutes >= 0.02


def test_changed_settings_are_refused_by_name(tmp_path):
    small_run(tmp_path, 0.005)
    with pytest.raises(SettingsError, match="weight_decay 0.01, not 0.5"):
        small_run(tmp_path, 0.01, weight_decay=0.5)
    with pytest.raises(SettingsError, match="crops None, not 3"):
        small_run(tmp_path, 0.01, settings={"crops": 3})
    with pytest.raises(SettingsError, match="another shape"):
        loop.run(nn.Linear(2, 2), small_batch, small_loss, tmp_path, 0.01, 1e-2, warmup=5, progress=False)


@pytest.mark.parametrize("minutes", [0, -1, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(tmp_path, minutes):
    with pytest.raises(SettingsError, match="a time above 0"):
        small_run(tmp_path, minutes)


def test_a_loss_that_is_no_number_is_said(tmp_path):
    with pytest.raises(SettingsError, match="nan at step 0"):
        small_run(tmp_path, loss=lambda model, batch: (model(batch["x"]).sum() * math.nan, {}))


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    seen = []

    def interrupted(model, batch):
        seen.append(batch["step"])
        if len(seen) == 7:
            signal.raise_signal(signal.SIGINT)
        return small_loss(model, batch)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match="Stopped at step 7 .* the same command goes on"):
        small_run(tmp_path, 0.02, loss=interrupted)
    assert signal.getsignal(signal.SIGINT) is handler
    run = small_run(tmp_path, 0.02, loss=interrupted)
    assert seen == list(range(run.steps))


def test_a_resumed_run_is_the_run_that_was_never_stopped(tmp_path):
    """The same batches, moments, average and buffers; the clock is frozen so that both see the same learning rates."""

    def stop_after(steps):
        def loss(model, batch):
            if batch["step"] == steps - 1:
                signal.raise_signal(signal.SIGINT)
            return small_loss(model, batch)

        return loss

    for name, stops in (("straight", [12]), ("broken", [5, 6, 12])):
        for steps in stops:
            with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
                patch.setattr(loop.time, "monotonic", lambda: 0.0)
                patch.setattr(time, "sleep", lambda seconds: None)
                patch.setattr(loop, "CHECKPOINT_EVERY", -1.0)
                small_run(tmp_path / name, 0.02, loss=stop_after(steps))
    straight, broken = (loop._read(tmp_path / name / loop.CHECKPOINT)[0] for name in ("straight", "broken"))
    assert straight.keys() == broken.keys()
    assert {key.partition(".")[0] for key in straight} == {"model", "ema", "optimizer"}
    for key, value in straight.items():
        assert torch.equal(value, broken[key]), key


def test_a_killed_run_goes_on(tmp_path):
    script = (
        "import sys, torch; sys.path.insert(0, sys.argv[2]); from textedit_lite.training import loop\n"
        "import test_training_clip as t; loop.CHECKPOINT_EVERY = 0.05; t.small_run(sys.argv[1], 5.0)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, tmp_path, os.path.dirname(__file__)])
    checkpoint = tmp_path / loop.CHECKPOINT
    for _ in range(600):
        if checkpoint.exists() and loop._read(checkpoint)[1]["step"] > 30:
            break
        time.sleep(0.1)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    _, header = loop._read(checkpoint)
    first = []

    def watched(model, batch):
        first.append(batch["step"])
        return small_loss(model, batch)

    small_run(tmp_path, header["seconds"] / 60 + 0.002, loss=watched)
    assert first[0] == header["step"] > 30


def test_log_lines_of_lost_steps_are_dropped(tmp_path):
    run = small_run(tmp_path, 0.005)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write(json.dumps({"step": run.steps + 50}) + '\n{"step": 1')
    small_run(tmp_path, 0.01)
    steps = [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and run.steps + 50 not in steps


# --- CLIP --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tokenizer():
    return clip.build_tokenizer()


@pytest.fixture(scope="module")
def small_cache():
    scenes = [make_scene(i, "train", 5) for i in range(6)]
    return data.SceneCache(np.stack([np.asarray(render(s)) for s in scenes]), [data.label(s) for s in scenes])


def test_every_word_of_the_world_is_one_token(tokenizer):
    for category in CATEGORIES:
        for colour in (None, *COLOURS):
            caption = describe(category, colour, *("front", "tilted"))
            assert len(tokenizer(caption)["input_ids"]) == len(caption.split()) + 2 <= clip.TOKENS
    assert all(len(tokenizer.tokenize(word)) == 1 for word in clip.words())


@pytest.mark.parametrize("text", ["a zebra", "Mötley Crüe 1981", "猫 and 🚗!", "upside-down", ""])
def test_any_text_tokenises_and_comes_back(tokenizer, text):
    ids = tokenizer(text, truncation=False)["input_ids"]
    back = tokenizer.decode(ids, skip_special_tokens=True)
    assert "".join(back.split()) == "".join(text.lower().split())
    assert max(ids) == tokenizer.eos_token_id == len(tokenizer) - 1


def test_tokenizer_and_text_encoder_survive_the_disk(tokenizer, tmp_path):
    torch.manual_seed(0)
    clip.build(tokenizer).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_size / 2 < 2.5e6  # float32 here, float16 when shipped
    encoder, again = clip.text_encoder(tmp_path)
    captions = ["a red car", "a red bus", "an orange fire hydrant seen from the side tilted slightly to the left"]
    tokens = again(captions, padding="max_length", return_tensors="pt")["input_ids"]
    assert tokens.tolist() == tokenizer(captions, padding="max_length")["input_ids"]
    with torch.no_grad():
        output = encoder(tokens)
        alone = encoder(again(captions[:1], return_tensors="pt")["input_ids"])
    assert output.last_hidden_state.shape == (3, clip.TOKENS, 128)
    # It pools at the end of the sentence: other words, another answer; more padding, the same.
    assert (output.pooler_output[0] - output.pooler_output[1]).abs().max() > 0.1
    assert torch.allclose(output.pooler_output[:1], alone.pooler_output, atol=1e-5)


def test_a_folder_without_clip_is_said(tmp_path):
    for reads in (clip.text_encoder, clip.score):
        with pytest.raises(WeightsError, match="train one with"):
            reads(tmp_path)


def test_phrases_name_what_they_are_told():
    values = ("umbrella", "red", "side", "upside down")
    attributes = [names.index(value) for names, value in zip(clip.ATTRIBUTES, values, strict=True)]
    assert clip.phrase(attributes, (0, 0, 0)) == "an umbrella"
    assert clip.phrase(attributes, (1, 0, 0)) == "a red umbrella"
    assert clip.phrase(attributes) == describe(*values)
    assert clip.phrase(attributes, (0, 0, 1), "a photo of {a} {phrase}") == "a photo of an umbrella upside down"
    assert sum(clip.NAMED.values()) == pytest.approx(1) and sum(clip.SHAPES.values()) == pytest.approx(1)


def test_crops_are_what_clip_sees_and_carry_their_truth(small_cache):
    pixels, labels = clip.crops(small_cache, 2, seed=0)
    things = [thing for scene in small_cache.objects for thing in scene if thing.visible_fraction >= clip.VISIBLE]
    assert pixels.shape == (len(things), 2, 64, 64, 3) and labels.shape == (len(things), 4)
    for row, thing in zip(labels, things, strict=True):
        assert (CATEGORIES[row[0]], COLOURS[row[1]]) == (thing.category, thing.colour)
        assert (list(VIEWS)[row[2]], list(POSES)[row[3]]) == (thing.view, thing.pose)
    assert (pixels[:, 0] != pixels[:, 1]).any()  # two jitters
    processed = clip.build_processor()(images=[Image.fromarray(pixels[0, 0])], return_tensors="pt")["pixel_values"]
    assert torch.allclose(processed[0].permute(1, 2, 0), torch.from_numpy(pixels[0, 0]).float() / 127.5 - 1, atol=1e-6)


def test_a_batch_is_the_same_for_the_same_step(small_cache, tokenizer):
    batches = clip.batch_maker(*clip.crops(small_cache, 1, seed=0), tokenizer)
    a, b, c = (batches(0, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(a["pixels"], b["pixels"]) and torch.equal(a["tokens"], b["tokens"])
    assert not torch.equal(a["pixels"], c["pixels"])
    assert a["pixels"].shape == (clip.BATCH, 3, 64, 64) and a["pixels"].abs().max() <= 1
    assert len(a["targets"]) == clip.SETS and sum(a["sizes"]) == len(a["tokens"])
    assert [int(target.max()) + 1 for target in a["targets"]] == a["sizes"]
    assert (a["tokens"] == tokenizer.eos_token_id).any(1).all()


def test_the_loss_by_hand():
    """Three crops of which the first two have the same caption, and another set of captions of which each has its own."""
    generator = torch.Generator().manual_seed(0)
    images, texts = torch.randn(3, 5, generator=generator), torch.randn(5, 5, generator=generator)

    def model(scale):
        def answer(features):
            return SimpleNamespace(pooler_output=features)

        return SimpleNamespace(get_image_features=answer, get_text_features=answer, logit_scale=torch.tensor(float(scale)).log())

    def by_hand(scale):
        sets, total, right = ((texts[:2], [0, 0, 1]), (texts[2:], [2, 0, 1]), (texts[:2], [0, 0, 1])), 0.0, 0.0
        for part, target in sets:
            logits = [[scale * float(torch.cosine_similarity(one, text, 0)) for text in part] for one in images]
            for crop, caption in enumerate(target):
                alike = target.count(caption)
                row, column = math.fsum(map(math.exp, logits[crop])), math.fsum(math.exp(other[caption]) for other in logits)
                total -= (logits[crop][caption] - math.log(row)) / len(images) / 2 / 3
                total -= (logits[crop][caption] - math.log(column)) / alike / len(part) / 2 / 3
                right += (max(logits[crop]) == logits[crop][caption]) / len(images) / 3
        return total, right

    targets = [torch.tensor(target) for target in ([0, 0, 1], [2, 0, 1], [0, 0, 1])]
    batch = {"pixels": images, "tokens": torch.cat([texts, texts[:2]]), "sizes": [2, 3, 2], "targets": targets}
    assert clip.SETS == len(targets)
    for scale, counted in ((7, 7), (1000, 100)):  # it may be sharp, but not without end
        total, parts = clip.loss(model(scale), batch)
        assert (float(total), float(parts["right"])) == pytest.approx(by_hand(counted), rel=1e-4)


def test_crops_hold_their_objects_and_leave_out_what_is_hidden():
    """A white object on black, left of and above the middle; of another only a little shows."""
    images = np.zeros((1, 256, 256, 3), np.uint8)
    images[0, 20:60, 100:180] = 255
    seen = data.Labelled((100, 20, 180, 60), "bus", "white", "side", "upright", clip.VISIBLE)
    hidden = data.Labelled((0, 200, 80, 250), "cup", "red", "side", "upright", clip.VISIBLE - 0.01)
    pixels, labels = clip.crops(data.SceneCache(images, [[hidden, seen]]), 8, seed=0)
    assert labels.tolist() == [clip._indices(seen)]
    for crop in pixels[0, ..., 0] > 127:
        ys, xs = np.nonzero(crop)
        assert abs(xs.mean() - 31.5) < 5 and abs(ys.mean() - 31.5) < 5 and 48 <= np.ptp(xs) + 1 <= 64 and 24 <= np.ptp(ys) + 1 <= 32


def test_crops_are_spoiled_a_little_and_not_all_of_them():
    generator = torch.Generator().manual_seed(0)
    plain = torch.rand(40, 3, 64, 64, generator=generator) * 2 - 1
    spoiled = clip.spoil(plain, generator)
    assert spoiled.shape == plain.shape and spoiled.abs().max() <= 1
    off = (spoiled - plain).abs().mean((1, 2, 3))
    assert off[:20].min() > 0.1 > off[20:].max() > 0.03, "half are blurred in one way or another, all have another light"


def test_views_and_poses_are_asked_of_an_object_whose_category_is_known(monkeypatch):
    """In grey pictures CLIP always sees the same category, one of twelve; but of a known one, one view of two may be right."""
    monkeypatch.setattr(clip, "render", lambda scene: Image.new("RGB", (scene.width, scene.height), (128, 128, 128)))
    found = clip.score(data_path("models", "lite", "clip"), 12, progress=False)
    assert found["everything"] <= found["colour_category"] <= found["category"] < 0.1
    assert found["view"] > 0.3 and found["pose"] > 0.15


def test_the_loss_falls_when_crops_meet_their_captions(small_cache, tokenizer, monkeypatch):
    monkeypatch.setattr(clip, "BATCH", 24)
    torch.manual_seed(0)
    model = clip.build(tokenizer)
    batch = clip.batch_maker(*clip.crops(small_cache, 1, seed=0), tokenizer)(0, torch.Generator().manual_seed(0))
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    values = []
    for _ in range(8):
        total, _ = clip.loss(model, batch)
        total.backward()
        assert model.visual_projection.weight.grad.abs().sum() > 0 and model.text_projection.weight.grad.abs().sum() > 0
        optimizer.step()
        optimizer.zero_grad()
        values.append(float(total.detach()))
    assert values[-1] < values[0]


def test_training_leaves_a_folder_that_the_libraries_load(small_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(clip, "scene_cache", lambda folder, split, count, seed: small_cache)
    monkeypatch.setattr(clip, "BATCH", 8)
    found = clip.train(tmp_path, 0.02, count=6, scored=3, progress=False)
    assert set(found) == {"objects", "category", "colour_category", "view", "pose", "everything"}
    assert json.loads((tmp_path / "results.json").read_text())["results"] == found
    assert score("clip", 3, weights=tmp_path, progress=False) == found
    card = (tmp_path / "README.md").read_text()
    assert hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest() in card
    assert f"| category | {found['category']:.4g} | >= 0.99 |" in card
    assert (tmp_path / "model.safetensors").stat().st_size <= 2.5e6


def test_the_shipped_clip_reads_crops():
    found = score("clip", 60, seed=77, progress=False)
    assert found["category"] >= 0.97 and found["colour_category"] >= 0.95


def test_scores_are_asked_for_by_name(tmp_path):
    with pytest.raises(SettingsError, match="choose one of detr, clip, vae, editor"):
        score("painter")
    with pytest.raises(SettingsError, match="--count 1 or more"):
        score("clip", 0)
    with pytest.raises(WeightsError, match="no autoencoder"):
        score("vae", 1, weights=tmp_path)
