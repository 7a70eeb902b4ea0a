"""The rival editors: what they are told, what they see and give back, DiffEdit's three steps, and where their weights come from.

Most UNets here are small ones of random numbers; what an edit with the trained ones is worth is measured, and tested only
as far as that they do something sensible.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from itertools import islice
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_lite import data_path
from textedit_lite.editor import EditResult
from textedit_lite.errors import PromptError, SettingsError, UnknownWordError, WeightsError
from textedit_lite.evaluation import tune
from textedit_lite.evaluation.editors import EDITORS, Request, make_editor
from textedit_lite.evaluation.run import alone_under_accelerate, evaluate
from textedit_lite.hub import Source
from textedit_lite.inpaint import BLACKENED, NO_NUMBERS, OVERFLOWN, noise
from textedit_lite.prompt import parse
from textedit_lite.rivals import diffedit, diffedit_batch, instruct_pix2pix, plain_edit, sdedit, sdedit_batch
from textedit_lite.rivals.settings import DEFAULTS, settings_of
from textedit_lite.rivals.whole import outcomes, working_size
from textedit_lite.rivals.words import captions, instruction
from textedit_lite.vocabulary import POSES
from textedit_lite.world.scenes import boxes, ideal_edit, make_scene, render

PROMPT = "the left blue car changes to a red car"
QUICK = {"sdedit": {"steps": 2, "strength": 1.0}, "diffedit": {"steps": 4, "strength": 0.5, "maps": 2}, "instruct-pix2pix": {"steps": 1}}


@pytest.fixture(scope="module")
def rivals(models, tmp_path_factory):
    """The lite models with a random UNet for each kind of rival."""
    from textedit_lite.training.text2image import build, save

    root = tmp_path_factory.mktemp("rivals")
    for part, channels, kind in (
        ("text2image", 4, "StableDiffusionImg2ImgPipeline"), ("instruct-pix2pix", 8, "StableDiffusionInstructPix2PixPipeline"),
    ):  # fmt: skip
        torch.manual_seed(0)
        save(build(channels), kind, root / part)
    return replace(models, optional={part: Source(str(root / part)) for part in ("text2image", "instruct-pix2pix")}, loaded={})


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return render(make_scene(3))


# --- words and settings ------------------------------------------------------------------------------------------


def test_what_the_rivals_are_told():
    wish = parse(PROMPT)
    assert captions(wish) == ("a blue car", "a red car")
    assert captions(wish, "a photo of {}") == ("a photo of a blue car", "a photo of a red car")
    assert instruction(wish, brief=False) == "turn the left blue car into a red car"
    assert instruction(wish, brief=True) == "the left blue car to a red car"
    assert instruction(parse("flip the cup"), brief=True) == "the cup to a cup upside down"


def test_the_lite_instruction_fits_the_lite_text_encoder(models):
    longest = parse("the right orange fire hydrant changes to an orange fire hydrant tilted slightly to the left")
    tokens = models.clip_tokenizer(instruction(longest, brief=True)).input_ids
    assert len(tokens) <= models.clip_tokenizer.model_max_length


@pytest.mark.parametrize("rival", DEFAULTS)
def test_settings_are_the_familys_unless_given(models, rival):
    assert settings_of(rival, models) == DEFAULTS[rival]["lite"]
    assert settings_of(rival, replace(models, known_words=None)) == DEFAULTS[rival]["full"]
    assert settings_of(rival, models, guidance=2)["guidance"] == 2.0
    for wrong in ({"guidance": 0}, {"steps": 2.5}, {"steps": True}, {"wings": 2}, {"guidance": float("nan")}):
        with pytest.raises(SettingsError):
            settings_of(rival, models, **wrong)


def test_settings_that_leave_no_step_are_refused(models):
    with pytest.raises(SettingsError, match="leaves none of 4 steps"):
        settings_of("sdedit", models, steps=4, strength=0.2)
    with pytest.raises(SettingsError, match="noise of 0.03 leaves none of 25 steps"):
        settings_of("diffedit", models, noise=0.03)
    with pytest.raises(SettingsError, match="noise of 0.5 leaves none of 1 steps"):
        settings_of("diffedit", models, steps=1, strength=1.0, noise=0.5)
    with pytest.raises(SettingsError, match="do not divide"):
        settings_of("diffedit", models, steps=30)


# --- pictures in and out -----------------------------------------------------------------------------------------


def test_a_picture_is_seen_in_its_aspect_at_the_models_own_area(rivals):
    pipeline = rivals.rival("text2image")
    assert working_size((256, 256), pipeline) == (128, 128)
    assert working_size((1024, 1024), pipeline) == (128, 128)
    assert working_size((400, 200), pipeline) == (176, 96)
    assert working_size((20, 2000), pipeline)[0] == 16


@pytest.mark.parametrize("rival, edit", [("sdedit", sdedit), ("diffedit", diffedit), ("instruct-pix2pix", instruct_pix2pix)])
def test_a_rival_edits_the_whole_picture_and_the_same_way_again(rivals, rival, edit):
    image = render(make_scene(4, size=(120, 80)))
    result = edit(image, PROMPT, rivals, seed=3, **QUICK[rival])
    assert result.status == "edited" and not result.verified and result.image.size == image.size and result.box is None
    assert (result.settings.prompt, result.settings.seed, result.settings.steps) == (PROMPT, 3, QUICK[rival]["steps"])
    assert result.settings.editor == rival
    assert result.timings_ms["inpaint"] > 0 and result.description == "a red car" and result.source.size == image.size
    assert np.array_equal(edit(image, PROMPT, rivals, seed=3, **QUICK[rival]).image, result.image)
    assert not np.array_equal(edit(image, PROMPT, rivals, seed=4, **QUICK[rival]).image, result.image) or rival == "diffedit"


@pytest.mark.parametrize("edit", [sdedit, diffedit, instruct_pix2pix])
def test_what_a_rival_cannot_do_is_an_error(rivals, image, edit):
    with pytest.raises(UnknownWordError):
        edit(image, "the zebra changes to a red zebra", rivals)
    with pytest.raises(PromptError):
        edit(image, "the car", rivals)
    with pytest.raises(SettingsError, match="seed"):
        edit(image, PROMPT, rivals, seed=-1)


def test_a_batch_is_what_its_pictures_are_alone(rivals):
    """Pictures of two sizes, so that they cannot all go together."""
    images = [render(make_scene(i, size=size)) for i, size in enumerate([(96, 96), (120, 80), (96, 96)])]
    prompts = [PROMPT, "the cup changes to a cup upside down", "the bus changes to a green bus"]
    for batch, alone, quick in ((sdedit_batch, sdedit, QUICK["sdedit"]), (diffedit_batch, diffedit, QUICK["diffedit"])):
        together = batch(images, prompts, rivals, [1, 2, 3], **quick)
        for result, image, prompt, seed in zip(together, images, prompts, (1, 2, 3), strict=True):
            one = alone(image, prompt, rivals, seed=seed, **quick)
            assert result.description == one.description and result.image.size == image.size
            assert np.abs(np.asarray(result.image, int) - np.asarray(one.image, int)).max() <= 1
            if one.mask is not None:
                assert np.mean(np.asarray(result.mask) != np.asarray(one.mask)) < 0.01


def test_sdedit_is_told_what_the_picture_is_to_show_and_nothing_else(rivals, image):
    blue_red, green_red, blue_green = (
        sdedit(image, f"the {before} car changes to a {after} car", rivals, steps=2, strength=0.5).image
        for before, after in (("blue", "red"), ("green", "red"), ("blue", "green"))
    )
    assert np.array_equal(blue_red, green_red) and not np.array_equal(blue_red, blue_green)


def test_diffedit_repaints_under_the_new_caption_where_its_mask_is(rivals, image):
    from textedit_lite.rivals.diffedit import encode, invert, repaint, states

    pipeline, asked = rivals.rival("text2image"), {"steps": 2, "strength": 0.5}
    result = diffedit(image, PROMPT, rivals, guidance=3.0, noise=0.5, maps=1, **asked)
    painted = {}
    with torch.inference_mode():
        levels = invert(encode([image.resize(working_size(image.size, pipeline), Image.Resampling.LANCZOS)], pipeline), pipeline, **asked)
        tall, wide = levels[0].shape[2:]
        where = torch.from_numpy(np.asarray(result.mask.resize((wide, tall), Image.Resampling.NEAREST)) > 0)[None]
        for caption in captions(parse(PROMPT)):
            latents = repaint(levels, where, states([caption], pipeline), pipeline, steps=2, guidance=3.0)
            pixels = pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
            (outcome,) = outcomes(pipeline.image_processor.postprocess(pixels, output_type="np"), None, pipeline)
            painted[caption] = outcome.picture.resize(image.size, Image.Resampling.LANCZOS)
    assert 0 < where.float().mean() < 1 and not np.array_equal(*painted.values())
    assert np.array_equal(result.image, painted["a red car"])


CHANGES = {
    "sdedit": {"steps": 4, "strength": 0.5, "guidance": 1.0},
    "diffedit": {"guidance": 1.0, "noise": 0.75, "maps": 1},
    "instruct-pix2pix": {"steps": 2, "guidance": 4.0, "image_guidance": 3.0, "temperature": 1.0},
}


@pytest.mark.parametrize("rival, edit", [("sdedit", sdedit), ("diffedit", diffedit), ("instruct-pix2pix", instruct_pix2pix)])
def test_each_setting_of_a_rival_reaches_the_picture(rivals, image, rival, edit):
    before = edit(image, PROMPT, rivals, **QUICK[rival])
    for name, value in CHANGES[rival].items():
        after = edit(image, PROMPT, rivals, **QUICK[rival] | {name: value})
        assert after.settings.rival[name] == value != before.settings.rival[name]
        assert not np.array_equal(after.image, before.image), name


def test_instruct_pix2pix_weighs_words_and_picture_each_by_its_own_guidance(rivals, image):
    pipeline, generator = rivals.rival("instruct-pix2pix"), torch.Generator().manual_seed(3)
    size = working_size(image.size, pipeline)
    drawn = noise(generator, pipeline, 1.0, size)
    painted = pipeline(
        prompt=[instruction(parse(PROMPT), brief=True)], image=[image.resize(size, Image.Resampling.LANCZOS)], num_inference_steps=2,
        guidance_scale=3.0, image_guidance_scale=1.5, generator=[generator], latents=drawn, output_type="np",
    ).images  # fmt: skip
    expected = outcomes(painted, None, pipeline)[0].picture.resize(image.size, Image.Resampling.LANCZOS)
    asked = {"steps": 2, "guidance": 3.0, "image_guidance": 1.5, "temperature": 1.0}
    assert np.array_equal(instruct_pix2pix(image, PROMPT, rivals, seed=3, **asked).image, expected)


def test_the_edits_of_a_batch_share_its_time(rivals, image):
    start = time.perf_counter()
    together = sdedit_batch([image] * 4, [PROMPT] * 4, rivals, range(4), **QUICK["sdedit"])
    assert sum(result.timings_ms["inpaint"] for result in together) <= 1000 * (time.perf_counter() - start)


def test_each_setting_of_the_plain_way_reaches_the_picture(models, image):
    before = plain_edit(image, PROMPT, models, steps=2)
    for change in ({"steps": 3}, {"strength": 1.0}, {"guidance": 1.0}, {"seed": 1}):
        assert not np.array_equal(plain_edit(image, PROMPT, models, **{"steps": 2, **change}).image, before.image), change


def test_what_is_no_number_is_not_the_safety_checkers(rivals, image, monkeypatch):
    for pipeline in (rivals.rival("text2image"), rivals.rival("instruct-pix2pix"), rivals.painter):
        monkeypatch.setattr(pipeline, "run_safety_checker", lambda pixels, device, dtype: (pixels * float("nan"), None))
    for name, edit in zip(QUICK, (sdedit, diffedit, instruct_pix2pix), strict=True):
        result = edit(image, PROMPT, rivals, **QUICK[name])
        assert result.image is None and (result.status, result.message) == ("unverified", NO_NUMBERS), name
    result = plain_edit(image, PROMPT, rivals, steps=2)
    assert result.image is None and (result.status, result.message) == ("unverified", NO_NUMBERS)


def test_what_overflows_in_half_precision_costs_only_its_own_picture():
    half = SimpleNamespace(unet=SimpleNamespace(dtype=torch.float16))
    pixels = np.stack([np.full((4, 4, 3), value, np.float32) for value in (0.5, np.nan, 0.0, 0.5)])
    found = outcomes(pixels, [False, False, False, True], half)
    assert [one.refused for one in found] == ["", OVERFLOWN, BLACKENED, BLACKENED]
    assert found[0].picture.getextrema() == ((128, 128),) * 3


# --- DiffEdit ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parts(rivals, image):
    """A pipeline, a picture's latents, and the states of two captions."""
    import torch

    from textedit_lite.rivals.diffedit import encode, states

    pipeline = rivals.rival("text2image")
    with torch.inference_mode():
        latents = encode([image.resize((64, 64))], pipeline)
        return pipeline, latents, states(["a blue car"], pipeline), states(["a red car"], pipeline)


