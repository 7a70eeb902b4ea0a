"""The trainers of the autoencoder and of the painter: what they are fed, and that what they save can be used."""

from __future__ import annotations

import json

import numpy as np
import pytest

from textedit_lite import data_path
from textedit_lite.boxes import context_window
from textedit_lite.errors import SettingsError
from textedit_lite.world.scenes import boxes, make_scene, render

LITE = data_path("models", "lite")


def test_a_sample_is_a_box_in_a_window_of_the_scene():
    from textedit_lite.training.inpaint import NATIVE, sample_window

    for index in range(12):
        scene = make_scene(index, "train", 1)
        box = boxes(scene)[-1]
        picture, mask, caption = sample_window(scene, len(scene.objects) - 1, box, np.random.default_rng(index))
        assert picture.shape == (NATIVE, NATIVE, 3) and mask.shape == (NATIVE, NATIVE)
        assert scene.objects[-1].category in caption
        ys, xs = np.nonzero(mask)
        assert 0.2 < mask.mean() < 0.75
        assert mask[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1].mean() > 0.99, "the mask is a box"
    whole = render(scene)
    window = context_window(box, whole.size)
    assert np.array_equal(np.asarray(render(scene, window)), np.asarray(whole.crop(window)))


def test_captions_are_all_there_and_shorten_to_their_parts():
    from textedit_lite.training.inpaint import every_caption

    captions, shorter = every_caption()
    assert captions[0] == "" and len(set(captions)) == len(captions) == 1 + 12 * 9 * 3 * 4
    row = shorter[captions.index("a red car facing the front upside down")]
    assert {captions[i] for i in row} == {
        "a red car facing the front upside down", "a red car facing the front", "a red car upside down", "a red car",
        "a car facing the front upside down", "a car facing the front", "a car upside down", "a car",
    }  # fmt: skip


def test_the_schedule_ends_in_pure_noise():
    from textedit_lite.training.inpaint import noise_schedule

    signal = noise_schedule().alphas_cumprod
    assert float(signal[0]) > 0.99 and float(signal[-1]) == pytest.approx(0, abs=1e-6)


def test_training_without_time_is_refused(tmp_path):
    from textedit_lite.training import vae

    with pytest.raises(SettingsError, match="time"):
        vae.train(tmp_path, 0)
    assert not list(tmp_path.iterdir())


class Through:
    """Stands in for an autoencoder: the latents are a share of the picture, and it comes back changed; it notes what is decoded."""

    def __init__(self, share=0.1, change=lambda pixels: pixels):
        from types import SimpleNamespace

        import torch

        self.encoder = SimpleNamespace(layers=[SimpleNamespace(weight=torch.ones(1, requires_grad=True))])
        self.encode = lambda pixels: SimpleNamespace(latents=share * pixels)
        self.seen, self.answer, self.share, self.change = [], SimpleNamespace, share, change

    def decode(self, latents):
        self.seen.append(latents)
        return self.answer(sample=self.change(latents / self.share))


def test_the_autoencoders_loss_and_measure_by_hand(monkeypatch):
    import torch

    from textedit_lite.training import vae

    pixels = torch.zeros(2, 3, 8, 8)
    pixels[..., 4:] = 0.5
    monkeypatch.setattr(vae, "LATENT_NOISE", 0.0)
    # What comes back is half as dark: off by 0.25 in half of the pixels, and at one step of seven across, none of those down.
    total, parts = vae.loss(Through(change=lambda found: found / 2), pixels)
    edge = 0.25 / 7
    assert parts == {"l1": pytest.approx(0.125), "edge": pytest.approx(edge)}
    assert float(total) == pytest.approx(0.125 + 0.5 * edge + vae.SQUARED * 0.25**2 / 2 + 1e-3 * 0.05**2 / 2)
    monkeypatch.setattr(vae, "LATENT_NOISE", 0.05)
    model = Through()
    vae.loss(model, torch.zeros(8, 3, 32, 32))
    assert float(model.seen[0].std()) == pytest.approx(0.05, rel=0.05)

    assert vae.psnr(Through(change=lambda found: found + 0.2), torch.zeros(20, 3, 8, 8)) == pytest.approx(10 * np.log10(4 / 0.04), rel=1e-4)
    white = torch.ones(1, 3, 8, 8)
    white[..., 0] = 0.9
    assert vae.psnr(Through(change=lambda found: found + 0.2), white) == pytest.approx(10 * np.log10(4 / (0.01 / 8)), rel=1e-3)


