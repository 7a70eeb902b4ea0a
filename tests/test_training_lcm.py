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
from textedit_lite.training.inpaint import batch_maker, caption_states, every_caption, noise_schedule, sample_window
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
    """Without a compiler, which would take longer than so short a training."""
    monkeypatch.setattr(lcm.shutil, "which", lambda name: None)


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
    from diffusers import AutoencoderTiny

    vae = AutoencoderTiny.from_pretrained(PARTS["vae"], torch_dtype=torch.float32).eval()
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
    t, words = torch.full((4,), 600), states[samples.caption]
    with torch.inference_mode():
        own = teacher(latents, t, words, return_dict=False)[0]
        for scale in (1.0, 3.5):
            numbers = lcm.guidance_numbers(torch.full((4,), scale))
            assert torch.allclose(student(latents, t, words, timestep_cond=numbers, return_dict=False)[0], own, atol=1e-5)
    assert student.config.time_cond_proj_dim == lcm.NUMBERS


def test_a_batch_is_the_painter_s_with_times_of_the_path(samples):
    import torch

    plain = batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    batch = lcm.batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    again = lcm.batch_maker(samples, SHORTER)(3, torch.Generator().manual_seed(3))
    target, masked, mask, caption, t, noise, guidance = batch
    for own, other in zip((target, masked, mask, caption, noise), (*plain[:4], plain[5])):
        assert torch.equal(own, other)
    assert 0 <= t.min() and t.max() <= 999 and 3 <= ((t + 1) % 250 == 0).sum() <= 13, "half of them start a piece"
    assert lcm.GUIDANCE[0] <= guidance.min() and guidance.max() <= lcm.GUIDANCE[1] and guidance.std() > 0.3
    assert all(torch.equal(one, other) for one, other in zip(batch, again))


def test_the_target_follows_the_student_and_takes_no_gradient(teacher, samples, states, uncompiled, monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.training.inpaint.BATCH", 2)
    monkeypatch.setattr(lcm, "BATCH", 2)
    models = lcm.pair(lcm.student_of(teacher))
    with torch.no_grad():
        models["student"].conv_out.bias += 1.0
    before = models["target"].conv_out.bias.clone()
    batch = lcm.batch_maker(samples, SHORTER)(0, torch.Generator().manual_seed(0))
    value, _ = lcm.distillation_loss(noise_schedule(), teacher, states)(models, batch)
    value.backward()
    assert torch.allclose(models["target"].conv_out.bias, before + (1 - lcm.FOLLOW), atol=1e-5)
    assert all(weight.grad is None for weight in models["target"].parameters())
    assert models["student"].time_embedding.cond_proj.weight.grad.abs().sum() > 0, "guidance is learned from the first step"


def test_the_student_learns_a_batch_by_heart(teacher, samples, states, uncompiled, monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.training.inpaint.BATCH", 4)
    monkeypatch.setattr(lcm, "BATCH", 4)
    models, batch = lcm.pair(lcm.student_of(teacher)), lcm.batch_maker(samples, SHORTER)(0, torch.Generator().manual_seed(0))
    loss = lcm.distillation_loss(noise_schedule(), teacher, states)
    optimizer = torch.optim.AdamW(models["student"].parameters(), lr=2e-4)
    values = []
    for _ in range(13):
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
    assert lcm.nearness(teacher, teacher, samples, states, schedule, count=2)["apart"] == found["teacher_apart"]
    one, again, other = (lcm.painted(teacher, samples, slice(1), states, 1, schedule, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(one, again) and not torch.equal(one, other)


# --- the folder --------------------------------------------------------------------------------------------------


def weights_file(folder, inpaint) -> str:
    path = folder / "weights.toml"
    path.write_text("".join(f'{part} = "{where}"\n' for part, where in
                            {"detr": LITE / "detr", "clip": LITE / "clip", "inpaint": inpaint}.items()))  # fmt: skip
    return str(path)


def test_what_is_trained_edits_in_the_steps_that_its_folder_says(tmp_path, uncompiled, monkeypatch):
    from PIL import Image

    from textedit_lite.editor import Editor
    from textedit_lite.models import load_models
    from textedit_lite.training import inpaint
    from textedit_lite.training.score_editor import cases
    from textedit_lite.world.scenes import render

    monkeypatch.setattr(inpaint, "PART", 8)
    monkeypatch.setattr(lcm, "FINE", 5)
    for part in (inpaint, lcm):
        monkeypatch.setattr(part, "BATCH", 2)
    (tmp_path / "samples").mkdir()
    inpaint._draw_part((tmp_path / "samples" / "samples-0-000.npz", 0, 0))  # here, as another process would draw all of a part
    results = lcm.train(tmp_path / "run", 0.03, **PARTS, count=8, scenes=tmp_path / "samples", progress=False)
    assert results["teacher_apart"] < results["apart"] and np.isfinite(results["loss"])
    assert json.loads((tmp_path / "run" / "painting.json").read_text()) == {"steps": 4, "guidance": 3.0, "temperature": 1.0}
    assert "textedit-lite train lcm" in (tmp_path / "run" / "README.md").read_text()

    models = load_models(weights_file(tmp_path, tmp_path / "run"))
    assert (models.steps, models.guidance, models.temperature) == (4, 3.0, 1.0)
    taken = []
    models.painter.unet.register_forward_hook(lambda unet, given, found: taken.append(len(found[0])))
    for task, passes in ("front", [1] * 4), ("color", [1]):  # of UNet, by how many pictures: no second one without words
        (case,) = cases(1, 0, task)
        result = Editor(models).edit(render(case.scene), case.prompt, rounds=1)
        assert isinstance(result.image, Image.Image) and result.settings.steps == 4
        assert taken == passes, "four steps from noise, and a single one from a sketch"
        taken.clear()


@pytest.mark.parametrize("text", ['{"steps": 0}', '{"steps": 2.5}', '{"temperature": 3}', '{"wings": 2}', "[4]", "no json"])
def test_a_folder_that_wishes_nonsense_is_refused(text, tmp_path):
    from textedit_lite.models import load_models

    shutil.copytree(LITE / "inpaint", tmp_path / "inpaint")
    (tmp_path / "inpaint" / "painting.json").write_text(text)
    with pytest.raises(WeightsError, match="painting.json"):
        load_models(weights_file(tmp_path, tmp_path / "inpaint"))


def test_only_a_painter_can_teach(tmp_path):
    with pytest.raises(SettingsError, match="no painter to learn from"):
        lcm.train(tmp_path / "run", 1, **PARTS, init=LITE / "clip")
    assert not (tmp_path / "run").exists()


def test_training_without_time_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="time"):
        lcm.train(tmp_path / "run", 0, **PARTS)
    assert not (tmp_path / "run").exists()