def test_the_mask_is_the_one_of_diffusers(parts):
    """The same picture, captions and noise through diffusers' own pipeline, whose guidance must not matter."""
    import torch
    from diffusers import DDIMInverseScheduler, StableDiffusionDiffEditPipeline

    from textedit_lite.rivals.diffedit import noise_contrast

    pipeline, latents, before, after = parts
    names = ("vae", "text_encoder", "tokenizer", "unet", "scheduler", "safety_checker", "feature_extractor")
    theirs = StableDiffusionDiffEditPipeline(
        **{name: getattr(pipeline, name) for name in names}, requires_safety_checker=False,
        inverse_scheduler=DDIMInverseScheduler.from_config(pipeline.scheduler.config),
    )  # fmt: skip
    expected = theirs.generate_mask(
        image=latents, source_prompt="a blue car", target_prompt="a red car", num_maps_per_mask=3, mask_encode_strength=0.5,
        mask_thresholding_ratio=3.0, num_inference_steps=10, guidance_scale=4.0, generator=torch.Generator().manual_seed(5),
    )  # fmt: skip
    with torch.inference_mode():
        contrast = noise_contrast(
            latents, before, after, pipeline, [torch.Generator().manual_seed(5)], noise=0.5, maps=3, steps=10
        )
    ours = (contrast > 1.5 * contrast.mean((1, 2), keepdim=True)).numpy()
    assert 0 < ours.mean() < 1
    assert np.mean(ours != expected.astype(bool)) < 0.01


