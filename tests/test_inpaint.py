"""Stage 4: the painter sees a crop at its native size, and nothing but the masked place comes back."""

from __future__ import annotations

from types import SimpleNamespace

import diffusers
import numpy as np
import pytest
import torch
from drawn import box_mask
from PIL import Image, ImageDraw

from textedit_lite.boxes import context_window
from textedit_lite.errors import MaskError, SettingsError
from textedit_lite.inpaint import (
    BLACKENED,
    MAX_GUIDANCE,
    NO_NUMBERS,
    OVERFLOWN,
    Job,
    check_settings,
    denoising,
    guidance_scale,
    inpaint,
    inpaint_batch,
    noise,
    painting_size,
    possible_steps,
    step_schedule,
)
from textedit_lite.world.scenes import make_scene, render


def picture(width: int, height: int) -> Image.Image:
    """A scene with a little noise, so that no two neighbouring pixels are equal by accident."""
    scene = make_scene(3, "test", 0, (max(width, 64), max(height, 64)))
    pixels = np.asarray(render(scene).crop((0, 0, width, height)), int)
    noise = np.random.default_rng(0).integers(-6, 7, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).astype(np.uint8))


def changed(result: Image.Image, image: Image.Image) -> np.ndarray:
    return (np.asarray(result) != np.asarray(image)).any(-1)


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return picture(256, 256)


MASK = box_mask((256, 256), (80, 90, 160, 150))


# --- schedules ---------------------------------------------------------------------------------------------------


def test_every_round_takes_more_steps():
    assert [step_schedule(r, 12) for r in range(4)] == [12, 18, 24, 30]
    assert [step_schedule(r, 1) for r in range(3)] == [1, 2, 2]
    assert step_schedule(2, 1000) == 1000


def test_guidance_by_hand():
    assert guidance_scale(3, 1) == pytest.approx(3)  # all of the wish is there: the base
    assert guidance_scale(3, 0) == pytest.approx(1 + 2 * 1.25)
    assert guidance_scale(3, 0.5, 1) == pytest.approx(1 + 2 * 1.125 * 1.25)
    assert guidance_scale(1, 0, 3) == 1  # no guidance stays none
    assert guidance_scale(3, -1) == guidance_scale(3, 0) and guidance_scale(3, 2) == guidance_scale(3, 1)


def test_the_schedules_never_leave_what_can_be_painted():
    for r in range(10):
        check_settings(step_schedule(r, 1000), guidance_scale(MAX_GUIDANCE, 0, r))


@pytest.mark.parametrize("steps", [0, -1, 1001, 2.5, float("nan"), "12", None])
def test_steps_out_of_range(steps):
    with pytest.raises(SettingsError, match="steps"):
        check_settings(steps, 3.0)


# Stable Diffusion 1.5's own schedule, whose spacing, "leading", is the default of those that have one.
SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def scheduled(scheduler: str, painter=None, **options):
    """A painter with another scheduler, or of the scheduler alone."""
    made = getattr(diffusers, scheduler)(**SD | options)
    if painter is None:
        return SimpleNamespace(scheduler=made)
    made = type(made).from_config(painter.scheduler.config, **options)
    return diffusers.StableDiffusionInpaintPipeline(**painter.components | {"scheduler": made}, requires_safety_checker=False)


