"""The exercises of notebook 04: the noise and the way out of it, the words' pull, a sketch's colour."""

from __future__ import annotations

import numpy as np
from PIL import Image

from .. import plots
from ..blend import paste_back
from ..boxes import context_window, zoom
from ..inpaint import guidance_scale, step_schedule
from ..models import native_side
from ..sketch import recolour
from ..vocabulary import COLOUR_RGB, COLOURS
from .exercise import Exercise, difference

# --- right answers that the package leaves to its libraries ------------------------------------------------------


def add_noise(x0: np.ndarray, noise: np.ndarray, alphas: np.ndarray) -> np.ndarray:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) e for a batch: x0, noise [B, C, H, W], alphas [B] -> [B, C, H, W]."""
    alphas = np.asarray(alphas).reshape(-1, 1, 1, 1)
    return np.sqrt(alphas) * x0 + np.sqrt(1 - alphas) * noise


def guided(without: np.ndarray, with_words: np.ndarray, scale: float) -> np.ndarray:
    """Classifier-free guidance (Ho and Salimans, 2022): v() + g (v(c) - v())."""
    return without + scale * (with_words - without)


def ddim_step(x: np.ndarray, velocity: np.ndarray, alpha: float, alpha_next: float) -> np.ndarray:
    """One step of DDIM (Song et al., 2021) with a network that predicts velocity: x at alpha -> x at alpha_next."""
    picture = np.sqrt(alpha) * x - np.sqrt(1 - alpha) * velocity
    noise = np.sqrt(1 - alpha) * x + np.sqrt(alpha) * velocity
    return np.sqrt(alpha_next) * picture + np.sqrt(1 - alpha_next) * noise


OURS = {"add_noise": add_noise, "guided": guided, "ddim_step": ddim_step}


def paint_by_hand(
    image: Image.Image, mask: Image.Image, caption: str, painter, *, start: Image.Image | None = None, seed: int = 0,
    steps: int = 12, guidance: float = 3.0, strength: float = 1.0, **mine,
) -> tuple[Image.Image, list[str]]:  # fmt: skip
    """Stage 4 with the sampling loop in the open: what the library's pipeline does, made of exercises 4.1, 4.2 and 4.5.

    mine: add_noise, guided, ddim_step of one's own; ours stand in for those that are missing or not solved yet. Returns
    the picture with the painting put back, and the names of those that were taken. start: the picture from whose noised
    latents a strength below 1 sets out.
    """
    import torch

    step_of = {name: _Either(mine.get(name), ours) for name, ours in OURS.items()}
    window, side = context_window(mask.getbbox(), image.size), native_side(painter)
    pixels = painter.image_processor.preprocess(zoom(start or image, window, side))
    hole = zoom(mask, window, side, Image.Resampling.BILINEAR, "constant")
    empty = torch.from_numpy(np.asarray(hole) >= 128)[None, None].float()
    schedule = painter.scheduler
    schedule.set_timesteps(steps)
    times, stride = schedule.timesteps[steps - int(steps * strength) :].tolist(), len(schedule.alphas_cumprod) // steps

    def alpha(t: int) -> float:
        return float(schedule.alphas_cumprod[t]) if t >= 0 else 1.0

    with torch.inference_mode():
        latents = painter.vae.encode(torch.cat([pixels * (empty < 0.5), pixels])).latents * painter.vae.config.scaling_factor
        words, nothing = painter.encode_prompt(caption, painter.device, 1, True)
        noise = torch.randn(latents[1:].shape, generator=torch.Generator().manual_seed(seed)).numpy()
        x = noise if strength == 1 else step_of["add_noise"](latents[1:].numpy(), noise, np.array([alpha(times[0])]))
        small = torch.nn.functional.interpolate(empty, latents.shape[-2:])
        both = torch.cat([small, latents[:1]], 1).expand(2, -1, -1, -1)
        for t in times:
            nine = torch.cat([torch.from_numpy(np.asarray(x, np.float32)).expand(2, -1, -1, -1), both], 1)
            without, with_words = painter.unet(nine, t, torch.cat([nothing, words])).sample.split(1)
            velocity = step_of["guided"](without.numpy(), with_words.numpy(), guidance)
            x = step_of["ddim_step"](x, velocity, alpha(t), alpha(t - stride))
        decoded = painter.vae.decode(torch.from_numpy(np.asarray(x, np.float32)) / painter.vae.config.scaling_factor).sample
    painted = painter.image_processor.postprocess(decoded, output_type="pil")[0]
    return paste_back(image, painted, mask, window), [name for name, step in step_of.items() if step.taken]


class _Either:
    """A student's function, or ours where it is not there or not solved yet."""

    def __init__(self, mine, ours):
        self.mine, self.ours, self.taken = mine, ours, False

    def __call__(self, *arguments):
        if self.mine is not None:
            try:
                result = self.mine(*arguments)
                self.taken = True
                return result
            except NotImplementedError:
                pass
        return self.ours(*arguments)