def test_a_schedule_of_another_scheduler_is_inverted_without_a_complaint(parts, monkeypatch):
    import torch
    from diffusers import DDIMInverseScheduler, DDIMScheduler, PNDMScheduler, configuration_utils

    from textedit_lite.rivals.diffedit import invert

    pipeline, latents, _, _ = parts
    published = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1, "clip_sample": False}
    theirs = PNDMScheduler.from_config({**published, "skip_prk_steps": True, "set_alpha_to_one": False})
    complaints, made = [], []
    monkeypatch.setattr(configuration_utils.logger, "warning", complaints.append)
    monkeypatch.setattr(pipeline, "scheduler", DDIMScheduler.from_config(theirs.config))
    plain = DDIMInverseScheduler.from_config(pipeline.scheduler.config)
    assert len(complaints) == 1, "diffusers would"
    step = DDIMInverseScheduler.step
    monkeypatch.setattr(DDIMInverseScheduler, "step", lambda self, *given: made.append(self) or step(self, *given))
    with torch.inference_mode():
        invert(latents, pipeline, steps=4, strength=0.5)
    assert len(complaints) == 1 and torch.equal(made[0].alphas_cumprod, plain.alphas_cumprod)
    assert made[0].config.steps_offset == 1 and made[0].initial_alpha_cumprod == plain.initial_alpha_cumprod