@pytest.mark.parametrize(
    "scheduler, refused",
    [
        ("LCMScheduler", {51: 50, 60: 50, 1000: 50}),
        ("PNDMScheduler", {334: 333, 501: 500, 700: 500, 1000: 999}),
        ("DDIMScheduler", {334: 333, 501: 500, 700: 500, 1000: 999}),
        ("DPMSolverMultistepScheduler", {}),
        ("UniPCMultistepScheduler", {}),
        ("EulerDiscreteScheduler", {}),
    ],
)
def test_a_scheduler_is_asked_for_no_more_steps_than_it_can_take(scheduler, refused):
    painter = scheduled(scheduler, **({"skip_prk_steps": True} if scheduler == "PNDMScheduler" else {}))
    for steps in (1, 2, 4, 12, 25, 30, 45, 50):
        assert possible_steps(steps, painter) == steps
        check_settings(steps, 3.0, painter=painter)
    for steps in (51, 60, 100, 334, 501, 700, 999, 1000):
        possible = possible_steps(steps, painter)
        assert possible == refused.get(steps, 50 if scheduler == "LCMScheduler" else steps)
        painter.scheduler.set_timesteps(possible)
        assert 0.79 * 1000 < painter.scheduler.timesteps.max() < 1000, "from noise, within the schedule"
        if possible != steps:
            with pytest.raises(SettingsError, match=f"{steps} steps with this painter's {scheduler}: give {possible}"):
                check_settings(steps, 3.0, painter=painter)


def test_asking_leaves_the_painters_scheduler_as_it_is(models):
    before = models.painter.scheduler.timesteps.tolist()
    assert possible_steps(7, models.painter) == 7 and models.painter.scheduler.timesteps.tolist() == before


def test_steps_that_the_scheduler_cannot_take_are_refused_before_anything_is_painted(models, image):
    painter = scheduled("LCMScheduler")  # it has nothing to paint with
    for paint in (inpaint, denoising):
        with pytest.raises(SettingsError, match="60 steps .* give 50"):
            paint(image, MASK, "a red car", painter, steps=60)


@pytest.mark.parametrize("guidance", [0.9, -3, 51, float("nan"), float("inf"), "3", None])
def test_guidance_out_of_range(guidance):
    with pytest.raises(SettingsError, match="guidance"):
        check_settings(12, guidance)


@pytest.mark.parametrize("strength", [0, -1, 1.01, float("nan"), 0.05])
def test_a_strength_that_leaves_no_steps(strength):
    with pytest.raises(SettingsError, match="strength"):
        check_settings(12, 3.0, strength)


# --- the background ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "size,box",
    [
        ((256, 256), (80, 90, 160, 150)),
        ((257, 193), (201, 0, 257, 61)),  # in a corner, odd sizes
        ((257, 193), (0, 100, 30, 193)),
        ((900, 40), (300, 0, 420, 40)),  # the window is three times as high as the picture
        ((40, 900), (5, 700, 35, 900)),
        ((900, 16), (0, 0, 900, 16)),  # everything
        ((256, 256), (128, 128, 129, 129)),  # a single pixel
        ((3000, 2000), (1000, 700, 2100, 1900)),  # scaled down to be painted, and up to be pasted
    ],
)
def test_outside_of_the_mask_not_a_bit_changes(models, size, box):
    image, mask = picture(300, 300).resize(size) if max(size) > 1000 else picture(*size), box_mask(size, box)
    (painting,) = inpaint(image, mask, "a red car", models.painter, steps=1)
    assert painting.image.size == size and painting.image.mode == "RGB" and not painting.refused
    differs, inside = changed(painting.image, image), np.asarray(mask) > 0
    assert not (differs & ~inside).any()
    assert differs.any()


def test_a_hand_drawn_mask_is_kept_to(models, image):
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    draw.polygon([(60, 200), (120, 40), (200, 180)], 255)
    draw.ellipse((110, 120, 140, 150), 0)
    draw.point((5, 5), 255)  # and a stray dot, far away
    (painting,) = inpaint(image, mask, "a red car", models.painter, steps=1)
    differs = changed(painting.image, image)
    assert not (differs & (np.asarray(mask) == 0)).any() and differs.sum() > 3000


def test_the_input_is_not_written_to(models, image):
    before, mask = image.tobytes(), MASK.tobytes()
    inpaint(image, MASK, "a red car", models.painter, steps=1)
    assert image.tobytes() == before and MASK.tobytes() == mask


def test_the_refinement_changes_only_what_is_near_the_boundary(models, image):
    with_it, without = (inpaint(image, MASK, "a red car", models.painter, steps=1, refine=refine)[0].image for refine in (True, False))
    differs = changed(with_it, without)
    assert not differs[110:130, 105:135].any()  # deep inside, the painter's own
    assert not (differs & (np.asarray(MASK) == 0)).any()


