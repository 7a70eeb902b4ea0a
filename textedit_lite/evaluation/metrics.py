"""Measures one edit by its pixels and by CLIP, and says how sure a mean over many edits is.

Pixels run from 0 to 1 in every formula, and everything but SSIM is computed in float64. "Outside" is where the mask is 0:
the part that no edit may touch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from ..errors import MaskError, SettingsError
from ..match import image_features, text_features

PAPER_SIDE = 512  # pixels a side at which whole pictures are compared: Stable Diffusion's own
PSNR_CAP = 100.0  # dB; stands for the infinity of an exact copy, so that a mean over edits stays a number
SIGMA = 1.5  # pixels, of SSIM's Gaussian window
REACH = 5  # pixels from the middle of that window to its edge: 11 x 11, where torchmetrics and scikit-image cut it
STILL = 1e-6  # a shorter distance between two unit features is rounding, and has no direction


# --- pixels ------------------------------------------------------------------------------------------------------


def edit_measures(
    original: Image.Image, edited: Image.Image, mask: Image.Image | None, ideal: Image.Image | None = None
) -> dict[str, float | int | None]:
    """What an edit did to a picture, inside and outside of its mask.

    original, edited: RGB of the same size. mask: L of that size, 0 = must stay, all else may change; None: all must stay.
    ideal: the edit as it should be, where that is known.

    | key | what |
    |---|---|
    | `ssim_512` | SSIM of the whole pictures, squeezed to 512x512 (Lanczos): what papers print as "SSIM" |
    | `mse_whole`, `psnr_whole` | over the whole pictures at their own size |
    | `ssim_outside`, `mse_outside`, `psnr_outside` | the mean over the pixels outside alone (`ssim_outside`, `psnr`) |
    | `changed_outside` | number of pixels outside that differ at all |
    | `ssim_pie`, `mse_pie`, `psnr_pie` | the same part, measured as PIE-Bench does (`pie_measures`): it comes out better |
    | `mse_ideal_inside`, `mse_ideal_whole` | between the ideal edit and this one; only where `ideal` is given |

    None stands for a mean over no pixels, as where the mask covers the picture.
    Raises MaskError or SettingsError for pictures of different sizes. Taught in notebook 06.
    """
    a, b = _pixels(original), _pixels(edited, original.size)
    outside = _outside(mask, original.size)
    small = [image.convert("RGB").resize((PAPER_SIDE,) * 2, Image.Resampling.LANCZOS) for image in (original, edited)]
    squared = ((a - b) ** 2).mean(-1)
    mse = float(squared.mean())
    mse_outside = _mean(squared, outside)
    row: dict[str, float | int | None] = {
        "ssim_512": float(ssim_map(*map(_pixels, small)).mean()),
        "mse_whole": mse,
        "psnr_whole": psnr(mse),
        "ssim_outside": ssim_outside(a, b, outside),
        "mse_outside": mse_outside,
        "psnr_outside": None if mse_outside is None else psnr(mse_outside),
        "changed_outside": int((squared > 0)[outside].sum()),
        **pie_measures(a, b, outside),
    }
    if ideal is not None:
        squared = ((b - _pixels(ideal, original.size)) ** 2).mean(-1)
        row |= {"mse_ideal_inside": _mean(squared, ~outside), "mse_ideal_whole": float(squared.mean())}
    return row


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in dB, PSNR = -10 log10(MSE) for pixels from 0 to 1; at most PSNR_CAP, 100 dB.

    An exact copy has a mean squared error of 0 and an infinite PSNR: it is reported as the cap. Taught in notebook 06.
    """
    return PSNR_CAP if mse <= 0 else float(min(PSNR_CAP, -10 * np.log10(mse)))