def test_crops_look_at_objects_and_at_every_place(monkeypatch):
    """In a picture whose red grows to the right and whose green grows downwards, a crop's means say where it lies."""
    import torch

    from textedit_lite.training import vae

    ramp = np.arange(256, dtype=np.uint8)
    images = np.zeros((1, 256, 256, 3), np.uint8)
    images[0, ..., 0], images[0, ..., 1] = ramp, ramp[:, None]

    def middles(share):
        monkeypatch.setattr(vae, "AROUND_OBJECTS", share)
        found = [vae.crops(images, [np.array([[170.0, 70.0]])], torch.Generator().manual_seed(i)) for i in range(12)]
        assert found[0].shape == (vae.BATCH, 3, vae.CROP, vae.CROP) and -1 <= found[0].min() < found[0].max() <= 1
        return (torch.cat(found).mean((2, 3))[:, :2] + 1) * 127.5

    near, anywhere = middles(1.0), middles(0.0)
    assert near.mean(0).tolist() == pytest.approx([170, 70], abs=8) and near.std(0).max() < 30
    assert anywhere.mean(0).tolist() == pytest.approx([128, 128], abs=12) and anywhere.std(0).min() > 35


def test_the_autoencoder_trains_saves_and_goes_on(tmp_path, monkeypatch):
    from diffusers import AutoencoderTiny

    from textedit_lite.training import data, loop, vae

    monkeypatch.setattr(data, "PART", 6)
    monkeypatch.setattr(vae, "BATCH", 4)
    results = vae.train(tmp_path, 0.02, count=6, scored=4, progress=False)
    assert 0 < results["psnr"] < 60
    model = AutoencoderTiny.from_pretrained(tmp_path / "vae")
    assert 1 / model.config.scaling_factor == pytest.approx(results["latent_deviation"], abs=0.001)  # which is told to 3 digits
    pictures = np.load(tmp_path / "scenes" / "train-0-256" / "part-000000.npy")
    deviation = vae.latent_deviation(model, pictures)
    assert deviation * model.config.scaling_factor == pytest.approx(1, abs=0.02), "what the painter sees has a deviation of 1"
    steps = [json.loads(line)["step"] for line in (tmp_path / "training" / "log.jsonl").read_text().splitlines()]
    spent = loop.minutes_spent(tmp_path / "training")  # on a slow machine one step alone takes longer than asked for
    vae.train(tmp_path, 2 * max(spent, 0.02), count=6, scored=4, progress=False)
    again = [json.loads(line)["step"] for line in (tmp_path / "training" / "log.jsonl").read_text().splitlines()]
    assert again[-1] > steps[-1]
    assert "psnr" in (tmp_path / "README.md").read_text()

    decoder_only = tmp_path / "more"
    vae.train(decoder_only, 0.02, count=6, scored=4, progress=False, init=tmp_path / "vae", scenes=tmp_path / "scenes")
    more = AutoencoderTiny.from_pretrained(decoder_only / "vae")
    kept = AutoencoderTiny.from_pretrained(tmp_path / "vae")
    for (name, a), b in zip(more.encoder.named_parameters(), kept.encoder.parameters()):
        assert a.equal(b), f"{name} of the encoder moved"
    assert not all(a.equal(b) for a, b in zip(more.decoder.parameters(), kept.decoder.parameters()))