# --- what the painter sees ---------------------------------------------------------------------------------------


class Watched:
    """The painter, which remembers what it was given."""

    def __init__(self, painter):
        self.painter, self.given = painter, []

    def __getattr__(self, name):
        return getattr(self.painter, name)

    def __call__(self, **options):
        self.given.append(options)
        return self.painter(**options)


class Large(Watched):
    """The painter as if it had seen photographs: by the number of its words."""

    tokenizer = range(49_408)


def test_the_size_at_which_a_window_is_painted(models):
    config = SimpleNamespace(sample_size=64, block_out_channels=(320, 640, 1280, 1280))
    full = SimpleNamespace(vae_scale_factor=8, unet=SimpleNamespace(config=config))
    assert painting_size((300, 300), full) == (512, 512) and painting_size((554, 480), full) == (576, 448)
    assert painting_size((428, 640), full) == (448, 640) and painting_size((640, 40), full)[1] == 128
    assert painting_size((999, 999), models.painter) == (models.native, models.native)


@pytest.mark.parametrize("size, box", [((320, 240), (60, 10, 290, 230)), ((150, 300), (0, 40, 130, 300)), ((400, 40), (100, 0, 300, 40))])
def test_a_painter_of_photographs_sees_nothing_that_is_not_in_the_picture(models, size, box):
    image, mask, watched = picture(*size), box_mask(size, box), Large(models.painter)
    x0, y0, x1, y1 = context_window(box, size)
    assert x0 < 0 or y0 < 0 or x1 > size[0] or y1 > size[1], "a window that reaches beyond"
    window = (max(x0, 0), max(y0, 0), min(x1, size[0]), min(y1, size[1]))
    (painting,) = inpaint(image, mask, "a red car", watched, steps=1)
    seen, hole = watched.given[0]["image"][0], watched.given[0]["mask_image"][0]
    assert seen.tobytes() == image.crop(window).resize(seen.size, Image.Resampling.LANCZOS, reducing_gap=3).tobytes()
    assert hole.size == seen.size == (watched.given[0]["width"], watched.given[0]["height"]) == painting_size(
        (window[2] - window[0], window[3] - window[1]), models.painter)  # fmt: skip
    assert abs(np.log(seen.width * seen.height / models.native**2)) < 0.3, "about as many pixels as it was trained on"
    left, top, right, bottom = hole.getbbox()
    across, down = seen.width / (window[2] - window[0]), seen.height / (window[3] - window[1])
    expected = [across * (box[0] - window[0]), down * (box[1] - window[1]), across * (box[2] - window[0]), down * (box[3] - window[1])]
    assert np.abs(np.subtract((left, top, right, bottom), expected)).max() <= 1
    assert not (changed(painting.image, image) & (np.asarray(mask) == 0)).any()


def test_the_lite_painter_sees_a_square_whose_rest_repeats_the_edge_and_stays(models):
    image, box, watched = picture(320, 240), (60, 10, 290, 230), Watched(models.painter)
    inpaint(image, box_mask(image.size, box), "a red car", watched, steps=1)
    seen, hole = (np.asarray(watched.given[0][name][0]) for name in ("image", "mask_image"))
    assert seen.shape[:2] == hole.shape == (models.native, models.native)
    shown = int(np.ceil(models.native * 32 / 307))  # a window of 307 pixels is 33 and 34 higher than the picture
    assert (seen[: shown - 1] == seen[shown]).all() and not hole[:shown].any() and not hole[-shown:].any()


def test_a_painting_of_a_window_that_is_no_square_comes_back_where_it_was_seen(models):
    image, box = picture(320, 240), (60, 10, 290, 230)

    class Copying(Large):
        def __call__(self, **options):
            return SimpleNamespace(images=np.stack([np.asarray(one) / 255 for one in options["image"]]))

    (painting,) = inpaint(image, box_mask(image.size, box), "a red car", Copying(models.painter), steps=1, refine=False)
    blurred = np.abs(np.asarray(painting.image, int) - np.asarray(image, int)).mean()
    shifted = np.abs(np.asarray(image, int)[:, 4:] - np.asarray(image, int)[:, :-4]).mean()
    assert blurred < 0.75 * shifted