def ssim_map(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Structural similarity around every pixel of two pictures [H, W, 3], 0 to 1: float64 [H, W], 1 where they agree.

    SSIM = (2 m_a m_b + c1)(2 s_ab + c2) / ((m_a^2 + m_b^2 + c1)(s_a^2 + s_b^2 + c2)), with the means m, variances s^2
    and covariance s_ab under a Gaussian window of sigma 1.5 (11 x 11 pixels, mirrored at the border), c1 = 0.01^2 and
    c2 = 0.03^2; it is averaged over R, G and B (Wang et al., 2004). The range of the data is set to 1, never guessed from
    the picture. Computed by torchmetrics in float32: good to about 3e-4.

    Raises SettingsError where torchmetrics is not installed, or does not import. Taught in notebook 06.
    """
    import torch

    try:
        from torchmetrics.functional.image import structural_similarity_index_measure
    except (ImportError, RuntimeError) as error:  # where they are installed, it imports torch-fidelity, which imports torchvision
        install = "pip install --no-deps torchmetrics lightning-utilities; or, where torchvision fails, pip uninstall torch-fidelity"
        reason = " ".join(str(error).split())[:120].rstrip(".")
        raise SettingsError(f"SSIM needs torchmetrics, which cannot be imported here ({reason}): {install}.") from error
    similar = np.ones(a.shape[:2])
    differs = (a != b).any(-1)
    if not differs.any():
        return similar
    # Where no pixel of a window differs, SSIM is 1, so only the surroundings of what differs are computed. They extend twice
    # the reach, so that the mirror at the cut shows nothing that differs.
    part = tuple(slice(max(0, at.min() - 2 * REACH), at.max() + 2 * REACH + 1) for at in np.nonzero(differs))
    tensors = [torch.from_numpy(np.ascontiguousarray(x[part], np.float32)).permute(2, 0, 1)[None] for x in (a, b)]
    _, found = structural_similarity_index_measure(
        *tensors, gaussian_kernel=True, sigma=SIGMA, data_range=1.0, return_full_image=True
    )
    similar[part] = found[0].double().mean(0).numpy()
    return similar


def ssim_outside(a: np.ndarray, b: np.ndarray, outside: np.ndarray) -> float | None:
    """SSIM of what should have stayed: the mean of `ssim_map` over the pixels outside (bool [H, W]), None if none are.

    Windows near the mask reach into it. There both pictures are given the original's pixels, so the edit itself does not
    count, but a seam or a halo just outside, where most damage is done, still does. (Averaging only over windows that lie
    wholly outside would overlook a rim of 5 pixels.) An exact background has 1.0 exactly.
    Taught in notebook 06.
    """
    return _mean(ssim_map(a, np.where(outside[..., None], b, a)), outside)


def pie_measures(a: np.ndarray, b: np.ndarray, outside: np.ndarray) -> dict[str, float]:
    """`ssim_pie`, `mse_pie`, `psnr_pie`: the part outside, measured as PIE-Bench does it (Ju et al., 2024).

    Both pictures are multiplied by the inverse mask, which makes the inside black in both, and then compared over the
    FULL frame. With u, the share of pixels outside, MSE_pie = u MSE_outside, hence PSNR_pie = PSNR_outside - 10 log10 u:
    a large mask flatters. Kept for comparison with tables made this way. Taught in notebook 06.
    """
    a, b = a * outside[..., None], b * outside[..., None]
    mse = float(((a - b) ** 2).mean())
    return {"ssim_pie": float(ssim_map(a, b).mean()), "mse_pie": mse, "psnr_pie": psnr(mse)}


def _pixels(image: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
    """A picture as float64 [H, W, 3] from 0 to 1: 8 bit integers would wrap around when they are subtracted."""
    if size is not None and image.size != size:
        given = f"{image.width}x{image.height} pixels and the original {size[0]}x{size[1]}"
        raise SettingsError(f"The picture to compare has {given}: bring both to one size first.")
    return np.asarray(image.convert("RGB"), np.float64) / 255


def _outside(mask: Image.Image | None, size: tuple[int, int]) -> np.ndarray:
    if mask is None:
        return np.ones(size[::-1], bool)
    if mask.size != size:
        given = f"{mask.width}x{mask.height} pixels and the picture {size[0]}x{size[1]}"
        raise MaskError(f"The mask has {given}: give one of the picture's size.")
    return np.asarray(mask.convert("L")) == 0


def _mean(values: np.ndarray, where: np.ndarray) -> float | None:
    return float(values[where].mean()) if where.any() else None


# --- words -------------------------------------------------------------------------------------------------------


def clip_measures(
    before_crop: Image.Image, after_crop: Image.Image, source_text: str, target_text: str, models: Any
) -> dict[str, float]:
    """`clip_similarity` and `clip_direction` of the crops of an object before and after its edit.

    clip_similarity = cos(E(after), E(target text)), with CLIP's unit features E. clip_direction = cos(dI, dT) with
    dI = E(after) - E(before), dT = E(target text) - E(source text): whether the picture went where the words went (Gal et
    al., StyleGAN-NADA, 2022). It is 0 where the picture or the words did not move at all, as for a copy.

    Crops: as `square_crop` cuts them, both with the same box. models: those whose CLIP is asked; a network that also chose
    among the paintings is no independent judge. Taught in notebook 06.
    """
    before, after = image_features([before_crop, after_crop], models).astype(np.float64)
    source, target = text_features([source_text, target_text], models).astype(np.float64)
    moved, asked = after - before, target - source
    lengths = np.linalg.norm(moved), np.linalg.norm(asked)
    direction = float(moved @ asked / np.prod(lengths)) if min(lengths) > STILL else 0.0
    return {"clip_similarity": float(after @ target), "clip_direction": direction}


# --- how sure a figure is ----------------------------------------------------------------------------------------


def bootstrap_interval(
    values: Iterable[float | None], statistic: Callable = np.mean, level: float = 0.95, resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:  # fmt: skip
    """Percentile bootstrap interval (low, high) of a statistic of values (Efron, 1979).

    Draws as many values as there are, with replacement, `resamples` times; the interval holds the middle `level` of the
    statistics of these draws. Values that are None or NaN, such as a mean over no pixels, are left out; for
    no values at all the interval is (nan, nan). statistic: a function of an array along an axis, such as np.mean or
    np.median. To compare two editors on the same edits, pass the differences, edit by edit.

    Raises SettingsError for a level outside of 0 to 1 or no resamples. Taught in notebook 06.
    """
    if not 0 < level < 1 or resamples < 1:
        raise SettingsError(f"An interval of {level} from {resamples} resamples is none: as in level 0.95, resamples 1000.")
    numbers = np.array([value for value in values if value is not None], np.float64)
    numbers = numbers[~np.isnan(numbers)]
    if not len(numbers):
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (resamples, len(numbers)))
    tails = 50 * (1 - level), 50 * (1 + level)
    low, high = np.percentile(statistic(numbers[picks], axis=1), tails)
    return float(low), float(high)


def clustered_interval(
    values: Sequence[float], clusters: Sequence, statistic: Callable = np.mean, level: float = 0.95, resamples: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:  # fmt: skip
    """`bootstrap_interval` of values that come in clusters, such as several edits of one picture, which succeed or fail together.

    Whole clusters are drawn (Field & Welsh, 2007), as dependent values tell less than the same number of independent ones.
    clusters: for each value, what it belongs to; where each stands alone, it is `bootstrap_interval`. Taught in notebook 06.
    """
    numbers = np.asarray(values, np.float64)
    known = ~np.isnan(numbers)
    numbers, (names, member) = numbers[known], np.unique(np.asarray(clusters)[known], return_inverse=True)
    if len(names) == len(numbers):
        return bootstrap_interval(numbers, statistic, level, resamples, seed)
    picks = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    drawn = (np.bincount(pick, minlength=len(names)) for pick in picks)  # how often each cluster
    low, high = np.percentile([statistic(np.repeat(numbers, times[member])) for times in drawn], (50 * (1 - level), 50 * (1 + level)))
    return float(low), float(high)
