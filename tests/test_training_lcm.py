"""The distillation of the few-step painter: its jumps, its loss, a student that comes near, and a folder that edits."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from textedit_lite import data_path
from textedit_lite.errors import SettingsError, WeightsError
from textedit_lite.training import lcm
from textedit_lite.training.inpaint import NATIVE, batch_maker, caption_states, every_caption, noise_schedule, sample_window
from textedit_lite.training.vae import load_vae
from textedit_lite.world.scenes import boxes, make_scene

LITE = data_path("models", "lite")
PARTS = {"vae": LITE / "inpaint" / "vae", "clip": LITE / "clip"}
CAPTIONS, SHORTER = every_caption()


@pytest.fixture(scope="module")
def teacher():
    return lcm.read_teacher(LITE / "inpaint")


@pytest.fixture(scope="module")
def states():
    return caption_states(PARTS["clip"], CAPTIONS)


@pytest.fixture
def uncompiled(monkeypatch):
    """Compiling would take longer than so short a training."""
    import torch

    monkeypatch.setattr(torch, "compile", lambda model: model)


# --- jumps -------------------------------------------------------------------------------------------------------


def test_a_jump_is_the_scheduler_s_own_step():
    import torch

    schedule, latents, velocity = noise_schedule(), *torch.randn(2, 1, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    schedule.set_timesteps(4)
    for now, then in zip((999, 749, 499, 249), (749, 499, 249, -1)):
        own = schedule.step(velocity, now, latents).prev_sample
        assert torch.allclose(lcm.jump(latents, velocity, torch.tensor([now]), torch.tensor([then]), schedule), own, atol=1e-5)


def test_a_jump_along_the_true_velocity_takes_noise_away():
    import torch

    schedule = noise_schedule()
    data, noise = torch.randn(2, 6, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    t, s = torch.tensor([999, 999, 749, 400, 49, 300]), torch.tensor([-1, 749, 299, 400, -1, 49])
    left = lcm.jump(schedule.add_noise(data, noise, t), schedule.get_velocity(data, noise, t), t, s, schedule)
    wanted = schedule.add_noise(data, noise, s.clamp(min=0))
    wanted[s < 0] = data[s < 0]
    assert torch.allclose(left, wanted, atol=1e-5)


def test_from_where_a_piece_ends_a_jump_changes_nothing():
    import torch

    latents, velocity = torch.randn(2, 3, 4, 5, 5, generator=torch.Generator().manual_seed(2))
    t = torch.tensor([-1, 249, 999])
    assert torch.allclose(lcm.jump(latents, velocity, t, t, noise_schedule()), latents, atol=1e-6)


def test_the_pieces_end_where_the_student_steps():
    import torch

    schedule = noise_schedule()
    schedule.set_timesteps(lcm.STEPS)
    ends = lcm.piece_end(schedule.timesteps)
    assert ends.tolist() == [*schedule.timesteps.tolist()[1:], -1]
    times = torch.arange(1000)
    assert (lcm.piece_end(times) < times).all() and (times - lcm.piece_end(times)).max() == 250 == 2 * lcm.SKIP
    assert set(lcm.piece_end(times, pieces=1).tolist()) == {-1}


# --- the student -------------------------------------------------------------------------------------------------


def few_samples(count: int):
    """Samples as the trainer encodes them, of the first scenes."""
    import torch
    import torch.nn.functional as F

    vae = load_vae(PARTS["vae"])
    rows = []
    for number in range(count):
        scene = make_scene(number, "train", 1)
        rows.append(sample_window(scene, len(scene.objects) - 1, boxes(scene)[-1], np.random.default_rng(number)))
    pixels = torch.from_numpy(np.stack([row[0] for row in rows])).permute(0, 3, 1, 2).float() / 127.5 - 1
    mask = torch.from_numpy(np.stack([row[1] for row in rows]))[:, None].float()
    with torch.no_grad():
        target, masked = (vae.encode(part).latents * vae.config.scaling_factor for part in (pixels, pixels * (mask < 0.5)))
    caption = torch.tensor([CAPTIONS.index(row[2]) for row in rows])
    return SimpleNamespace(target=target, masked=masked, mask=F.interpolate(mask, scale_factor=0.25), caption=caption)


@pytest.fixture(scope="module")
def samples():
    return few_samples(4)


def test_the_student_begins_as_its_teacher_without_guidance(teacher, samples, states):
    import torch

    student = lcm.student_of(teacher)
    latents = torch.cat([torch.randn_like(samples.target), samples.mask, samples.masked], 1)
    given = latents, torch.full((4,), 600), states[samples.caption]
    with torch.inference_mode():
        assert torch.allclose(student(*given, return_dict=False)[0], teacher(*given, return_dict=False)[0], atol=1e-5)
    trained = {name: one for name, one in student.named_parameters() if one.requires_grad}
    assert {name.rsplit(".", 1)[1] for name in trained} == {"up", "down"}
    assert sum(one.numel() for one in trained.values()) < 0.1 * sum(one.numel() for one in teacher.parameters())
    assert not any(one.requires_grad for one in teacher.parameters())


def test_the_changes_of_the_layers_are_those_that_the_pipeline_fuses(teacher, tmp_path):
    import torch
    from diffusers import StableDiffusionInpaintPipeline
    from torch import nn

    student, generator = lcm.student_of(teacher), torch.Generator().manual_seed(0)
    for name, one in student.named_parameters():
        if name.endswith(".up"):
            nn.init.normal_(one, std=0.01, generator=generator)
    StableDiffusionInpaintPipeline.save_lora_weights(tmp_path, unet_lora_layers=lcm.low_rank_weights(student))
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(LITE / "inpaint")
    pipeline.load_lora_weights(str(tmp_path), weight_name="pytorch_lora_weights.safetensors")
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    fused, before = pipeline.unet.state_dict(), teacher.state_dict()
    layers = {name: one for name, one in student.named_modules() if hasattr(one, "parametrizations")}
    assert len(layers) > 100
    for name, one in layers.items():
        assert torch.allclose(fused[f"{name}.weight"], one.weight, atol=1e-5), name
        assert not torch.allclose(fused[f"{name}.weight"], before[f"{name}.weight"], atol=1e-5), name


def test_a_batch_is_the_painter_s_with_times_and_noise_of_the_path(samples):
    import torch

    plain = batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    batch = lcm.batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    again = lcm.batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    *rest, t, noise = batch
    for own, other in zip(rest, plain[:4], strict=True):
        assert torch.equal(own, other)
    assert 0 <= t.min() and t.max() <= 999
    starts = (t + 1) % 250 == 0
    assert 3 <= starts.sum() <= 13, "half of them start a piece"
    temperature = (noise / plain[5]).flatten(1).mean(1)
    assert torch.allclose(temperature[~starts], torch.tensor(1.0)), "what starts elsewhere is a sketch, with the usual noise"
    assert (temperature[starts] >= lcm.COLD - 1e-4).all() and (temperature[starts] < 1).any()
    assert all(torch.equal(one, other) for one, other in zip(batch, again))


def test_a_batch_may_lie_on_another_device_than_the_schedule(teacher, states, uncompiled):
    """Where nothing is computed: what is mixed fails all the same."""
    import copy

    import torch

    latents, away = torch.zeros(2, 4, NATIVE // 4, NATIVE // 4), torch.device("meta")
    around, captions = torch.cat([latents[:, :1], latents], 1), torch.zeros(2, dtype=torch.long)
    batch = latents, around, latents[:, :1], captions, torch.full((2,), 300), latents
    loss = lcm.distillation_loss(noise_schedule(), copy.deepcopy(teacher), states)
    total, _ = loss(lcm.pair(lcm.student_of(teacher)).to(away), [part.to(away) for part in batch])
    assert total.device == away and total.shape == ()


def test_the_loss_is_that_of_the_paper_written_out(uncompiled):
    import torch

    schedule, generator = noise_schedule(), torch.Generator().manual_seed(0)

    class Along(torch.nn.Module):
        """A UNet of one number, whose answer depends on all that it is given."""

        def __init__(self, share: float):
            super().__init__()
            self.share = torch.nn.Parameter(torch.tensor(share))

        def forward(self, x, t, words, return_dict=True):
            there = words.mean((1, 2))[:, None, None, None] + t[:, None, None, None] / 1000 + x[:, 4:5] + x[:, 5:].mean()
            return (self.share * x[:, :4] + there,)

    states, t = torch.randn(3, 2, 4, generator=generator), torch.tensor([999, 700, 300, 100])
    target, seen, noise = (torch.randn(4, width, 3, 3, generator=generator) for width in (4, 5, 4))
    weight, caption = torch.rand(4, 1, 3, 3, generator=generator), torch.tensor([1, 2, 1, 2])
    teacher, student, follower = Along(0.5).requires_grad_(False), Along(0.7), Along(0.2).requires_grad_(False)

    def velocity(model, latents, at, words):
        return model(torch.cat([latents, seen], 1), at, states[words])[0]

    end, before = torch.tensor([749, 499, 249, -1]), torch.tensor([874, 575, 249, -1])
    noisy = schedule.add_noise(target, noise, t)
    with torch.no_grad():
        led, plain = velocity(teacher, noisy, t, caption), velocity(teacher, noisy, t, torch.zeros_like(caption))
        nearer = lcm.jump(noisy, plain + 3.5 * (led - plain), t, before, schedule)
        followed = Along(0.95 * 0.2 + 0.05 * 0.7)
        wanted = lcm.jump(nearer, velocity(followed, nearer, before.clamp(min=0), caption), before, end, schedule)
        apart = lcm.jump(noisy, velocity(student, noisy, t, caption), t, end, schedule) - wanted
        expected = (((apart.square() + 1e-6).sqrt() - 1e-3) * weight).sum() / (4 * weight.sum())
    models = torch.nn.ModuleDict({"student": student, "target": follower})
    found, _ = lcm.distillation_loss(schedule, teacher, states)(models, (target, seen, weight, caption, t, noise))
    torch.testing.assert_close(found.detach(), expected)


def test_the_student_is_measured_without_guidance_from_cold_noise_against_the_teachers_many_steps(samples, states, monkeypatch):
    import torch

    given, mask = [], samples.mask

    def unet(x, t, words, return_dict):
        given.append((x, t, words))
        return (torch.zeros_like(x[:, :4]),)

    lcm.painted(unet, samples, slice(0, 3), states, 4, noise_schedule(), guidance=2.0)
    assert [int(t[0]) for _, t, _ in given] == [999, 999, 749, 749, 499, 499, 249, 249], "each step is taken twice"
    assert float(given[0][0][:, :4].std()) == pytest.approx(lcm.COLD, rel=0.05)
    assert torch.equal(given[0][0][:, 4:], torch.cat([mask, samples.masked], 1)[:3])
    assert torch.equal(given[0][2], states[samples.caption[:3]]) and torch.equal(given[1][2], states[:1].expand(3, -1, -1))

    asked = []

    def painted(unet, samples, rows, states, steps, schedule, guidance):
        asked.append((unet, rows, steps, guidance))
        return torch.where(mask[rows] > 0, {"teacher": 1.0, "student": 3.0}[unet] + steps / 10, 100.0 * len(asked)).expand(-1, 4, -1, -1)

    monkeypatch.setattr(lcm, "painted", painted)
    found = lcm.nearness("teacher", "student", samples, states, None, count=2)
    rows = slice(0, 2)
    assert asked == [("teacher", rows, 12, 3.5), ("student", rows, 4, 1.0), ("teacher", rows, 4, 3.5)]
    assert found == {"apart": pytest.approx(1.2**2), "teacher_apart": pytest.approx(0.8**2)}, "inside of the mask alone"


def test_the_target_follows_the_student_and_takes_no_gradient(teacher, samples, states, uncompiled, monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.training.inpaint.BATCH", 2)
    monkeypatch.setattr(lcm, "BATCH", 2)
    models = lcm.pair(lcm.student_of(teacher))
    own, target = (models[name].conv_out.parametrizations.weight for name in ("student", "target"))
    with torch.no_grad():
        own[0].up += 1.0
    original = target.original.clone()
    batch = lcm.batch_maker(samples, SHORTER)(0, torch.Generator().manual_seed(0))
    value, _ = lcm.distillation_loss(noise_schedule(), teacher, states)(models, batch)
    value.backward()
    assert torch.allclose(target[0].up, torch.full_like(own[0].up, 1 - lcm.FOLLOW), atol=1e-5)
    assert torch.equal(target.original, original)
    assert all(weight.grad is None for weight in models["target"].parameters())
    assert all(one.grad is not None for one in models["student"].parameters() if one.requires_grad)


def test_the_student_learns_a_batch_by_heart(teacher, samples, states, uncompiled, monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.training.inpaint.BATCH", 2)
    monkeypatch.setattr(lcm, "BATCH", 2)
    middle = {name: part[..., 6:22, 6:22] for name, part in vars(samples).items() if name != "caption"}
    models, some = lcm.pair(lcm.student_of(teacher)), SimpleNamespace(**middle, caption=samples.caption)
    batch = lcm.batch_maker(some, SHORTER)(0, torch.Generator().manual_seed(0))
    loss = lcm.distillation_loss(noise_schedule(), teacher, states)
    optimizer = torch.optim.AdamW([one for one in models["student"].parameters() if one.requires_grad], lr=2e-3)
    values = []
    for _ in range(8):
        value = loss(models, batch)[0]
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        values.append(value.item())
    assert values[-1] < 0.75 * values[0], values


def test_nearness_is_measured_against_many_steps_of_the_teacher(teacher, samples, states, monkeypatch):
    import torch

    schedule = noise_schedule()
    monkeypatch.setattr(lcm, "FINE", 6)
    found = lcm.nearness(teacher, lcm.student_of(teacher), samples, states, schedule, count=2)
    assert 0 < found["teacher_apart"] < found["apart"] < 1, "a student that knows no guidance yet is further off than few steps"
    one, again, other = (lcm.painted(teacher, samples, slice(1), states, 1, schedule, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


# --- the folder --------------------------------------------------------------------------------------------------


def weights_file(folder, **parts) -> str:
    path = folder / "weights.toml"
    named = {part: LITE / part for part in ("detr", "clip", "inpaint")} | parts
    path.write_text("".join(f'{part} = "{where}"\n' for part, where in named.items()))
    return str(path)


def test_what_is_trained_edits_in_the_steps_that_its_folder_says(tmp_path, uncompiled, monkeypatch):
    from PIL import Image

    from textedit_lite.editor import Editor
    from textedit_lite.evaluation.manifest import weights_of
    from textedit_lite.models import load_models
    from textedit_lite.training import inpaint
    from textedit_lite.training.score_editor import scene_cases
    from textedit_lite.world.scenes import render

    monkeypatch.setattr(inpaint, "PART", 4)
    monkeypatch.setattr(lcm, "FINE", 5)
    for part in (inpaint, lcm):
        monkeypatch.setattr(part, "BATCH", 2)
    (tmp_path / "samples").mkdir()
    inpaint._draw_part((tmp_path / "samples" / "inpaint-0-000.npz", 0, 0))  # here, as another process would draw all of a part
    results = lcm.train(tmp_path / "run", 0.03, **PARTS, count=4, scenes=tmp_path / "samples", progress=False)
    assert results["teacher_apart"] < results["apart"] and np.isfinite(results["loss"])
    assert json.loads((tmp_path / "run" / "painting.json").read_text()) == {"steps": 4, "guidance": 1.0}
    assert "textedit-lite train lcm" in (tmp_path / "run" / "README.md").read_text()
    assert (tmp_path / "run" / "pytorch_lora_weights.safetensors").stat().st_size < 1_000_000

    with pytest.raises(SettingsError, match="samples 4, not 3"):
        lcm.train(tmp_path / "run", 0.03, **PARTS, count=3, scenes=tmp_path / "samples", progress=False)

    file = weights_file(tmp_path, lcm=tmp_path / "run")
    plain, models = load_models(file), load_models(f"{file}+lcm")
    assert (plain.steps, plain.guidance) == (12, 3.0), "the LoRA is put on only where it is asked for"
    assert (models.steps, models.guidance, models.temperature) == (4, 1.0, plain.temperature)
    assert models.name == f"{file}+lcm"
    assert set(weights_of(models.name)) == {*weights_of(plain.name), "lcm/pytorch_lora_weights.safetensors"}
    taken = []
    models.painter.unet.register_forward_hook(lambda unet, given, found: taken.append(len(found[0])))
    for task, passes in ("front", [1] * 4), ("color", [1]):  # of UNet, by how many pictures: no second one without words
        (case,) = scene_cases(1, 0, task)
        result = Editor(models).edit(render(case.scene), case.prompt, rounds=1)
        assert isinstance(result.image, Image.Image) and result.settings.steps == 4
        assert taken == passes, "four steps from noise, and a single one from a sketch"
        taken.clear()


def test_a_published_lora_brings_the_scheduler_of_lcm(teacher, tmp_path):
    import torch
    from diffusers import LCMScheduler, StableDiffusionInpaintPipeline

    from textedit_lite.models import load_models

    StableDiffusionInpaintPipeline.save_lora_weights(tmp_path / "lora", unet_lora_layers=lcm.low_rank_weights(lcm.student_of(teacher)))
    models = load_models(f"{weights_file(tmp_path, lcm=tmp_path / 'lora')}+lcm")
    assert isinstance(models.painter.scheduler, LCMScheduler)
    assert (models.steps, models.guidance) == (4, 1.0)
    for name, weight in models.painter.unet.state_dict().items():
        assert torch.equal(weight, teacher.state_dict()[name].to(weight.dtype)), "a LoRA of zeros changes nothing"


def test_weights_without_a_lora_say_how_to_make_one(tmp_path):
    from textedit_lite.models import load_models

    for part in ("detr", "clip", "inpaint"):
        (tmp_path / part).symlink_to(LITE / part)
    with pytest.raises(WeightsError, match="train lcm"):
        load_models(f"{tmp_path}+lcm")


def test_a_damaged_lora_is_refused(tmp_path):
    from textedit_lite.models import load_models

    (tmp_path / "lora").mkdir()
    (tmp_path / "lora" / "pytorch_lora_weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        load_models(f"{weights_file(tmp_path, lcm=tmp_path / 'lora')}+lcm")


@pytest.mark.parametrize("text", ['{"steps": 0}', '{"steps": 2.5}', '{"temperature": 3}', '{"wings": 2}', "[4]", "no json"])
def test_a_folder_that_wishes_nonsense_is_refused(text, tmp_path):
    from textedit_lite.models import load_models

    shutil.copytree(LITE / "inpaint", tmp_path / "inpaint")
    (tmp_path / "inpaint" / "painting.json").write_text(text)
    with pytest.raises(WeightsError, match="painting.json"):
        load_models(weights_file(tmp_path, inpaint=tmp_path / "inpaint"))


def test_only_a_painter_can_teach(tmp_path):
    with pytest.raises(SettingsError, match="no painter to learn from"):
        lcm.train(tmp_path / "run", 1, **PARTS, init=LITE / "clip")
    assert not (tmp_path / "run").exists()


def test_training_without_time_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="time"):
        lcm.train(tmp_path / "run", 0, **PARTS)
    assert not (tmp_path / "run").exists()