def test_the_painter_trains_and_its_folder_is_a_pipeline(tmp_path, monkeypatch):
    import torch
    from diffusers import StableDiffusionInpaintPipeline

    from textedit_lite.training import data, inpaint

    monkeypatch.setattr(inpaint, "PART", 12)
    monkeypatch.setattr(inpaint, "BATCH", 4)
    monkeypatch.setattr(inpaint, "_draw_part", _draw_a_dozen)
    monkeypatch.setattr(data.multiprocessing, "get_context", lambda kind: _NoProcesses())
    monkeypatch.setattr(torch, "compile", lambda model: model)  # takes minutes, and a few steps gain nothing by it
    inpaint.train(tmp_path, 0.02, vae=LITE / "inpaint" / "vae", clip=LITE / "clip", count=12, progress=False)
    pipeline = StableDiffusionInpaintPipeline.from_pretrained(tmp_path)
    assert pipeline.unet.config.in_channels == 9 and pipeline.scheduler.config.prediction_type == "v_prediction"
    assert (tmp_path / "README.md").exists() and (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").exists()

    with pytest.raises(SettingsError, match="samples 12, not 24"):
        inpaint.train(tmp_path, 0.1, vae=LITE / "inpaint" / "vae", clip=LITE / "clip", count=24, progress=False)
    with pytest.raises(SettingsError, match="another folder"):
        inpaint.train(tmp_path, 0.1, vae=LITE / "inpaint" / "vae", clip=LITE / "clip", count=12, init=LITE / "inpaint", progress=False)

    class Begun(Exception):
        """Training has begun: nothing more is asked."""

    def run(unet, *arguments, **options):
        weights = unet.state_dict()
        assert all((weights[name] == value.float()).all() for name, value in pipeline.unet.state_dict().items())
        raise Begun

    monkeypatch.setattr(inpaint, "run", run)
    monkeypatch.setattr(inpaint, "caption_states", lambda clip, captions: torch.zeros(len(captions), 1, 128))  # which nothing reads
    with pytest.raises(Begun):
        inpaint.train(tmp_path / "more", 0.05, vae=LITE / "inpaint" / "vae", clip=LITE / "clip", count=12, init=tmp_path, progress=False)


def _draw_a_dozen(job):
    from textedit_lite.training import inpaint

    path, part, seed = job
    rng = np.random.default_rng(0)
    rows = []
    for index in range(12):
        scene = make_scene(index, "train", seed + 1)
        rows.append(inpaint.sample_window(scene, len(scene.objects) - 1, boxes(scene)[-1], rng))
    np.savez(path, pictures=np.stack([row[0] for row in rows]), captions=np.array([row[2] for row in rows]),
             masks=np.packbits(np.stack([row[1] for row in rows]), axis=None))  # fmt: skip


def test_the_latents_of_another_autoencoder_are_others(tmp_path):
    import torch
    from diffusers import AutoencoderTiny

    from textedit_lite.training import inpaint

    path, side, rng = tmp_path / "inpaint-0-000.npz", inpaint.NATIVE, np.random.default_rng(0)
    np.savez(path, pictures=rng.integers(0, 256, (1, side, side, 3), np.uint8), masks=np.packbits(rng.random((1, side, side)) < 0.5),
             captions=np.array(["a car"]))  # fmt: skip
    vae = AutoencoderTiny.from_pretrained(LITE / "inpaint" / "vae", torch_dtype=torch.float32).eval()
    torch.manual_seed(0)
    mine, other, again = (inpaint.Samples([path], one, {"a car": 1}) for one in (vae, AutoencoderTiny.from_config(vae.config), vae))
    assert mine.target.shape == other.target.shape == (1, 4, side // 4, side // 4)
    assert not torch.allclose(mine.target, other.target) and torch.equal(mine.target, again.target)


class _NoProcesses:
    """Stands in for a multiprocessing context where patched names would not reach another process."""

    def Pool(self, count):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def imap(self, function, jobs):
        return map(function, jobs)
