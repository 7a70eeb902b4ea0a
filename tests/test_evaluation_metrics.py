"""The measures of the evaluation, each against another's implementation, its definition, or a case worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image

from textedit_lite.boxes import square_crop
from textedit_lite.errors import MaskError, SettingsError, WeightsError
from textedit_lite.evaluation import distances
from textedit_lite.evaluation.distances import clip_features_of, cmmd, distance_caption, frechet_distance, inception_fid, kid
from textedit_lite.evaluation.metrics import (
    PSNR_CAP,
    bootstrap_interval,
    clip_measures,
    clustered_interval,
    edit_measures,
    psnr,
    ssim_map,
    ssim_outside,
)
from textedit_lite.world.scenes import boxes, ideal_edit, make_scene, render

SIZE = (90, 60)  # not square, so that a swapped axis shows


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def picture(rng, size=SIZE) -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def box_mask(x0: int, y0: int, x1: int, y1: int, size=SIZE) -> Image.Image:
    mask = Image.new("L", size)
    mask.paste(255, (x0, y0, x1, y1))
    return mask


def painted(image: Image.Image, region: tuple[int, int, int, int], colour=(255, 0, 0)) -> Image.Image:
    """A copy with one box filled: xyxy."""
    copy = image.copy()
    copy.paste(colour, region)
    return copy


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


# --- pixels ------------------------------------------------------------------------------------------------------


def test_ssim_is_scikit_images(rng):
    from skimage.metrics import structural_similarity

    photo = np.asarray(render(make_scene(5)), np.float64) / 255
    for spoilt in (np.clip(photo + 0.1 * rng.standard_normal(photo.shape), 0, 1), photo[:, ::-1], 0.5 * photo):
        _, theirs = structural_similarity(
            photo, spoilt, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0, channel_axis=2,
            full=True,
        )  # fmt: skip
        inner = (slice(5, -5),) * 2  # at the border the two mirror the picture in different ways
        ours = ssim_map(photo, spoilt)
        assert ours.shape == photo.shape[:2]
        np.testing.assert_allclose(ours[inner], theirs.mean(-1)[inner], atol=5e-3)
        assert ours[inner].mean() == pytest.approx(theirs[inner].mean(), abs=5e-4)


def test_ssim_worked_through_around_the_difference_alone_is_that_of_the_whole(rng):
    import torch
    from torchmetrics.functional.image import structural_similarity_index_measure

    a = rng.random((60, 90, 3))
    for x, y in ((40, 30), (0, 0), (88, 3), (5, 58)):
        b = a.copy()
        b[y : y + 2, x : x + 2] = 1 - b[y : y + 2, x : x + 2]
        tensors = [torch.from_numpy(v).permute(2, 0, 1)[None].float() for v in (a, b)]
        _, whole = structural_similarity_index_measure(*tensors, sigma=1.5, data_range=1.0, return_full_image=True)
        np.testing.assert_allclose(ssim_map(a, b), whole[0].mean(0), atol=1e-4)


def test_an_exact_background_is_reported_as_exact(rng):
    image, mask = picture(rng), box_mask(20, 10, 60, 40)
    row = edit_measures(image, painted(image, (20, 10, 60, 40)), mask)
    assert row["changed_outside"] == 0
    assert row["ssim_outside"] == 1.0 and row["mse_outside"] == 0.0 and row["psnr_outside"] == PSNR_CAP
    assert row["mse_whole"] > 0.05 and row["ssim_512"] < 0.9  # and the edit itself is seen


def test_the_inside_of_the_mask_counts_for_nothing_outside_and_the_rim_does(rng):
    image, mask = picture(rng), box_mask(20, 10, 60, 40)
    inside = edit_measures(image, painted(image, (20, 10, 60, 40)), mask)
    beside = edit_measures(image, painted(image, (60, 10, 61, 40)), mask)  # one column, just outside
    assert inside["ssim_outside"] == 1.0
    assert beside["changed_outside"] == 30  # all of the column differs: random pixels are not red
    assert 0.5 < beside["ssim_outside"] < 1.0
    swapped = edit_measures(image, painted(image, (0, 0, 5, 5)), mask)
    assert swapped["changed_outside"] == 25 and edit_measures(image, image, mask)["changed_outside"] == 0


def test_mean_squared_error_outside_is_over_the_pixels_outside(rng):
    image, edited, mask = picture(rng), picture(rng), box_mask(20, 10, 60, 40)
    row = edit_measures(image, edited, mask)
    total, count = 0.0, 0
    before, after, hole = np.asarray(image).tolist(), np.asarray(edited).tolist(), np.asarray(mask)
    for y in range(60):  # by hand, in Python's own numbers
        for x in range(90):
            if hole[y, x] == 0:
                total += sum(((p - q) / 255) ** 2 for p, q in zip(before[y][x], after[y][x])) / 3
                count += 1
    assert count == 90 * 60 - 40 * 30
    assert row["mse_outside"] == pytest.approx(total / count, rel=1e-12)
    assert row["psnr_outside"] == pytest.approx(10 * math.log10(count / total), rel=1e-12)


def test_eight_bits_do_not_wrap_around():
    black, white = Image.new("RGB", SIZE), Image.new("RGB", SIZE, "white")
    row = edit_measures(black, white, None)
    assert row["mse_whole"] == row["mse_outside"] == 1.0 and row["psnr_whole"] == 0.0
    assert row["changed_outside"] == 90 * 60
    one = Image.new("RGB", SIZE, (1, 1, 1))
    assert edit_measures(one, black, None)["mse_whole"] == pytest.approx((1 / 255) ** 2)
    assert edit_measures(black, one, None)["mse_whole"] == pytest.approx((1 / 255) ** 2)


def test_pie_bench_measures_by_their_definition(rng):
    import torch
    from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

    image, edited, mask = picture(rng), picture(rng), box_mask(5, 10, 80, 50)
    row = edit_measures(image, edited, mask)
    keep = (np.asarray(mask) == 0)[..., None]
    a, b = (torch.from_numpy(np.asarray(x) / 255 * keep).permute(2, 0, 1)[None].float() for x in (image, edited))
    assert row["mse_pie"] == pytest.approx(float(((a - b) ** 2).mean()), rel=1e-5)
    assert row["psnr_pie"] == pytest.approx(float(peak_signal_noise_ratio(a, b, data_range=1.0)), abs=1e-4)
    assert row["ssim_pie"] == pytest.approx(float(structural_similarity_index_measure(a, b, data_range=1.0)), abs=1e-4)
    unedited = keep.mean()
    assert row["psnr_pie"] - row["psnr_outside"] == pytest.approx(-10 * math.log10(unedited), abs=1e-9)
    assert row["psnr_pie"] > row["psnr_outside"] + 3 and row["ssim_pie"] > row["ssim_outside"]


def test_the_ideal_edit_is_compared_inside_and_whole(rng):
    image, mask = picture(rng), box_mask(20, 10, 60, 40)
    ideal, edited = painted(image, (20, 10, 60, 40), "white"), painted(image, (20, 10, 60, 40), "black")
    row = edit_measures(image, edited, mask, ideal)
    assert row["mse_ideal_inside"] == 1.0 and row["mse_ideal_whole"] == pytest.approx(40 * 30 / (90 * 60))
    assert edit_measures(image, ideal, mask, ideal)["mse_ideal_whole"] == 0.0
    assert "mse_ideal_inside" not in edit_measures(image, ideal, mask)


def test_a_mask_of_all_and_of_nothing(rng):
    image, edited = picture(rng), picture(rng)
    everything = edit_measures(image, edited, Image.new("L", SIZE, 255), image)
    assert everything["ssim_outside"] is everything["mse_outside"] is everything["psnr_outside"] is None
    assert everything["changed_outside"] == 0 and everything["mse_ideal_inside"] == pytest.approx(everything["mse_whole"])
    nothing = edit_measures(image, edited, None, image)
    assert nothing["mse_outside"] == pytest.approx(nothing["mse_whole"]) and nothing["mse_ideal_inside"] is None
    assert nothing["mse_pie"] == pytest.approx(nothing["mse_whole"])


def test_the_soft_rim_of_a_mask_is_inside(rng):
    image, mask = picture(rng), box_mask(20, 10, 60, 40)
    soft = Image.fromarray(np.where(np.asarray(mask) > 0, 1, 0).astype(np.uint8))
    edited = painted(image, (20, 10, 60, 40))
    assert edit_measures(image, edited, soft) == edit_measures(image, edited, mask)


def test_whole_pictures_are_compared_at_512(rng):
    image = picture(rng)
    edited = painted(image, (0, 0, 45, 60))
    a, b = (np.asarray(x.resize((512, 512), Image.Resampling.LANCZOS), float) / 255 for x in (image, edited))
    assert edit_measures(image, edited, None)["ssim_512"] == pytest.approx(ssim_map(a, b).mean(), abs=1e-6)


def test_psnr_of_an_exact_copy_is_the_cap():
    assert psnr(0.0) == PSNR_CAP == psnr(1e-30) and psnr(0.01) == pytest.approx(20.0) and psnr(1.0) == 0.0


def test_pictures_of_different_sizes_are_refused(rng):
    with pytest.raises(SettingsError, match="one size"):
        edit_measures(picture(rng), picture(rng, (60, 90)), None)
    with pytest.raises(MaskError, match="90x60"):
        edit_measures(picture(rng), picture(rng), Image.new("L", (60, 90)))


def test_without_torchmetrics_there_is_a_sentence(rng, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", None)
    with pytest.raises(SettingsError, match="pip install --no-deps torchmetrics"):
        ssim_map(rng.random((20, 20, 3)), rng.random((20, 20, 3)))


def test_a_torchvision_that_does_not_fit_is_a_sentence(rng, monkeypatch):
    import sys

    class Broken:
        def find_spec(self, name, *rest):
            if name == "torchmetrics.functional.image":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.delitem(sys.modules, "torchmetrics.functional.image", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(SettingsError, match="nms does not exist.*pip uninstall torch-fidelity"):
        ssim_map(rng.random((20, 20, 3)), rng.random((20, 20, 3)))


def test_ssim_outside_of_arrays(rng):
    a, b = rng.random((2, 40, 50, 3))
    outside = np.zeros((40, 50), bool)
    assert ssim_outside(a, b, outside) is None
    outside[:, :10] = True
    assert ssim_outside(a, b, outside) < 0.5 and ssim_outside(a, a, outside) == 1.0


# --- CLIP --------------------------------------------------------------------------------------------------------


def test_clip_sees_the_edit_that_the_words_ask_for(models):
    scene = make_scene(81)
    image, box = render(scene), boxes(scene)[0]
    crops = [square_crop(x, box) for x in (image, ideal_edit(scene, 0, {"colour": "red"}), ideal_edit(scene, 0, {"colour": "green"}))]
    words = "a blue bus", "a red bus"
    right, wrong = (clip_measures(crops[0], crop, *words, models) for crop in crops[1:])
    copy = clip_measures(crops[0], crops[0], *words, models)
    back = clip_measures(crops[1], crops[0], *words, models)
    assert right["clip_similarity"] > wrong["clip_similarity"] and right["clip_similarity"] > copy["clip_similarity"]
    assert right["clip_direction"] > 0.5 and right["clip_direction"] > wrong["clip_direction"]
    assert copy["clip_direction"] == 0.0 and back["clip_direction"] == pytest.approx(-right["clip_direction"], abs=1e-5)
    assert clip_measures(*crops[:2], "a bus", "a bus", models)["clip_direction"] == 0.0


def test_directional_similarity_by_its_definition(models):
    from textedit_lite.match import image_features, text_features

    scene = make_scene(81)
    crops = [square_crop(x, boxes(scene)[0]) for x in (render(scene), ideal_edit(scene, 0, {"pose": "tilted"}))]
    image, text = image_features(crops, models), text_features(["a bus", "a tilted bus"], models)
    moved, asked = image[1] - image[0], text[1] - text[0]
    found = clip_measures(*crops, "a bus", "a tilted bus", models)
    expected = moved @ asked / math.sqrt(moved @ moved) / math.sqrt(asked @ asked)
    assert found["clip_direction"] == pytest.approx(expected, abs=1e-5)
    assert found["clip_similarity"] == pytest.approx(float(image[1] @ text[1]), abs=1e-6)


# --- distances of sets -------------------------------------------------------------------------------------------


def test_frechet_distance_of_unit_gaussians_in_2048_dimensions():
    from scipy.linalg import helmert

    # The rows of a Helmert matrix are orthonormal and of mean 0: 2049 points whose covariance is exactly the identity.
    a = helmert(2049).T * math.sqrt(2048)
    np.testing.assert_allclose(np.cov(a[:, :50], rowvar=False), np.eye(50), atol=1e-9)
    assert frechet_distance(a, a + 1) == pytest.approx(2048, abs=1e-6)


def test_frechet_distance_of_given_covariances(rng):
    import scipy.linalg

    a, b = rng.standard_normal((300, 5)) @ rng.standard_normal((5, 5)), 0.3 * rng.standard_normal((200, 5)) + 2
    means, covariances = [x.mean(0) for x in (a, b)], [np.cov(x, rowvar=False) for x in (a, b)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1]).real
    expected = ((means[0] - means[1]) ** 2).sum() + np.trace(covariances[0] + covariances[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9)


def test_frechet_distance_without_full_rank(rng):
    a = rng.standard_normal((10, 64))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-10)
    assert frechet_distance(a, a + 0.5) == pytest.approx(64 * 0.25)
    assert frechet_distance(a, -a + 2 * a.mean(0)) == pytest.approx(0, abs=1e-10)  # mirrored: the same moments
    assert frechet_distance(a, 2 * a) == pytest.approx((a.mean(0) ** 2).sum() + np.trace(np.cov(a, rowvar=False)))
    # In one dimension: (1 - 3)^2 + (s - t)^2.
    x, y = np.array([[0.0], [2.0]]), np.array([[0.0], [6.0]])
    assert frechet_distance(x, y) == pytest.approx(4 + (math.sqrt(2) - math.sqrt(18)) ** 2)


def test_frechet_distance_is_biased_at_few_pictures(rng):
    few, many = (frechet_distance(*rng.standard_normal((2, n, 64))) for n in (40, 4000))
    assert few > 20 and many < 2


@pytest.mark.filterwarnings("ignore:Metric `Kernel Inception Distance`")
def test_kid_is_that_of_torchmetrics(rng):
    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    class Same(torch.nn.Module):  # the features are there already
        num_features = 16

        def forward(self, x):
            return x

    a, b = rng.standard_normal((50, 16)), 0.8 * rng.standard_normal((50, 16)) + 0.3
    theirs = KernelInceptionDistance(Same(), subsets=3, subset_size=50)
    theirs.update(torch.from_numpy(a), real=True)
    theirs.update(torch.from_numpy(b), real=False)
    mean, deviation = kid(a, b)
    assert mean == pytest.approx(float(theirs.compute()[0]), rel=1e-5) and deviation == 0.0


def test_kid_is_unbiased_and_its_subsets_are_no_larger_than_the_sets(rng):
    alike = [kid(*rng.standard_normal((2, 30, 8)))[0] for _ in range(200)]
    assert abs(np.mean(alike)) < 3 * np.std(alike) / math.sqrt(200) and min(alike) < 0
    a, b = rng.standard_normal((60, 8)), rng.standard_normal((40, 8)) + 1
    (mean, deviation), whole = kid(a, b, subset_size=20), kid(a, b, subset_size=40)
    assert deviation > 0 and mean == pytest.approx(whole[0], abs=4 * deviation)
    assert kid(a, b) == kid(a, b, subset_size=40) == whole  # 1000, cut to the smaller set
    assert kid(a, b, seed=1) != whole


def test_kid_of_pairs_compares_no_picture_with_itself(rng):
    a = unit(rng.standard_normal((40, 8)))
    b = a + 0.3 * rng.standard_normal(a.shape)
    assert kid(a, a, paired=True)[0] == pytest.approx(0, abs=1e-12) and kid(a, a)[0] < -1e-3
    kernel = lambda x, y: (x @ y / 8 + 1) ** 3  # noqa: E731
    terms = [kernel(a[i], a[j]) + kernel(b[i], b[j]) - kernel(a[i], b[j]) - kernel(b[i], a[j])
             for i in range(40) for j in range(40) if i != j]  # fmt: skip
    assert kid(a, b, paired=True)[0] == pytest.approx(np.mean(terms))  # Gretton et al., 2012, equation 4
    some, deviation = kid(a, b, subsets=200, subset_size=20, paired=True)
    assert deviation > 0 and some == pytest.approx(np.mean(terms), abs=4 * deviation / math.sqrt(200) + 1e-3)
    with pytest.raises(SettingsError, match="one length"):
        kid(a, b[:30], paired=True)


def test_cmmd_by_its_definition(rng):
    a, b = rng.standard_normal((30, 8)), rng.standard_normal((20, 8)) + 1
    x, y = unit(a), unit(b)

    def kernel(p, q):
        return np.exp(-((p[:, None] - q[None]) ** 2).sum(-1) / (2 * 10**2)).mean()

    expected = 1000 * (kernel(x, x) + kernel(y, y) - 2 * kernel(x, y))
    assert cmmd(a, b) == pytest.approx(expected, rel=1e-9) and cmmd(7 * a, b) == pytest.approx(expected, rel=1e-9)
    assert cmmd(a, a) == pytest.approx(0, abs=1e-9)


def test_cmmd_does_not_depend_on_how_many_rows_are_held(rng, monkeypatch):
    a, b = rng.standard_normal((30, 8)), rng.standard_normal((20, 8)) + 1
    whole = cmmd(a, b)
    monkeypatch.setattr(distances, "ROWS", 7)
    assert cmmd(a, b) == pytest.approx(whole, rel=1e-9)


def test_distances_refuse_what_cannot_be_compared(rng):
    a = rng.standard_normal((5, 4))
    for measure in (frechet_distance, kid, cmmd):
        for other in (rng.standard_normal((5, 3)), a[:1], a[0], np.full((5, 4), np.nan)):
            with pytest.raises(SettingsError):
                measure(a, other)


def test_clip_features_of_a_stream(models, tmp_path):
    images = [render(make_scene(i)) for i in range(5)]
    path = tmp_path / "0.png"
    images[0].save(path)
    taken = []

    def stream():
        for i, image in enumerate([path, *images[1:]]):
            taken.append(i)
            yield image

    found = clip_features_of(stream(), models, batch=2)
    assert found.shape == (5, models.clip.config.projection_dim) and found.dtype == np.float64 and taken == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, clip_features_of(images, models), atol=1e-5)
    with pytest.raises(SettingsError, match="no pictures"):
        clip_features_of([], models)


def test_every_distance_puts_a_copy_first(models):
    scenes = [make_scene(i) for i in range(12)]
    originals = clip_features_of(map(render, scenes), models)
    edited = clip_features_of([ideal_edit(s, 0, {"pose": "upside down"}) for s in scenes], models)
    for measure in (frechet_distance, lambda a, b: kid(a, b)[0], cmmd):
        assert measure(originals, originals) < measure(originals, edited)


def test_fid_without_its_network_says_how_to_get_it():
    images = [Image.new("RGB", (32, 32))] * 2
    try:
        import torch_fidelity  # noqa: F401
    except Exception:
        with pytest.raises(WeightsError, match="install torch-fidelity"):
            inception_fid(images, images)
    else:
        with pytest.raises(WeightsError, match="cannot be loaded"):
            inception_fid(images, images, weights="no/such/file.pth")


def test_inception_sees_pictures_of_one_size_together_and_keeps_their_order(rng, monkeypatch):
    import torch

    seen = []

    class Network(torch.nn.Module):
        def __init__(self, *options, **more):
            super().__init__()

        def to(self, device):
            seen.append(device)
            return self

        def forward(self, pixels):
            seen.append(tuple(pixels.shape))
            return pixels.float().mean((1, 2, 3))[:, None].expand(-1, 2048)

    monkeypatch.setattr("torchmetrics.image.fid.NoTrainInceptionV3", Network)
    images = [picture(rng, size) for size in ((24, 16), (20, 20), (24, 16), (24, 16), (20, 20))]
    found = distances.inception_features(iter(images), device="cpu", batch=4)
    assert found.shape == (5, 2048) and found.dtype == np.float64
    assert seen[0] == "cpu" and sorted(seen[1:3]) == [(1, 3, 20, 20), (3, 3, 16, 24)] and seen[3:] == [(1, 3, 20, 20)]
    np.testing.assert_allclose(found[:, 0], [np.asarray(image).mean() for image in images], rtol=1e-5)
    with pytest.raises(SettingsError, match="no pictures"):
        distances.inception_features([])


def test_captions_say_what_a_distance_is_of():
    caption = distance_caption("KID", "CLIP lite", 64, (40, 40), True, "the originals")
    assert caption == "KID over CLIP lite (64-d), N = 40, paired, reference: the originals"
    biased = distance_caption("Frechet distance", "CLIP lite", 64, (40, 30), False, "other scenes")
    assert "N = 40 and 30, unpaired" in biased and "N <= 64: biased" in biased
    assert "biased" not in distance_caption("Frechet distance", "CLIP lite", 64, (400, 400), False, "other scenes")
    with pytest.raises(SettingsError, match="Frechet"):
        distance_caption("FID", "CLIP lite", 64, (40, 40), True, "the originals")
    assert distance_caption("FID", "Inception", 2048, (5000, 5000), False, "val2017").startswith("FID over Inception (2048-d)")


# --- how sure ----------------------------------------------------------------------------------------------------


def test_the_interval_is_about_as_wide_as_theory_says(rng):
    values = rng.standard_normal(400)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / math.sqrt(400), rel=0.1)
    narrow = bootstrap_interval(values, level=0.5)
    assert low < narrow[0] < narrow[1] < high
    assert (narrow[1] - narrow[0]) / (high - low) == pytest.approx(0.674 / 1.96, rel=0.15)


def test_the_interval_holds_the_truth_as_often_as_it_says(rng):
    hits = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.random(40) < 0.7, resamples=300, seed=int(rng.integers(2**31)))
        hits += low <= 0.7 <= high
    assert 0.88 < hits / 300 < 0.99


def test_the_interval_of_other_statistics_and_of_missing_values():
    values = [None, 1.0, 2.0, 3.0, 100.0, float("nan")]
    assert bootstrap_interval(values) == bootstrap_interval([1.0, 2.0, 3.0, 100.0]) == bootstrap_interval(values, seed=0)
    assert bootstrap_interval(values, np.median) != bootstrap_interval(values)
    assert bootstrap_interval([5, 5, 5]) == (5.0, 5.0)
    assert all(math.isnan(bound) for bound in bootstrap_interval([None]))
    for wrong in ({"level": 95}, {"level": 0}, {"resamples": 0}):
        with pytest.raises(SettingsError):
            bootstrap_interval(values, **wrong)


# --- AP, by pycocotools, on boxes whose AP can be worked out ------------------------------------------------------------


def test_values_that_hang_together_have_a_wider_interval():
    alone = (np.random.default_rng(0).random(200) < 0.8).astype(float)
    assert clustered_interval(alone, range(200)) == bootstrap_interval(alone)
    fourfold, clusters = np.repeat(alone, 4), np.repeat(np.arange(200), 4)
    low, high = clustered_interval(fourfold, clusters)
    assert (low, high) == pytest.approx(bootstrap_interval(alone), abs=0.02), "four copies of a value tell no more than one"
    narrow = bootstrap_interval(fourfold)
    assert 1.7 < (high - low) / (narrow[1] - narrow[0]) < 2.3
    order = np.random.default_rng(1).permutation(800)
    assert clustered_interval(fourfold[order], clusters[order]) == (low, high)
    assert clustered_interval([*fourfold, np.nan], [*clusters, 7]) == (low, high), "what was not measured is left out"
    assert clustered_interval([1.0, 1.0, 3.0], ["a", "a", "b"], np.median) == (1.0, 3.0)


def test_average_precision_worked_out_by_hand():
    from textedit_lite.training import detr
    from textedit_lite.training.data import Labelled
    from textedit_lite.training.detr_score import average_precision

    def thing(box):
        return Labelled(box, "car", "red", "front", "upright", 1.0)

    def found(box, score):
        return detr.CATEGORIES.index("car"), score, box

    box, other, wide = (10, 20, 110, 120), (130, 20, 230, 120), (10, 20, 150, 120)  # IoU of box and wide: 100 / 140
    # IoU 0.714 passes the thresholds 0.5, 0.55, ..., 0.7: 5 of 10.
    assert average_precision([[found(wide, 0.9)]], [[thing(box)]], 256) == {"ap": 0.5, "ap50": 1.0}
    # One of two found: precision 1 at the 51 of 101 recalls up to 0.5, then 0.
    half = average_precision([[found(box, 0.9)]], [[thing(box), thing(other)]], 256)
    assert half["ap"] == half["ap50"] == pytest.approx(51 / 101, abs=1e-4)
    # A false alarm counts only where it is surer than the truth.
    alarm = (10, 140, 60, 200)
    assert average_precision([[found(box, 0.9), found(alarm, 0.3)]], [[thing(box)]], 256)["ap"] == 1.0
    assert average_precision([[found(box, 0.3), found(alarm, 0.9)]], [[thing(box)]], 256)["ap"] == pytest.approx(0.5)