def test_the_inversion_leads_back_and_the_background_is_the_pictures(parts):
    import torch

    from textedit_lite.rivals.diffedit import invert, repaint, states

    pipeline, latents, _, after = parts
    nothing, nowhere = states([""], pipeline), torch.zeros(latents.shape[0], *latents.shape[2:], dtype=torch.bool)
    with torch.inference_mode():
        levels = invert(latents, pipeline, steps=50, strength=0.5)
        assert len(levels) == 26 and torch.equal(levels[0], latents)
        assert float((levels[-1] - latents).square().mean()) > 0.05, "noise has come in"
        back = repaint(levels, ~nowhere, nothing, pipeline, steps=50, guidance=1.0)
        assert float((back - latents).square().mean()) < 0.02, "without words, the last level leads back"
        assert torch.equal(repaint(levels, nowhere, after, pipeline, steps=50, guidance=3.0), latents)
        mask = nowhere.clone()
        mask[:, 4:9, 3:7] = True
        some = repaint(levels, mask, after, pipeline, steps=50, guidance=3.0)
        differs = (some != latents).any(1)
        assert torch.equal(differs & ~mask, nowhere) and differs[mask].all()


def test_diffedit_says_where_it_repaints(rivals, image):
    low, high = (diffedit(image, PROMPT, rivals, **QUICK["diffedit"], threshold=value).mask for value in (1.0, 1.6))
    assert low.mode == "L" and low.size == image.size and set(np.unique(low)) == {0, 255}
    wide, narrow = (np.asarray(mask) > 0 for mask in (low, high))
    assert narrow.sum() < wide.sum() and not (narrow & ~wide).any()