def test_jobs_of_several_sizes_are_painted_each_as_if_alone(models):
    wide, tall = picture(320, 240), picture(150, 300)
    jobs = [
        Job(wide, box_mask(wide.size, (60, 10, 290, 230)), "a red car", 1),
        Job(tall, box_mask(tall.size, (0, 40, 130, 300)), "a blue cup", 2),
        Job(wide, box_mask(wide.size, (60, 10, 290, 230)), "a green bus", 3),
        Job(wide, box_mask(wide.size, (60, 60, 120, 110)), "a red car", 4),
    ]
    watched = Large(models.painter)
    for together, job in zip(inpaint_batch(jobs, watched, 2), jobs, strict=True):
        (alone,) = inpaint_batch([job], Large(models.painter), 2)
        assert together.seed == job.seed and together.image.size == job.image.size
        assert np.abs(np.asarray(together.image, int) - np.asarray(alone.image, int)).max() <= 2
    assert sorted(len(given["prompt"]) for given in watched.given) == [1, 1, 2], "those of one size in one call"


@pytest.mark.parametrize("line", [(25, 65, 200, 67), (101, 50, 103, 160), "diagonal", (150, 150, 151, 151)])
def test_what_is_thinner_than_a_latent_cell_is_painted_all_the_same(models, image, line):
    mask, watched, cell = Image.new("L", image.size), Watched(models.painter), models.painter.vae_scale_factor
    if line == "diagonal":
        ImageDraw.Draw(mask).line((25, 60, 190, 130), 255, 2)
    else:
        mask.paste(255, line)
    mask.paste(255, (30, 170, 80, 210))  # and something thick, for which the window is large
    (painting,) = inpaint(image, mask, "a red car", watched, steps=1)
    hole, window = np.asarray(watched.given[0]["mask_image"][0]) > 0, context_window(mask.getbbox(), image.size)
    latent = torch.nn.functional.interpolate(torch.from_numpy(hole)[None, None].float(), scale_factor=1 / cell)[0, 0] > 0
    scale = models.native / (window[2] - window[0])
    rows, columns = np.nonzero(np.asarray(mask)[:165])  # the thin part
    lost = ~latent.numpy()[((rows + 0.5 - window[1]) * scale / cell).astype(int), ((columns + 0.5 - window[0]) * scale / cell).astype(int)]
    assert not lost.any()
    assert not (changed(painting.image, image) & (np.asarray(mask) == 0)).any()


def test_the_mask_of_a_box_reaches_the_painter_as_it_is(models, image):
    for box in ((80, 90, 160, 150), (0, 3, 41, 60), (100, 20, 112, 120)):
        watched, mask = Watched(models.painter), box_mask(image.size, box)
        inpaint(image, mask, "a red car", watched, steps=1)
        window = context_window(box, image.size)
        expected = mask.crop(window).resize((models.native,) * 2, Image.Resampling.BILINEAR, reducing_gap=3)
        assert watched.given[0]["mask_image"][0].tobytes() == expected.point([0] * 128 + [255] * 128).tobytes()


# --- seeds -------------------------------------------------------------------------------------------------------


def test_a_seed_repeats_bit_for_bit_and_another_differs(models, image):
    a, b, c = (inpaint(image, MASK, "a red car", models.painter, seeds=(seed,), steps=2)[0].image for seed in (5, 5, 6))
    assert a.tobytes() == b.tobytes()
    assert changed(a, c)[90:150, 80:160].mean() > 0.5