# --- inputs ------------------------------------------------------------------------------------------------------


def _noisings(rng: np.random.Generator):
    """Clean, pure noise, one latent, a batch whose four sides are equal, and random ones."""
    for shape, alphas in (((1, 4, 3, 3), [1.0]), ((2, 4, 3, 5), [0.0, 0.25]), ((4, 4, 4, 4), [0.1, 0.5, 0.9, 0.99])):
        yield *_pair(rng, shape), np.array(alphas, np.float32)
    for batch in (1, 3, 5):
        yield *_pair(rng, (batch, 4, *rng.integers(2, 9, 2))), rng.uniform(0, 1, batch).astype(np.float32)


def _pair(rng: np.random.Generator, shape) -> tuple[np.ndarray, np.ndarray]:
    return tuple(rng.normal(size=shape).astype(np.float32) for _ in range(2))


def _guidances(rng: np.random.Generator):
    """No words, words alone, the usual scale, and random ones."""
    for scale in (0.0, 1.0, 3.0, 7.5, *rng.uniform(1, 15, 3).tolist()):
        yield *_pair(rng, (int(rng.integers(1, 4)), 4, *rng.integers(2, 7, 2))), scale


def _rounds(rng: np.random.Generator):
    """The first try, odd counts in odd rounds, more than the schedule has, and random ones."""
    yield from ((0, 12), (1, 12), (1, 3), (3, 7), (1, 1), (2, 900), (0, 1000), (4, 334))
    for _ in range(6):
        yield int(rng.integers(0, 6)), int(rng.integers(1, 400))


def _wishes(rng: np.random.Generator):
    """The wish is there, is not, is a rounding error beyond; no guidance, more than any; and random ones."""
    yield from ((3.0, 1.0, 0), (3.0, 0.0, 0), (3.0, 0.5, 2), (7.5, 1.2, 1), (4.0, -0.1, 0), (1.0, 0.3, 2), (45.0, 0.1, 1))
    for _ in range(6):
        yield float(rng.uniform(1, 12)), float(rng.uniform(0, 1)), int(rng.integers(0, 4))


def _steps(rng: np.random.Generator):
    """From pure noise (alpha 0), to the picture (alpha_next 1), staying, and random ones."""
    for alpha, alpha_next in ((0.0, 0.1), (0.6, 1.0), (0.0, 1.0), (1.0, 0.3), (0.5, 0.5)):
        yield *_pair(rng, (1, 4, 4, 4)), alpha, alpha_next
    for _ in range(4):
        alpha = float(rng.uniform(0, 0.9))
        yield *_pair(rng, (int(rng.integers(1, 4)), 4, *rng.integers(2, 7, 2))), alpha, float(rng.uniform(alpha, 1))


def _paints(rng: np.random.Generator):
    """Shades and tints of a colour, greys, other things, one pixel, and mixtures of all."""
    hued = [name for name in COLOURS if name not in ("white", "black")]
    yield np.array(COLOUR_RGB["blue"], np.float32)[None], "blue", "red"
    yield np.array([[20, 20, 22], [200, 225, 240], [0, 0, 0], [60, 130, 255]], np.float32), "blue", "yellow"
    yield np.array([[[196, 87, 254], [189, 84, 245]]], np.float32), "purple", "green"
    for shape in ((3, 4), (6, 5), (1, 9)):
        old = str(rng.choice(hued))
        new = str(rng.choice([name for name in COLOURS if name not in (old, "black")]))  # black has outlines of its own
        shades = rng.uniform(0.2, 1.6, (*shape, 1)) * np.array(COLOUR_RGB[old]) + rng.uniform(0, 90, (*shape, 1))
        pixels = np.where(rng.random((*shape, 1)) < 0.7, shades + rng.normal(0, 12, (*shape, 3)), rng.uniform(0, 255, (*shape, 3)))
        yield pixels.clip(0, 255).astype(np.float32), old, new


def _near(expected, got, arguments) -> str | None:
    """Colours that differ by a rounding error of float32 are the same."""
    return difference(expected, got, arguments, atol=0.02)


# --- the tasks as figures ----------------------------------------------------------------------------------------


def _scene(index: int = 81):
    from ..world import scenes

    scene = scenes.make_scene(index)
    return scenes.render(scene), tuple(scenes.boxes(scene)[0].astype(int).tolist())


def _draw_noise():
    image, box = _scene()
    picture = np.asarray(zoom(image, context_window(box, image.size), 64), np.float32)[None].transpose(0, 3, 1, 2) / 127.5 - 1
    noise, alphas = np.random.default_rng(0).normal(size=picture.shape), (1.0, 0.8, 0.3, 0.0)
    shown = [add_noise(picture, noise, np.array([a]))[0].transpose(1, 2, 0) for a in alphas]
    return plots.image_grid([(127.5 * (v + 1)).clip(0, 255).astype(np.uint8) for v in shown], [f"a = {a:g}" for a in alphas], 4, 1.5)