# --- the shipped models ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["text2image", "instruct-pix2pix"])
def test_a_shipped_unet_is_small_and_has_its_card(part):
    folder = data_path("models", "lite", part)
    (weights,) = folder.rglob("*.safetensors")
    assert weights.stat().st_size <= 7 * 2**20
    assert f"textedit-lite train {part}" in (folder / "README.md").read_text()


def test_all_lite_models_together_stay_small():
    files = data_path("models", "lite").rglob("*.safetensors")
    assert sum(file.stat().st_size for file in files) <= 42 * 2**20


def test_without_noise_instruct_pix2pix_draws_one_picture_whatever_the_seed(rivals):
    image = render(make_scene(81))

    def drawn(seed, temperature):
        wish = "the blue bus changes to a red bus"
        return np.asarray(instruct_pix2pix(image, wish, rivals, seed=seed, steps=1, temperature=temperature).image)

    assert np.array_equal(drawn(0, 0.0), drawn(1, 0.0)) and not np.array_equal(drawn(0, 1.0), drawn(1, 1.0))


def test_instruct_pix2pix_recolours_what_it_is_told_to_and_leaves_the_rest_nearly_alone(models):
    image = render(make_scene(81))
    result = np.asarray(instruct_pix2pix(image, "the blue bus changes to a red bus", models).image, int)
    x0, y0, x1, y1 = (int(v) for v in boxes(make_scene(81))[0])
    body = np.zeros(result.shape[:2], bool)
    body[y0:y1, x0:x1] = True
    red = (result[..., 0] > result[..., 2] + 60) & (result[..., 0] > result[..., 1] + 60)
    assert red[body].mean() > 0.3 and red[~body].mean() < 0.02
    assert np.abs(result - np.asarray(image, int))[~body].mean() < 12


def test_diffedit_finds_the_object_better_than_chance(models):
    image = render(make_scene(81))
    x0, y0, x1, y1 = (int(v) for v in boxes(make_scene(81))[0])
    mask = np.asarray(diffedit(image, "the blue bus changes to a red bus", models).mask) > 0
    assert mask[y0:y1, x0:x1].mean() > 4 * mask.mean() > 0


# --- where the weights are ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("edit, part", [(sdedit, "text2image"), (instruct_pix2pix, "instruct-pix2pix")])
def test_without_weights_a_sentence_says_how_to_train_them(models, image, edit, part):
    with pytest.raises(WeightsError, match=f"textedit-lite train {part} --minutes") as caught:
        edit(image, PROMPT, replace(models, optional={}))
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_a_model_of_another_kind_is_refused(rivals, image):
    swapped = replace(rivals, loaded={}, optional={"text2image": rivals.optional["instruct-pix2pix"]})
    with pytest.raises(WeightsError, match="takes 8 channels, not 4"):
        sdedit(image, PROMPT, swapped)


def test_a_rival_holds_nothing_twice(rivals, models):
    pipeline = rivals.rival("text2image")
    assert pipeline is rivals.rival("text2image")
    assert pipeline.vae is models.painter.vae and pipeline.text_encoder is models.painter.text_encoder
    assert pipeline.unet.dtype == models.painter.unet.dtype