def test_a_seed_paints_the_same_alone_and_among_others(models, image):
    alone = inpaint(image, MASK, "a red car", models.painter, seeds=(5,), steps=2)[0]
    among = inpaint(image, MASK, "a red car", models.painter, seeds=(4, 5, 6), steps=2)
    assert [one.seed for one in among] == [4, 5, 6]
    difference = np.abs(np.asarray(alone.image, int) - np.asarray(among[1].image, int))
    assert difference.max() <= 2 and difference.mean() < 0.01


def test_the_colder_the_noise_the_less_the_seeds_differ(models, image):
    def spread(temperature):
        several = inpaint(image, MASK, "a red car", models.painter, seeds=(5, 6, 7), steps=3, temperature=temperature)
        return np.std([np.asarray(one.image, float) for one in several], 0)[np.asarray(MASK) > 0].mean()

    warm, cool, cold = (spread(temperature) for temperature in (1.0, 0.3, 0.0))
    assert warm > 2 * cool > 0 and cold < 0.05 * warm


def test_the_noise_is_what_a_seed_draws_times_the_temperature(models):
    def seeded():
        return torch.Generator("cpu").manual_seed(3)

    drawn = noise(seeded(), models.painter)
    assert torch.equal(drawn, torch.randn(drawn.shape, generator=seeded()))
    assert torch.equal(noise(seeded(), models.painter, 0.25), 0.25 * drawn) and not noise(seeded(), models.painter, 0).any()


def test_each_job_of_a_batch_has_its_own_temperature(models, image):
    jobs = [Job(image, MASK, "a red car", 5, temperature=temperature) for temperature in (1.0, 0.2)]
    for together, job in zip(inpaint_batch(jobs, models.painter, 2), jobs, strict=True):
        (alone,) = inpaint_batch([job], models.painter, 2)
        assert np.abs(np.asarray(together.image, int) - np.asarray(alone.image, int)).max() <= 2
    assert np.abs(np.subtract(*(np.asarray(one.image, int) for one in inpaint_batch(jobs, models.painter, 2)))).max() > 20


def test_a_batch_paints_each_job_on_its_own_picture(models, image):
    other = picture(300, 200)
    jobs = [Job(image, MASK, "a red car", 5), Job(other, box_mask((300, 200), (50, 50, 120, 100)), "a blue cup", 7)]
    batch = inpaint_batch(jobs, models.painter, 2, 3.0)
    for job, painting in zip(jobs, batch, strict=True):
        (alone,) = inpaint(job.image, job.mask, job.description, models.painter, seeds=(job.seed,), steps=2)
        assert painting.image.size == job.image.size and painting.seed == job.seed
        assert np.abs(np.asarray(painting.image, int) - np.asarray(alone.image, int)).max() <= 2


def test_the_words_matter(models, image):
    red, blue = (inpaint(image, MASK, words, models.painter, steps=2)[0].image for words in ("a red car", "a blue bird"))
    assert changed(red, blue)[90:150, 80:160].mean() > 0.5


def test_every_setting_reaches_the_painter(models, image):
    def painted(**options):
        return inpaint(image, MASK, "a red car", models.painter, **{"steps": 1, "guidance": 4.0} | options)[0].image.tobytes()

    settings = {"negative": "a blue bird"}, {"guidance": 8.0}, {"steps": 2}, {"steps": 2, "strength": 0.5}, {"feather": 0.3}
    assert len({painted(), *(painted(**options) for options in settings)}) == 1 + len(settings)


# --- the rest ----------------------------------------------------------------------------------------------------


def test_progress_is_told_after_each_step(models, image):
    told = []
    inpaint(image, MASK, "a red car", models.painter, steps=3, progress=lambda *pair: told.append(pair))
    assert told == [(1, 3), (2, 3), (3, 3)]
    told.clear()
    inpaint(image, MASK, "a red car", models.painter, steps=4, strength=0.5, progress=lambda *pair: told.append(pair))
    assert told == [(1, 2), (2, 2)]


