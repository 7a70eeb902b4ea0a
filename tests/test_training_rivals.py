"""The trainers of the rivals' UNets: what they are fed, and that what they save is a pipeline beside the painter's parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from textedit_lite import data_path
from textedit_lite.errors import SettingsError
from textedit_lite.hub import Source
from textedit_lite.prompt import parse
from textedit_lite.training import instruct_pix2pix, text2image
from textedit_lite.training.vae import load_vae
from textedit_lite.world.scenes import changed, make_scene

LITE = data_path("models", "lite")
PARTS = {"vae": LITE / "inpaint" / "vae", "clip": LITE / "clip"}


# --- samples -----------------------------------------------------------------------------------------------------


def test_a_triple_says_what_changes_and_changes_nothing_else():
    rng, count, attributes = np.random.default_rng(0), 0, set()
    for number in range(40):
        scene = make_scene(number, "train", 3)
        for triple in instruct_pix2pix.triples(scene, rng):
            thing = triple.before.objects[triple.index]
            assert all(getattr(thing, name) != value for name, value in triple.change.items())
            source, target = triple.instruction.removeprefix("the ").split(" to a", 1)
            assert thing.category in source and thing.category in target
            wish = parse(f"the {source} changes to a{target}")
            assert triple.change.items() <= wish.changes.items(), triple.instruction
            alike = [one for one in triple.before.objects if one.category == thing.category]
            if wish.colour:
                assert [one for one in alike if one.colour == wish.colour] == [thing]
            elif wish.selector is None:
                assert alike == [thing]
            count, attributes = count + 1, attributes | set(triple.change)
    assert count > 80 and attributes == {"colour", "view", "pose"}


def test_triples_go_there_and_back():
    scene = make_scene(5, "train", 3)
    some = instruct_pix2pix.triples(scene, np.random.default_rng(1))
    assert len(some) >= 2
    there, back = some[:2]
    assert changed(there.before, there.index, **there.change) == back.before
    assert changed(back.before, back.index, **back.change) == there.before == scene


def test_the_loss_looks_where_the_change_is():
    import torch

    before = torch.zeros(2, 4, 8, 8)
    after = before.clone()
    after[0, 1, 2, 3] = after[0, 0, 5, 4] = 1.0
    weights = instruct_pix2pix.change_weights(before, after)
    assert weights.shape == (2, 1, 8, 8)
    expected = torch.full((8, 8), instruct_pix2pix.UNCHANGED)
    expected[2:6, 3:5] = 1.0
    assert torch.equal(weights[0, 0], expected) and (weights[1] == instruct_pix2pix.UNCHANGED).all()

    places = torch.tensor([[0.25, 0.5, 0.75, 1.0]])
    expected = torch.full((8, 8), text2image.ELSEWHERE)
    expected[4:, 2:6] = 1.0
    assert torch.allclose(text2image.place_weights(places, 8)[0, 0], expected)


def test_a_batch_follows_from_its_generator_and_leaves_out_words_and_pictures():
    import torch

    rng = np.random.default_rng(0)
    before, after = (rng.normal(size=(50, 4, 8, 8)).astype(np.float16) for _ in range(2))
    batches = instruct_pix2pix.batch_maker(before, after, np.arange(1, 51), scaling=2.0)
    seen = [batches(step, torch.Generator().manual_seed(step)) for step in range(60)]
    again = batches(7, torch.Generator().manual_seed(7))
    assert all(torch.equal(one, other) for one, other in zip(seen[7], again, strict=True))
    target, beside, weight, caption, t, noise = seen[0]
    assert target.shape == beside.shape == noise.shape == (16, 4, 8, 8) and weight.shape == (16, 1, 8, 8) and t.max() < 1000
    words = torch.cat([one[3] for one in seen]) == 0
    pictures = torch.cat([one[1] for one in seen]).flatten(1).abs().amax(1) == 0
    for share, expected in ((words, 0.10), (pictures, 0.10), (words & pictures, 0.05)):
        assert share.float().mean() == pytest.approx(expected, abs=0.03)
    row = int(caption[caption > 0][0]) - 1
    at = int((caption == row + 1).nonzero()[0])
    assert torch.equal(target[at], torch.from_numpy(after[row]).float())
    assert not beside[at].any() or torch.allclose(beside[at], torch.from_numpy(before[row]).float() / 2)


def test_of_a_scene_one_object_is_named_where_it_is():
    import torch

    latents = np.zeros((3, 4, 8, 8), np.float16)
    captions, places = np.zeros((3, 6), np.int64), np.zeros((3, 6, 4), np.float32)
    captions[:, 0], captions[1, 1] = 1, 2
    places[:, 0], places[1, 1] = (0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1)
    shorter = np.arange(3)[:, None].repeat(8, 1)  # nothing to shorten
    batches = text2image.batch_maker(latents, captions, places, shorter)
    for step in range(10):
        target, beside, weight, caption, _, _ = batches(step, torch.Generator().manual_seed(step))
        assert beside.shape == (16, 0, 8, 8) and set(caption.tolist()) <= {0, 1, 2}
        assert (weight[caption == 1][:, 0, 0, 0] == 1).all() and (weight[caption == 2][:, 0, 7, 7] == 1).all()


def test_the_latents_of_another_autoencoder_are_others(tmp_path):
    import torch
    from diffusers import AutoencoderTiny

    path = tmp_path / "text2image-0-000.npz"
    np.savez(path, pictures=np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), np.uint8))
    vae = load_vae(PARTS["vae"])
    torch.manual_seed(0)
    mine, other = (text2image.encode([path], ["pictures"], one)["pictures"] for one in (vae, AutoencoderTiny.from_config(vae.config)))
    assert mine.shape == other.shape and not np.allclose(mine, other)
    assert np.array_equal(text2image.encode([path], ["pictures"], vae)["pictures"], mine)


# --- training ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Both UNets, trained for a step or two on a few samples, the second begun from the first."""
    import torch

    root = tmp_path_factory.mktemp("rivals")
    with pytest.MonkeyPatch.context() as patch:
        for module in (text2image, instruct_pix2pix):
            patch.setattr(module, "PART", 20)
            patch.setattr(module, "BATCH", 2)
        patch.setattr(torch, "compile", lambda model: model)  # takes longer than all else
        for module, name, init in ((text2image, "text2image", None), (instruct_pix2pix, "instruct-pix2pix", root / "text2image")):
            folder = root / name / "samples"
            folder.mkdir(parents=True)
            module._draw_part((folder / f"{name}-0-000.npz", 0, 0))  # here, as another process would not see the patches
            results = module.train(root / name, 0.01, **PARTS, count=20, init=init, progress=False)
            assert np.isfinite(results["loss"])
    return root


