"""Distances between two SETS of pictures, by their features: Frechet, KID, CMMD, and the FID where its network is there.

None of them looks at a single edit. All are computed in float64. A figure says nothing without its features, its N and
its reference: `distance_caption` writes them down.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SettingsError, WeightsError
from ..images import ImageSource, open_image
from ..match import image_features

SUBSETS, SUBSET_SIZE = 100, 1000  # of the KID
CMMD_SIGMA, CMMD_SCALE = 10.0, 1000.0
INCEPTION = 2048  # features of the FID's network
ROWS = 1024  # rows of a kernel matrix that are held at once


# --- features ----------------------------------------------------------------------------------------------------


def clip_features_of(images: Iterable[ImageSource], models: Any, batch: int = 64) -> np.ndarray:
    """CLIP's unit features of whole pictures, read `batch` at a time, so that a set need not fit into memory: float64 [N, D].

    images: paths, PIL or arrays, from a list or a generator; each is resized as the CLIP in use wants it.
    Raises SettingsError for no pictures, or a batch under 1. Taught in notebook 06.
    """
    if batch < 1:
        raise SettingsError("Pictures are read in batches of at least 1, as in batch=64.")
    rest = iter(images)
    parts = []
    while some := [open_image(image) for image in itertools.islice(rest, batch)]:
        parts.append(image_features(some, models).astype(np.float64))
    if not parts:
        raise SettingsError("There are no pictures to take features of: give at least one.")
    return np.concatenate(parts)


def inception_features(
    images: Iterable[ImageSource], weights: Path | str | None = None, device: str = "cpu", batch: int = 32
) -> np.ndarray:
    """The 2048 pooled features of each picture by the FID's own Inception network: float64 [N, 2048].

    The network is torch-fidelity's (`inception-v3-compat`, TensorFlow's weights), run by torchmetrics without its
    antialiased resizing, as the FID was defined. weights: a file of them; by default torch-fidelity fetches them.
    Pictures are read `batch` at a time, and those of a batch that have one size go through the network together.
    Raises WeightsError where torch-fidelity, a working torchvision or the weights are not there; SettingsError for no pictures.
    """
    import torch

    advice = "install torch-fidelity and a torchvision that fits your torch, give its weights as a file, or use KID over CLIP"
    try:
        from torchmetrics.image.fid import NoTrainInceptionV3

        if weights is not None:  # torch-fidelity would run whatever code the file holds: here only tensors are let in
            torch.load(weights, map_location="cpu", weights_only=True)
        path = None if weights is None else str(weights)
        network = NoTrainInceptionV3("inception-v3-compat", [str(INCEPTION)], path, antialias=False).to(device)
    except Exception as error:  # a torchvision that does not fit, a damaged file: each fails in its own way
        reason = " ".join(str(error).split()).split(". ")[0][:120].rstrip(".")
        raise WeightsError(f"The Inception network of the FID cannot be loaded ({reason}): {advice}.") from error
    rest = iter(images)
    parts = []
    while some := [open_image(image) for image in itertools.islice(rest, batch)]:
        found = np.empty((len(some), INCEPTION))
        for size in {image.size for image in some}:
            these = [i for i, image in enumerate(some) if image.size == size]
            pixels = torch.from_numpy(np.stack([np.asarray(some[i]) for i in these])).permute(0, 3, 1, 2)  # uint8
            with torch.inference_mode():
                found[these] = network(pixels.to(device)).cpu().numpy()
        parts.append(found)
    if not parts:
        raise SettingsError("There are no pictures to take features of: give at least one.")
    return np.concatenate(parts)


# --- distances ---------------------------------------------------------------------------------------------------


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Squared Frechet distance of two Gaussians fitted to features [N, D] and [M, D].

    d^2 = |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2)), with means m and covariances S (Dowson and Landau, 1982).
    It is the FID where the features are Inception's (Heusel et al., 2017); over others it must not be called FID.

    With S = R^t R, where R is the triangle of a QR decomposition of the centred features, the last trace is the sum of the
    singular values of R_a R_b^t. So nothing is inverted and no root of a matrix is taken. Fewer pictures than features,
    where S does not have full rank, need no special case. But they need caution: at N <= D the distance of two sets of the
    same kind is far from 0, and falls as N grows.

    Raises SettingsError for fewer than 2 rows, or for features of different kinds. Taught in notebook 06.
    """
    a, b = _pair(features_a, features_b)
    shift = a.mean(0) - b.mean(0)
    roots = [np.linalg.qr(x - x.mean(0), mode="r") / np.sqrt(len(x) - 1) for x in (a, b)]
    traces = sum((root**2).sum() for root in roots)
    shared = np.linalg.svd(roots[0] @ roots[1].T, compute_uv=False).sum()
    return float(max(0.0, shift @ shift + traces - 2 * shared))


