"""Stage 1: the threshold, the choice of boxes, and the detector on scenes whose objects are known."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from textedit_lite.boxes import iou
from textedit_lite.detect import (
    HIGHEST,
    LOWEST,
    Detections,
    _select,
    attention_maps,
    detect,
    detect_batch,
    dynamic_threshold,
)
from textedit_lite.errors import SettingsError
from textedit_lite.world.scenes import boxes, make_scene, render

NAMES = {0: "car", 1: "bus"}

# Scenes that a modestly trained detector masters: few objects, nothing cut off. Found at more than an IoU of 0.5.
EASY = (4, 5, 9, 20)


@pytest.fixture(scope="module")
def scene():
    return make_scene(EASY[0], "test", 11)


# --- the dynamic threshold ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scores,expected",
    [
        ([], 0.5),
        ([0.05, 0.1, 0.99], 0.5),  # nothing half-sure
        ([0.6, 0.99], 0.45),  # one half-sure box stands apart from nothing: 0.3 | 0.6 0.7
        ([0.4, 0.99], 0.55),  # 0.3 0.4 | 0.7
        ([0.35, 0.38, 0.41, 0.63], 0.52),  # 0.41 | 0.63
    ],
)
def test_the_threshold_lies_in_the_widest_gap(scores, expected):
    assert dynamic_threshold(np.array(scores)) == pytest.approx(expected)


def test_the_threshold_stays_between_its_bounds():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert LOWEST < dynamic_threshold(rng.random(rng.integers(0, 30))) < HIGHEST
    assert dynamic_threshold(np.array([0.2]), 0.1, 0.9) == pytest.approx(0.55)


# --- the choice of boxes -----------------------------------------------------------------------------------------


def select(rows, threshold=0.5):
    """rows: (box, car's probability, bus's probability)."""
    found = np.array([row[0] for row in rows], np.float32).reshape(-1, 4)
    return _select(found, np.array([row[1:] for row in rows], np.float32).reshape(-1, 2), NAMES, threshold)


def test_boxes_come_best_first_with_their_names_and_queries():
    found, queries = select([((0, 0, 9, 9), 0.6, 0.1), ((20, 0, 40, 9), 0.0, 0.9), ((50, 0, 60, 9), 0.2, 0.3)])
    assert found.labels == ("bus", "car") and queries == [1, 0]
    assert found.scores.tolist() == pytest.approx([0.9, 0.6])
    assert found.boxes.tolist() == [[20, 0, 40, 9], [0, 0, 9, 9]]
    assert found.threshold == 0.5 and len(found) == 2


def test_a_score_at_the_threshold_is_enough():
    assert len(select([((0, 0, 9, 9), 0.5, 0.0)])[0]) == 1


def test_two_boxes_of_one_label_at_one_place_are_one_object():
    near = [((0, 0, 100, 100), 0.9, 0.0), ((0, 0, 100, 90), 0.8, 0.0), ((0, 0, 100, 60), 0.7, 0.0)]
    assert len(select(near)[0]) == 2  # IoU 0.9 goes, IoU 0.6 stays
    assert select([near[0], ((0, 0, 100, 90), 0.0, 0.8)])[0].labels == ("car", "bus")  # of another label, it stays


def test_a_box_without_area_is_none():
    assert len(select([((5, 5, 5, 40), 0.9, 0.0), ((5, 5, 40, 5.5), 0.9, 0.0)])[0]) == 0


def test_nothing_found_has_the_shapes_of_nothing():
    found, queries = select([((0, 0, 9, 9), 0.1, 0.1)])
    assert found.boxes.shape == (0, 4) and found.boxes.dtype == np.float32 and found.scores.shape == (0,)
    assert found.labels == () and queries == []


# --- the detector ------------------------------------------------------------------------------------------------


def test_the_detector_finds_the_objects_of_easy_scenes(models):
    found = total = 0
    for number in EASY:
        scene = make_scene(number, "test", 11)
        seen = detect(render(scene), models.detr, models.detr_processor)
        assert isinstance(seen, Detections)
        overlaps = iou(boxes(scene), seen.boxes)
        for thing, row in zip(scene.objects, overlaps, strict=True):
            total += 1
            found += any(overlap > 0.5 and label == thing.category for overlap, label in zip(row, seen.labels, strict=True))
    assert found >= 0.75 * total, f"{found} of {total}"


def test_boxes_are_in_the_pixels_of_the_picture(models, scene):
    small = render(scene)
    seen = detect(small, models.detr, models.detr_processor, 0.5)
    large = small.resize((512, 512), Image.Resampling.BICUBIC)
    twice = detect(large, models.detr, models.detr_processor, 0.5)
    assert len(seen) and seen.labels[0] in twice.labels
    assert iou(seen.boxes[:1] * 2, twice.boxes).max() > 0.85
    assert (seen.boxes >= 0).all() and (seen.boxes <= 256).all()


def test_a_batch_is_its_members_whatever_their_sizes(models):
    images = [render(make_scene(1, "test", 11)), render(make_scene(2, "test", 11, (320, 240))), render(make_scene(3, "test", 11))]
    together = detect_batch(images, models.detr, models.detr_processor, 0.4)
    for image, one in zip(images, together, strict=True):
        alone = detect(image, models.detr, models.detr_processor, 0.4)
        assert alone.labels == one.labels
        assert np.allclose(alone.boxes, one.boxes, atol=0.05) and np.allclose(alone.scores, one.scores, atol=1e-3)


def test_the_same_picture_gives_the_same_bits(models, scene):
    a, b = (detect(render(scene), models.detr, models.detr_processor) for _ in range(2))
    assert a.boxes.tobytes() == b.boxes.tobytes() and a.scores.tobytes() == b.scores.tobytes()


@pytest.mark.parametrize("size", [(16, 16), (1200, 40), (40, 1200), (257, 193), (3000, 2000)])
def test_pictures_of_any_shape_are_looked_at(models, size):
    image = Image.linear_gradient("L").convert("RGB").resize(size)
    seen = detect(image, models.detr, models.detr_processor, 0.0)
    assert (seen.boxes[:, 2] <= size[0]).all() and (seen.boxes[:, 3] <= size[1]).all()


def test_an_object_is_found_in_a_large_picture(models, scene):
    large = render(scene).resize((2000, 2000), Image.Resampling.BICUBIC)
    seen = detect(large, models.detr, models.detr_processor, 0.5)
    alone = detect(render(scene), models.detr, models.detr_processor, 0.5)
    assert iou(alone.boxes[:1] * (2000 / 256), seen.boxes).max() > 0.85


@pytest.mark.parametrize("threshold", [-0.1, 1.5, float("nan"), float("inf")])
def test_a_threshold_that_is_none(models, scene, threshold):
    for function in (detect, attention_maps):
        with pytest.raises(SettingsError, match="threshold"):
            function(render(scene), models.detr, models.detr_processor, threshold)


def test_thresholds_at_their_ends(models, scene):
    none = detect(render(scene), models.detr, models.detr_processor, 1.0)
    every = detect(render(scene), models.detr, models.detr_processor, 0.0)
    assert len(none) == 0 and len(every) > 3


def test_each_detection_has_a_map_of_where_its_query_looked(models, scene):
    image = render(scene)
    found, maps = attention_maps(image, models.detr, models.detr_processor, 0.5)
    assert found.boxes.tobytes() == detect(image, models.detr, models.detr_processor, 0.5).boxes.tobytes()
    assert len(maps) == len(found) and maps.shape[1] == maps.shape[2]
    assert np.allclose(maps.sum((1, 2)), 1, atol=1e-3) and (maps >= 0).all()
    wide = attention_maps(image.resize((320, 240)), models.detr, models.detr_processor, 0.5)[1]
    assert wide.shape[1] < wide.shape[2]


def test_the_names_are_the_models_own(models, scene):
    class Renamed:  # the model under another configuration
        device = models.detr.device
        config = SimpleNamespace(id2label={i: f"thing {i}" for i in models.detr.config.id2label})

        def __call__(self, *arguments, **options):
            return models.detr(*arguments, **options)

    labels = detect(render(scene), Renamed(), models.detr_processor, 0.5).labels
    assert labels and all(label.startswith("thing ") for label in labels)