@pytest.mark.parametrize("part", ["text2image", "instruct-pix2pix"])
def test_what_is_trained_is_small_and_edits(trained, models, part):
    from textedit_lite.rivals import instruct_pix2pix, sdedit
    from textedit_lite.world.scenes import render

    path = trained / part / "unet" / "diffusion_pytorch_model.safetensors"
    assert path.stat().st_size <= 7 * 2**20
    assert "textedit-lite train " + part in (trained / part / "README.md").read_text()
    assert {entry.name for entry in (trained / part).iterdir()} == {
        "README.md", "results.json", "model_index.json", "unet", "scheduler", "samples", "training",
    }  # fmt: skip
    mine = replace(models, optional={part: Source(str(trained / part))}, loaded={})
    assert mine.rival(part).scheduler.config.prediction_type == "v_prediction"
    edit = sdedit if part == "text2image" else instruct_pix2pix
    result = edit(render(make_scene(3, size=96)), "the car changes to a red car", mine, steps=4)
    assert result.image.size == (96, 96)


def test_training_goes_on_and_begins_from_what_is_trained(trained):
    import torch
    from diffusers import UNet2DConditionModel

    first = UNet2DConditionModel.from_pretrained(trained / "text2image", subfolder="unet", torch_dtype=torch.float32)
    unet = text2image.build(8)
    text2image.begin_from(unet, trained / "text2image")
    assert torch.equal(unet.conv_in.weight[:, :4], first.conv_in.weight) and not unet.conv_in.weight[:, 4:].any()
    assert torch.equal(unet.conv_out.weight, first.conv_out.weight)
    with pytest.raises(SettingsError, match="holds no weights to begin from"):
        text2image.begin_from(unet, trained)


@pytest.mark.parametrize("module", [text2image, instruct_pix2pix])
def test_training_without_time_is_refused(module, tmp_path):
    with pytest.raises(SettingsError, match="time"):
        module.train(tmp_path, 0, **PARTS)
    assert not list(tmp_path.iterdir())
