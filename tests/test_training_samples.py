"""What the trainers are shown and the measures look at: of the right split, whole, in place, and of no part twice."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from textedit_lite.resources import data_path
from textedit_lite.training import data, inpaint, instruct_pix2pix, mask2former, sam, text2image
from textedit_lite.training.vae import load_vae
from textedit_lite.vocabulary import COLOURS, POSES, VIEWS, describe
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.scenes import Scene, SceneObject, boxes, changed, full_mask, make_scene, mask_box, render, visible_masks

LITE = data_path("models", "lite")
SMALL = 96  # pixels a side of a scene that is drawn quickly


# --- which scenes ------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """The (index, split, seed) of all scenes that a module makes, which are small here."""
    found = []

    def watch(module):
        def make(index, split="test", seed=0, size=SMALL):
            found.append((index, split, seed))
            return make_scene(index, split, seed, SMALL)

        monkeypatch.setattr(module, "make_scene", make)
        return found

    return watch


class Enough(Exception):
    """The first scene has been asked for: nothing more is."""


@pytest.mark.parametrize("name", ["detr_score", "clip", "score", "score_masks", "score_matching", "score_oracle"])
def test_a_measure_looks_at_test_scenes_alone(name, monkeypatch):
    module, found = importlib.import_module(f"textedit_lite.training.{name}"), []

    def make(*given):
        found.append(given)
        raise Enough

    monkeypatch.setattr(module, "make_scene", make)
    with pytest.raises(Enough):
        {
            "detr_score": lambda: module.score(LITE / "detr", 3, 5, False), "clip": lambda: module.score(LITE / "clip", 3, 5, False),
            "score": lambda: module.vae(LITE / "inpaint", 3, 5, False), "score_matching": lambda: module.score_matching(None, 3, 5, False),
            "score_masks": lambda: next(module.walk(3, 5, None, False, "it")), "score_oracle": lambda: module.confusion(3, 5, False),
        }[name]()  # fmt: skip
    assert found == [(0, "test", 5)]


@pytest.mark.parametrize("name", ["clip", "detr", "mask2former", "sam", "vae"])
def test_a_trainer_learns_from_training_scenes(name, tmp_path, monkeypatch):
    module, found = importlib.import_module(f"textedit_lite.training.{name}"), []

    def cache(folder, *given):
        found.append(given)
        raise Enough

    monkeypatch.setattr(module, "scene_cache", cache)
    with pytest.raises(Enough):
        module.train(tmp_path, 1, seed=4, count=7)
    assert found == [("train", 7, 4)]


@pytest.mark.parametrize("module", [inpaint, text2image, instruct_pix2pix])
def test_no_two_parts_of_the_samples_show_the_same_scene_and_all_are_for_training(module, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART", 3)
    found = asked(module)
    module._draw_part((tmp_path / "0.npz", 0, 4))
    first = found.copy()
    found.clear()
    module._draw_part((tmp_path / "1.npz", 1, 4))
    assert {split for _, split, _ in first + found} == {"train"}
    assert first[0][0] == 0 and found[0][0] == 3 and max(index for index, _, _ in first) < 3
    seed = 4 + {inpaint: 1, text2image: 2, instruct_pix2pix: 3}[module]  # so that no two models learn from the same scenes
    assert {given for _, _, given in first + found} == {seed}


def test_the_scenes_of_a_cache_follow_each_other_over_its_parts(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PART", 3)
    monkeypatch.setattr(data, "draw_parts", lambda draw, jobs, what: [draw(job) for job in jobs])  # in this process
    found = asked(data)
    cache = data.scene_cache(tmp_path, "validation", 5, 2, SMALL)
    assert found == [(index, "validation", 2) for index in range(6)]
    assert len(cache.images) == len(cache.objects) == 5
    for index in range(5):
        scene = make_scene(index, "validation", 2, SMALL)
        assert np.array_equal(cache.images[index], render(scene)) and cache.objects[index] == data.label(scene)
    data.scene_cache(tmp_path, "validation", 6, 2, SMALL)
    assert len(found) == 6, "what is there is not drawn again"


def test_shapes_and_classes_are_those_of_the_same_training_scenes(asked, tmp_path, monkeypatch):
    found = asked(sam)
    maps = sam.shape_maps(tmp_path, "train", 2, 3, SMALL)
    assert found == [(0, "train", 3), (1, "train", 3)]
    classes = mask2former._categories(2, 3)
    for index in range(2):
        for number, mask in enumerate(visible_masks(make_scene(index, "train", 3, SMALL)), 1):
            assert np.array_equal(maps[index] == number, mask > 0)
        names = [thing.category for thing in make_scene(index, "train", 3).objects]
        assert [mask2former.CATEGORIES[one] for one in classes[index]] == names


# --- what is known of a scene ------------------------------------------------------------------------------------


def test_of_a_covered_object_the_box_and_the_share_are_of_what_shows():
    behind = SceneObject("suitcase", "red", "front", "upright", 0.5, 0.5, 0.4)
    before = SceneObject("clock", "blue", "side", "tilted", 0.65, 0.5, 0.3)
    hidden = SceneObject("cup", "green", "front", "upright", 0.65, 0.5, 0.05)
    scene = Scene("train", 0, 0, 256, 256, Background("gradient", 5, None), (hidden, behind, before))
    found = data.label(scene)
    assert [(one.category, one.colour, one.view, one.pose) for one in found] == [
        ("suitcase", "red", "front", "upright"), ("clock", "blue", "side", "tilted")]  # fmt: skip
    assert found[1].visible_fraction == 1 and found[1].box == mask_box(full_mask(scene, 2))
    x0, y0, x1, y1 = (int(v) for v in found[0].box)
    assert found[0].box == mask_box(visible_masks(scene)[1])
    covered = full_mask(scene, 2)[y0:y1, x0:x1].mean()
    assert 0.1 < covered < 0.9 and found[0].visible_fraction == pytest.approx(1 - covered, abs=1e-3)


# --- the painter's samples ---------------------------------------------------------------------------------------


def test_a_sample_shows_what_its_caption_says_in_its_mask_and_the_scene_around_it(monkeypatch):
    from PIL import Image

    windows, squares, told = [], [], set()
    window_of, grown = inpaint.context_window, inpaint.grow_box
    monkeypatch.setattr(inpaint, "context_window", lambda *given: windows.append(window_of(*given)) or windows[-1])
    monkeypatch.setattr(inpaint, "grow_box", lambda *given, square: squares.append(square) or grown(*given, square=square))
    size = (inpaint.NATIVE, inpaint.NATIVE)
    for number in range(8):
        scene = make_scene(number, "train", 1)
        index = len(scene.objects) - 1
        thing = scene.objects[index]
        picture, mask, caption = inpaint.sample_window(scene, index, boxes(scene)[index], np.random.default_rng(number))
        changes = [{"colour": c, "view": v, "pose": p} for c in COLOURS for v in VIEWS for p in POSES]
        (change,) = [one for one in changes if describe(thing.category, **one) == caption]
        told |= {name for name, value in change.items() if value != getattr(thing, name)}
        assert squares[-1] == (change["view"] != thing.view), "a new view gets a square"
        before, after = (np.asarray(render(one, windows[-1]).resize(size, Image.Resampling.LANCZOS), int)
                         for one in (scene, changed(scene, index, **change)))  # fmt: skip
        ys, xs = np.nonzero(mask)
        inside, outside = np.zeros_like(mask), np.ones_like(mask)
        inside[ys.min() + 5 : ys.max() - 4, xs.min() + 5 : xs.max() - 4] = True  # away from the edge, which is resampled
        outside[max(0, ys.min() - 5) : ys.max() + 6, max(0, xs.min() - 5) : xs.max() + 6] = False
        for where, own in ((inside, after), (outside, before)):
            assert np.abs(picture - own)[where].max() <= 2
        assert np.abs(picture - before)[inside].mean() > 2
    assert told == {"colour", "view", "pose"}


def test_what_is_masked_of_a_sample_does_not_tell_what_lies_in_the_mask(tmp_path):
    side, rng = inpaint.NATIVE, np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, side, side, 3), np.uint8)
    mask = np.zeros((2, side, side), bool)
    mask[:, 24:64, 32:80] = True
    pictures[1][~mask[1]] = pictures[0][~mask[0]]
    np.savez(tmp_path / "0.npz", pictures=pictures, masks=np.packbits(mask), captions=np.array(["a car", "a bus"]))
    vae = load_vae(LITE / "inpaint" / "vae")
    samples = inpaint.Samples([tmp_path / "0.npz"], vae, {"a car": 5, "a bus": 7})
    assert samples.caption.tolist() == [5, 7]
    assert torch.equal(samples.masked[0], samples.masked[1]) and not torch.allclose(samples.target[0], samples.target[1], atol=0.1)
    assert torch.equal(samples.mask[0, 0].bool(), torch.from_numpy(mask[0, ::4, ::4]))
    pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
    hollow = pixels * torch.from_numpy(~mask)[:, None]
    with torch.no_grad():
        for found, seen in ((samples.target, pixels), (samples.masked, hollow)):
            wanted = vae.encode(seen).latents * vae.config.scaling_factor
            torch.testing.assert_close(found.float(), wanted, atol=0.05, rtol=0.02)  # half precision


def test_a_batch_is_weighed_by_its_mask_and_told_in_full_in_part_or_not_at_all():
    count = 40
    mask = torch.zeros(count, 1, 4, 4)
    mask[:, :, 1:3, :2] = 1
    target, masked = torch.randn(2, count, 4, 4, 4)
    samples = SimpleNamespace(target=target, masked=masked, mask=mask, caption=torch.arange(1, count + 1))
    samples.target[:, 0, 0, 0] = samples.masked[:, 0, 0, 0] = samples.caption.float()
    shorter = np.arange(count + 1)[:, None] + np.zeros((1, 8), np.int64) + 1000
    batches, told = inpaint.batch_maker(samples, shorter), []
    for step in range(60):
        target, beside, weight, caption, t, noise = batches(step, torch.Generator().manual_seed(step))
        assert torch.equal(target[:, 0, 0, 0], beside[:, 1, 0, 0]), "the same samples"
        assert torch.equal(beside[:, :1], mask[:16]) and beside.shape[1] == 5
        torch.testing.assert_close(weight, torch.where(mask[:16] > 0, 1.0, 0.1))
        rows = target[:, 0, 0, 0].long()
        assert ((caption == rows) | (caption == rows + 1000) | (caption == 0)).all()
        told.append(caption)
        assert t.min() >= 0 and t.max() <= 999 and noise.std() == pytest.approx(1, abs=0.2)
    told = torch.cat(told)
    for share, expected in (((told == 0), 0.1), (told >= 1000, 0.1)):
        assert share.float().mean() == pytest.approx(expected, abs=0.03)


def test_the_loss_is_of_the_velocity_weighed_by_place_and_told_the_words(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda model: model)
    schedule, states, given = inpaint.noise_schedule(), torch.randn(5, 2, 3).half(), []
    target, noise = torch.randn(2, 3, 4, 4, 4)
    beside, caption, t = torch.randn(3, 5, 4, 4), torch.tensor([4, 0, 2]), torch.tensor([900, 10, 400])
    weight = torch.full((3, 1, 4, 4), 0.1)
    weight[:, :, :2] = 1.0
    off = torch.zeros(3, 4, 4, 4)

    class Guess(torch.nn.Module):
        def forward(self, *inputs, return_dict):
            given.append(inputs)
            return (schedule.get_velocity(target, noise, t) + off,)

    loss, batch = inpaint.velocity_loss(schedule, states), (target, beside, weight, caption, t, noise)
    assert float(loss(Guess(), batch)[0]) == pytest.approx(0, abs=1e-10)
    seen, times, words = given[0]
    torch.testing.assert_close(seen, torch.cat([schedule.add_noise(target, noise, t), beside], 1))
    assert torch.equal(times, t) and torch.equal(words, states[caption].float())
    off += 2.0
    assert float(loss(Guess(), batch)[0]) == pytest.approx(4)
    off[:, :, :2] = 0.0
    assert float(loss(Guess(), batch)[0]) == pytest.approx(4 * 0.1 / 1.1)


# --- the rivals' samples -----------------------------------------------------------------------------------------


def test_text2image_is_told_where_in_its_pictures_each_object_is(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(text2image, "PART", 2)
    asked(text2image)
    text2image._draw_part((tmp_path / "3.npz", 3, 0))
    with np.load(tmp_path / "3.npz") as found:
        for row in range(2):
            scene = make_scene(6 + row, "train", 2, SMALL)
            assert np.array_equal(found["pictures"][row], text2image.shrink(render(scene)))
            captions = [describe(one.category, one.colour, one.view, one.pose) for one in scene.objects]
            assert found["captions"][row].tolist() == captions + [""] * (text2image.MOST - len(captions))
            places = found["places"][row]
            assert np.allclose(places[: len(captions)], boxes(scene) / SMALL) and not places[len(captions) :].any()


def test_a_triple_is_stored_from_before_to_after(asked, tmp_path, monkeypatch):
    monkeypatch.setattr(instruct_pix2pix, "PART", 2)
    asked(instruct_pix2pix)
    kept, make = [], instruct_pix2pix.triples
    monkeypatch.setattr(instruct_pix2pix, "triples", lambda scene, rng: kept.extend(some := make(scene, rng)) or some)
    instruct_pix2pix._draw_part((tmp_path / "0.npz", 0, 0))
    with np.load(tmp_path / "0.npz") as found:
        for row, one in enumerate(kept[:2]):
            assert np.array_equal(found["before"][row], text2image.shrink(render(one.before)))
            assert np.array_equal(found["after"][row], text2image.shrink(render(changed(one.before, one.index, **one.change))))
            assert found["words"][row] == one.instruction and not np.array_equal(found["before"][row], found["after"][row])


def test_latents_are_scaled_as_the_pipeline_expects_them(tmp_path):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "0.npz", pictures=pictures, words=np.array(["one", "two"]))
    vae = load_vae(LITE / "inpaint" / "vae")
    found = text2image.encode([tmp_path / "0.npz"], ["pictures"], vae)
    with torch.no_grad():
        wanted = vae.encode(torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1).latents * vae.config.scaling_factor
    torch.testing.assert_close(torch.from_numpy(found["pictures"]).float(), wanted, atol=0.05, rtol=0.02)  # half precision
    assert found["words"].tolist() == ["one", "two"]


def test_in_scenes_words_are_told_in_full_in_part_or_not_at_all():
    count = 30
    latents, places = np.zeros((count, 4, 4, 4), np.float16), np.zeros((count, text2image.MOST, 4), np.float32)
    captions = np.zeros((count, text2image.MOST), np.int64)
    captions[:, :3] = np.arange(1, 4)
    shorter = np.arange(4)[:, None].repeat(8, 1) + 1000
    batches = text2image.batch_maker(latents, captions, places, shorter)
    told = torch.cat([batches(step, torch.Generator().manual_seed(step))[3] for step in range(80)])
    for share, expected in ((told == 0, 0.1), (told >= 1000, 0.5), (told % 1000 == 3, 0.9 / 3)):
        assert share.float().mean() == pytest.approx(expected, abs=0.05)