# --- as editors of an evaluation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rival", DEFAULTS)
def test_the_rivals_are_editors(rivals, rival, monkeypatch):
    monkeypatch.setitem(DEFAULTS[rival], "lite", DEFAULTS[rival]["lite"] | QUICK[rival])
    picture = render(make_scene(4, size=96))
    pixels = np.zeros((96, 96), bool)
    pixels[20:50, 30:70] = True
    request = Request(picture, PROMPT, 7, {"colour": "red"}, (30.0, 20.0, 70.0, 50.0), pixels)
    assert rival in EDITORS
    first, second = make_editor(rival, rivals)([request, request])
    assert first.image.size == picture.size and np.array_equal(first.image, second.image)


# --- the search for their settings -------------------------------------------------------------------------------


def test_a_search_is_written_down_and_goes_on_where_it_was(rivals, tmp_path, monkeypatch):
    monkeypatch.setitem(DEFAULTS["sdedit"], "lite", {"steps": 2, "guidance": 1.0, "strength": 1.0})
    monkeypatch.setitem(tune.TRIED, "sdedit", {"strength": (0.5, 1.0)})
    best = tune.tune("sdedit", rivals, tmp_path, images=1, progress=False)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["settings"]["strength"] for row in rows] == [1.0, 0.5] and all(row["figures"]["edits"] == 4 for row in rows)
    assert best == max((row["settings"] for row in rows), key=lambda settings: -settings["strength"]), "the nearer to the ideal"
    table = (tmp_path / "table.md").read_text().splitlines()
    assert table[0].startswith("| strength | success | color | tilt | front | updown | success and kept") and len(table) == 4
    assert table[2].startswith("| 0.5 |")

    def never(*arguments):
        raise AssertionError("it was measured before")

    measured = tune.measure
    monkeypatch.setattr(tune, "measure", never)
    assert tune.tune("sdedit", rivals, tmp_path, images=1, progress=False) == best

    path = tmp_path / "rows.jsonl"
    path.write_bytes(path.read_bytes()[:-20])  # killed while it wrote the last row
    monkeypatch.setattr(tune, "measure", measured)
    for _ in range(2):
        assert tune.tune("sdedit", rivals, tmp_path, images=1, progress=False) == best
        again = [json.loads(line)["settings"] for line in path.read_text().splitlines()]
        assert again == [row["settings"] for row in rows]

    monkeypatch.setattr(tune, "rival_of", lambda *_: {"weights_sha256": {"unet": "trained anew"}})
    tune.tune("sdedit", rivals, tmp_path, images=1, progress=False)
    assert len(path.read_text().splitlines()) == 4, "of other weights nothing is known yet"


def test_a_search_looks_at_validation_scenes_only():
    for task in ("color", "front"):
        first, second = islice(tune.trials(task, 0), 2)
        assert first.scene.split == second.scene.split == "validation" and first.scene != second.scene
        assert first.request.pixels.any() and parse(first.request.prompt).task == task


def test_figures_of_an_editor_that_does_nothing(models, monkeypatch):
    """Against them the rivals are measured: no success, nothing changed outside."""
    some = list(islice(tune.trials("color", 0), 3))
    found = tune.measure("copy", models, {}, some)
    assert found["success"] == found["mse_outside"] == found["color"] == 0 and found["mse_ideal"] > 0 and found["edits"] == 3


def test_success_comes_first_and_then_the_nearness_to_the_ideal():
    good, near, far = ({"success": success, "mse_ideal": mse} for success, mse in ((0.5, 0.9), (0.4, 0.1), (0.4, 0.2)))
    assert tune.better(good, near) and tune.better(near, far) and not tune.better(near, good) and not tune.better(far, near)
    assert not tune.better(far, dict(far)), "what is no better does not replace what is there"
    rows = [one | {"settings": {"strength": at}, "clean": 0.0, "mse_outside": 0.0, "seconds": 0.0}
            for at, one in enumerate((far, good, near))]  # fmt: skip
    assert [line.split()[1] for line in tune.table(rows, ["strength"]).splitlines()[2:]] == ["1", "2", "0"], "best first"


