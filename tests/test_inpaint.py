"""Stage 4: the painter sees a crop at its native size, and nothing but the masked place comes back."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from textedit_lite.errors import MaskError, SettingsError
from textedit_lite.inpaint import (
    MAX_GUIDANCE,
    Job,
    check_settings,
    denoising,
    guidance_scale,
    inpaint,
    inpaint_batch,
    noise,
    step_schedule,
)
from textedit_lite.world.scenes import make_scene, render


def box_mask(size, box) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


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


# --- the rest ----------------------------------------------------------------------------------------------------


def test_progress_is_told_after_each_step(models, image):
    told = []
    inpaint(image, MASK, "a red car", models.painter, steps=3, progress=lambda *pair: told.append(pair))
    assert told == [(1, 3), (2, 3), (3, 3)]
    told.clear()
    inpaint(image, MASK, "a red car", models.painter, steps=4, strength=0.5, progress=lambda *pair: told.append(pair))
    assert told == [(1, 2), (2, 2)]


def test_what_the_latents_show_after_each_step(models, image):
    shown = denoising(image, MASK, "a red car", models.painter, steps=2)
    assert [one.size for one in shown] == [(models.native, models.native)] * 2
    assert shown[0].tobytes() != shown[1].tobytes()


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
    with pytest.raises(SettingsError):
        inpaint(image, MASK, "a red car", models.painter, steps=0)


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


@pytest.mark.parametrize("says,value", [(True, 0.0), (False, 0.0), (False, float("nan"))])
def test_a_blackened_picture_is_refused_and_the_others_are_not(models, image, says, value):
    painter = Checked(models.painter, {1}, says, value)
    first, second, third = inpaint(image, MASK, "a red car", painter, seeds=(0, 1, 2), steps=1)
    assert second.refused and second.image.tobytes() == image.tobytes()
    assert not first.refused and not third.refused
    assert changed(first.image, image).any() and changed(third.image, image).any()