def _draw_guided():
    figure, (ax,) = plots.panels(width=5.5, height=2.6)
    ax.axhline(0, color="0.85", linewidth=0.8)
    ax.plot([0, 3.2], [0, 1.6], ":", color="0.5")
    for g, name, colour in ((0, "v()\ng = 0", "0.3"), (1, "v(c)\ng = 1", plots.OTHER), (3, "the answer\ng = 3", plots.CHOSEN)):
        ax.plot(g, 0.5 * g, "o", color=colour, markersize=9)
        ax.annotate(name, (g, 0.5 * g), (0, 10), textcoords="offset points", ha="center", fontsize=9)
    ax.set(xlim=(-0.4, 3.6), ylim=(-0.4, 2.6), xticks=(), yticks=(), title="along the difference, g times as far")
    return figure


def _draw_schedule():
    figure, (ax,) = plots.panels(width=5, height=2.4)
    counts = [step_schedule(r, 7) for r in range(5)]
    drawn = ax.bar(range(5), counts, color=plots.OTHER)
    ax.plot(range(5), [7 * (1 + r / 2) for r in range(5)], "o--", color=plots.CHOSEN, markersize=4, label="n (1 + r / 2), n = 7")
    ax.bar_label(drawn, fontsize=9)
    ax.set(xlabel="round r", ylabel="steps", ylim=(0, 26))
    ax.legend(fontsize=8)
    return figure


def _draw_guidance():
    figure, (ax,) = plots.panels(width=5.5, height=2.6)
    shown = np.linspace(-0.2, 1.2, 80)
    for r in range(3):
        ax.plot(shown, [guidance_scale(3.0, p, r) for p in shown], label=f"round {r}")
    ax.axvspan(0, 1, color="0.93", zorder=0)
    ax.set(xlabel="p: how much of the wish is there already", ylabel="guidance, base 3")
    ax.legend(fontsize=8)
    return figure


def _draw_step():
    figure, (ax,) = plots.panels(width=5.4, height=3.2)
    turn = np.linspace(0, np.pi / 2, 60)
    ax.plot(np.cos(turn), np.sin(turn), color="0.6")
    for degrees, name, colour in ((65, "x at alpha", plots.OTHER), (38, "x at alpha_next", plots.CHOSEN)):
        t = np.radians(degrees)
        ax.annotate("", (np.cos(t), np.sin(t)), (0, 0), arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 2})
        ax.text(np.cos(t) + 0.03, np.sin(t) + 0.02, name, fontsize=9, color=colour)
    t = np.radians(65)
    foot = (np.cos(t), np.sin(t))
    ax.annotate("", (foot[0] - 0.3 * np.sin(t), foot[1] + 0.3 * np.cos(t)), foot, arrowprops={"arrowstyle": "->"})
    ax.text(foot[0] - 0.27 * np.sin(t), foot[1] + 0.32 * np.cos(t), "v", fontsize=10)
    ax.set(xlim=(0, 1.6), ylim=(0, 1.3), xlabel="the picture x0: share sqrt(a)", ylabel="the noise e: share sqrt(1 - a)", aspect="equal")
    return figure


def _draw_recolour():
    image, box = _scene()
    before = np.asarray(image.crop(box), np.float32)
    after = recolour(before, "blue", "red")
    base = np.array(COLOUR_RGB["blue"], np.float32)
    shade = (before @ np.linalg.pinv(np.stack([base, np.ones(3, np.float32)], 1)).T)[..., 0]
    hue = np.maximum(shade, 0) * np.linalg.norm(base) / np.maximum(np.linalg.norm(before, axis=-1), 1)
    pictures = [np.rint(v).clip(0, 255).astype(np.uint8) for v in (before, 255 * np.minimum(1, (3 * hue) ** 2), after)]
    return plots.image_grid(pictures, ["p = s b + t 1 + r", "how much it is blue: min(1, 9 h^2)", "s b' + t 1 + r"], 3, 2.3)


EXERCISES = (
    Exercise("4.1", "Into the noise", 2, "add_noise", _noisings, add_noise, _draw_noise),
    Exercise("4.2", "How hard the words pull", 2, "guided", _guidances, guided, _draw_guided),
    Exercise("4.3", "A second try is a finer one", 2, "step_schedule", _rounds, step_schedule, _draw_schedule),
    Exercise("4.4", "Guidance that knows its context", 3, "guidance_scale", _wishes, guidance_scale, _draw_guidance),
    Exercise("4.5", "One step out of the noise", 5, "ddim_step", _steps, ddim_step, _draw_step),
    Exercise("4.6", "The same shades of another colour", 4, "recolour", _paints, recolour, _draw_recolour, _near),
)