def test_a_search_takes_no_figures_of_another_one(rivals, tmp_path, monkeypatch):
    monkeypatch.setitem(tune.TRIED, "sdedit", {"strength": (settings_of("sdedit", rivals)["strength"],)})
    monkeypatch.setattr(tune, "TASKS", {"color": tune.TASKS["color"]})
    figures = dict.fromkeys(("success", "color", "clean", "mse_ideal", "mse_outside", "seconds"), 0.0)
    monkeypatch.setattr(tune, "measure", lambda rival, models, settings, some: figures | {"edits": len(some)})
    for images, seed in ((1, 0), (2, 0), (1, 1), (1, 0)):
        tune.tune("sdedit", rivals, tmp_path, images=images, seed=seed, progress=False)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["search"]["images"], row["search"]["seed"], row["figures"]["edits"]) for row in rows] == [(1, 0, 1), (2, 0, 2), (1, 1, 1)]


def test_figures_of_editors_that_do_all_and_more_than_they_are_asked(models, monkeypatch):
    some = list(islice(tune.trials("color", 0), 1))

    def editor(careless: bool):
        made = {}
        for trial in some:
            pose = next(pose for pose in POSES if pose != trial.scene.objects[trial.index].pose)
            change = trial.change | ({"pose": pose} if careless else {})
            made[id(trial.request)] = ideal_edit(trial.scene, trial.index, change)
        return lambda models, options: lambda asked: [EditResult("edited", "", image=made[id(one)]) for one in asked]

    monkeypatch.setitem(EDITORS, "ideal", editor(False))
    found = tune.measure("ideal", models, {}, some)
    assert found["success"] == found["clean"] == 1 and found["mse_ideal"] == found["mse_outside"] == 0
    monkeypatch.setitem(EDITORS, "careless", editor(True))
    found = tune.measure("careless", models, {}, some)
    assert found["success"] == 1 and found["clean"] == 0 and found["mse_ideal"] > 0


def test_what_is_no_rival_has_no_settings(models, tmp_path):
    with pytest.raises(SettingsError, match="no settings to search"):
        tune.tune("copy", models, tmp_path)
    with pytest.raises(SettingsError, match="at least 1 image"):
        tune.tune("sdedit", models, tmp_path, images=0)


# --- a run -------------------------------------------------------------------------------------------------------


def test_a_run_says_with_which_settings_and_weights_a_rival_edited(rivals, tmp_path, monkeypatch):
    monkeypatch.setitem(DEFAULTS["instruct-pix2pix"], "lite", {"steps": 1, "guidance": 2.0, "image_guidance": 1.0, "temperature": 0.5})
    folder = evaluate("world", "instruct-pix2pix", ["color"], 2, 5, out=tmp_path, models=rivals, progress=False)
    recorded = json.loads((folder / "run.json").read_text())["settings"]["rival"]
    assert recorded["settings"] == {"steps": 1, "guidance": 2.0, "image_guidance": 1.0, "temperature": 0.5}
    assert list(recorded["weights_sha256"]) == ["unet/diffusion_pytorch_model.safetensors"]
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 2 and all(row["returned"] and row["target"] is None and row["psnr_outside"] < 40 for row in rows)
    monkeypatch.setitem(DEFAULTS["instruct-pix2pix"], "lite", {"steps": 1, "guidance": 3.0, "image_guidance": 1.0, "temperature": 1.0})
    with pytest.raises(SettingsError, match="another --out"):
        evaluate("world", "instruct-pix2pix", ["color"], 2, 5, out=tmp_path, models=rivals, progress=False)


@pytest.mark.parametrize(("given", "alone"), [
    ({"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}, True),  # what its launcher sets with --cpu --num_processes 2
    ({"ACCELERATE_USE_CPU": "True"}, False), ({"MASTER_ADDR": "127.0.0.1", "RANK": "0", "WORLD_SIZE": "2"}, False), ({}, False),
])  # fmt: skip
def test_a_process_that_accelerate_left_alone_knows_it(monkeypatch, given, alone):
    for name in ("ACCELERATE_USE_CPU", "MASTER_ADDR", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert alone_under_accelerate() is alone