def test_progress_counts_what_the_scheduler_takes(models, image):
    painter, told = scheduled("PNDMScheduler", models.painter, skip_prk_steps=True), []
    inpaint(image, MASK, "a red car", painter, steps=3, progress=lambda *pair: told.append(pair))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)], "PNDM takes one more"
    told.clear()
    inpaint(image, MASK, "a red car", painter, steps=4, strength=0.5, progress=lambda *pair: told.append(pair))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert len(denoising(image, MASK, "a red car", painter, steps=3)) == 4


def test_the_latents_are_decoded_one_at_a_time(models, image, monkeypatch):
    decode, sizes = models.painter.vae.decode, []
    monkeypatch.setattr(models.painter.vae, "decode", lambda latents, *more, **options: sizes.append(len(latents))
                        or decode(latents, *more, **options))  # fmt: skip
    assert len(denoising(image, MASK, "a red car", models.painter, steps=3)) == 3
    assert set(sizes) == {1}


def test_what_the_latents_show_after_each_step(models, image):
    shown = denoising(image, MASK, "a red car", models.painter, steps=2)
    assert [one.size for one in shown] == [(models.native, models.native)] * 2
    assert shown[0].tobytes() != shown[1].tobytes()
    others = [denoising(image, MASK, "a red car", models.painter, steps=1, **options) for options in ({}, {"seed": 1}, {"guidance": 6.0})]
    assert len({one[-1].tobytes() for one in others}) == 3


@pytest.mark.parametrize(
    "mask", [Image.new("L", (256, 256)), Image.new("L", (256, 256), 100), Image.new("L", (255, 256), 255)]
)
def test_an_empty_mask_or_one_of_another_size_is_refused(models, image, mask):
    with pytest.raises(MaskError, match="mask"):
        inpaint(image, mask, "a red car", models.painter, steps=1)


@pytest.mark.parametrize("temperature", [-0.1, 1.5, float("nan"), None])
def test_noise_of_no_such_temperature_is_refused(models, image, temperature):
    with pytest.raises(SettingsError, match="temperature"):
        inpaint(image, MASK, "a red car", models.painter, steps=1, temperature=temperature)


def test_settings_are_checked_before_anything_is_painted(models, image):
    for options in ({"steps": 0}, {"feather": 0.6}, {"feather": -0.1}):
        with pytest.raises(SettingsError, match=next(iter(options))):
            inpaint(image, MASK, "a red car", models.painter, **{"steps": 1} | options)


class Checked:
    """The painter with a safety checker that blackens some of its pictures, as Stable Diffusion's does."""

    def __init__(self, painter, blackened, says: bool, value: float = 0.0):
        self.painter, self.blackened, self.says, self.value = painter, blackened, says, value

    def __getattr__(self, name):
        return getattr(self.painter, name)

    def __call__(self, **options):
        images = self.painter(**options).images.copy()
        images[list(self.blackened)] = self.value
        flags = [i in self.blackened for i in range(len(images))] if self.says else None
        return SimpleNamespace(images=images, nsfw_content_detected=flags)


@pytest.mark.parametrize("says,value,why", [(True, 0.0, BLACKENED), (False, 0.0, BLACKENED), (False, float("nan"), NO_NUMBERS)])
def test_a_blackened_picture_is_refused_and_the_others_are_not(models, image, says, value, why):
    painter = Checked(models.painter, {1}, says, value)
    first, second, third = inpaint(image, MASK, "a red car", painter, seeds=(0, 1, 2), steps=1)
    assert second.refused == why and second.image.tobytes() == image.tobytes()
    assert not first.refused and not third.refused
    assert changed(first.image, image).any() and changed(third.image, image).any()


def test_what_overflows_in_half_precision_is_not_the_safety_checkers(models, image):
    class Half(Checked):
        def __init__(self, painter):
            super().__init__(painter, {0}, False, float("nan"))
            self.unet = SimpleNamespace(dtype=torch.float16, config=painter.unet.config)

    (painting,) = inpaint(image, MASK, "a red car", Half(models.painter), steps=1, strength=1.0)
    assert painting.refused == OVERFLOWN and "--device cpu" in OVERFLOWN and "safety" not in OVERFLOWN