def kid(
    features_a: np.ndarray, features_b: np.ndarray, subsets: int = SUBSETS, subset_size: int = SUBSET_SIZE, seed: int = 0,
    paired: bool = False,
) -> tuple[float, float]:  # fmt: skip
    """Kernel distance (KID, where the features are Inception's): its mean and deviation over random subsets.

    The unbiased squared MMD with the kernel k(x, y) = (x . y / D + 1)^3, over `subsets` pairs of subsets of `subset_size`
    rows each, or of all rows if there are fewer (Binkowski et al., 2018). Unbiased means that for two sets of one kind it
    is about 0 at any N, and may be below 0. The deviation is that between subsets; where a subset holds all rows it is 0
    and says nothing.

    paired: row i of both is of one picture, before and after. Then both subsets are of the same pictures, and no picture is
    compared with itself (Gretton et al., 2012, equation 4). Otherwise the likeness within a pair would count as nearness of
    the sets, and the distance of a set from itself would be below 0, the further the smaller the set. This way it is 0.

    Raises SettingsError for fewer than 2 rows, for features of different kinds, or where pairs are not all there. Taught in notebook 06.
    """
    a, b = _pair(features_a, features_b)
    size = min(subset_size, len(a), len(b))
    if paired and len(a) != len(b):
        raise SettingsError(f"Paired sets are of one length, not {len(a)} and {len(b)}: give both pictures of each pair.")
    if size < 2 or subsets < 1:
        raise SettingsError("KID needs at least 1 subset of at least 2 rows, as in subsets=100, subset_size=1000.")
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(subsets if size < max(len(a), len(b)) else 1):
        some = rng.permutation(len(a))[:size]
        x, y = a[some], b[some if paired else rng.permutation(len(b))[:size]]
        xx, yy, xy = ((p @ q.T / a.shape[1] + 1) ** 3 for p, q in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - np.trace(xx) + yy.sum() - np.trace(yy)) / (size * (size - 1))
        between = (xy.sum() - np.trace(xy)) / (size * (size - 1)) if paired else xy.mean()
        found.append(within - 2 * between)
    return float(np.mean(found)), float(np.std(found))


def cmmd(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """CMMD: 1000 times the squared MMD of unit CLIP features with the kernel exp(-|x - y|^2 / (2 sigma^2)), sigma = 10.

    MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b) over all pairs, a row with itself included (Jayasumana et al.,
    2024, and their code). They use CLIP ViT-L/14 at 336 pixels; figures over another CLIP can be compared only with each
    other. CMMD assumes no Gaussian, and is 0 for the same set.

    Raises SettingsError for fewer than 2 rows, or for features of different kinds. Taught in notebook 06.
    """
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in _pair(features_a, features_b))

    def mean_kernel(x: np.ndarray, y: np.ndarray) -> float:  # |x - y|^2 = 2 - 2 x . y between unit vectors
        parts = (np.exp((x[at : at + ROWS] @ y.T - 1) / CMMD_SIGMA**2).sum() for at in range(0, len(x), ROWS))
        return sum(parts) / (len(x) * len(y))

    return float(CMMD_SCALE * (mean_kernel(a, a) + mean_kernel(b, b) - 2 * mean_kernel(a, b)))


def inception_fid(
    images_a: Iterable[ImageSource], images_b: Iterable[ImageSource], weights: Path | str | None = None
) -> float:
    """The FID proper: `frechet_distance` over the features of its own Inception network (Heusel et al., 2017).

    Raises WeightsError where that network is not at hand, saying how to get it. Taught in notebook 06.
    """
    return frechet_distance(inception_features(images_a, weights), inception_features(images_b, weights))


def distance_caption(
    measure: str, features: str, dimension: int, counts: tuple[int, int], paired: bool, reference: str
) -> str:
    """What must stand under a distance, e.g. "KID over CLIP lite (64-d), N = 40, paired, reference: the originals".

    paired: picture i of one set was made from picture i of the other, which makes every distance small.
    Raises SettingsError for an "FID" over other features than Inception's: it must carry another name.
    Taught in notebook 06.
    """
    if measure.upper() == "FID" and "inception" not in features.lower():
        raise SettingsError(f"An FID over {features} is none: call it Frechet distance.")
    n, m = counts
    caption = f"{measure} over {features} ({dimension}-d), N = {n if n == m else f'{n} and {m}'}, "
    caption += f"{'paired' if paired else 'unpaired'}, reference: {reference}"
    if measure.lower() in ("fid", "frechet distance") and min(counts) <= dimension:
        caption += f"; N <= {dimension}: biased upwards, compare at this N only"
    return caption


def _pair(*features: np.ndarray) -> list[np.ndarray]:
    """Two sets of features as float64, checked."""
    pair = [np.asarray(x, np.float64) for x in features]
    if any(x.ndim != 2 or len(x) < 2 for x in pair) or pair[0].shape[1] != pair[1].shape[1]:
        shapes = " and ".join("x".join(map(str, x.shape)) for x in pair)
        raise SettingsError(f"Features of {shapes} cannot be compared: give 2 rows or more of one number of columns.")
    if not all(np.isfinite(x).all() for x in pair):
        raise SettingsError("Some features are no numbers: leave out the pictures that gave NaN or infinity.")
    return pair
