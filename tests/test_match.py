"""Stage 2: which of the boxes is meant, and what CLIP reads on an object."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from textedit_lite.boxes import square_crop
from textedit_lite.detect import Detections
from textedit_lite.errors import SettingsError
from textedit_lite.match import (
    ATTRIBUTES,
    Candidate,
    choose,
    contrast,
    fuse,
    image_features,
    match,
    read_attributes,
    read_categories,
    similarity,
    text_features,
)
from textedit_lite.prompt import parse
from textedit_lite.vocabulary import describe
from textedit_lite.world.backgrounds import Background
from textedit_lite.world.scenes import Scene, SceneObject, boxes, render

THINGS = (
    SceneObject("car", "red", "side", "upright", 0.25, 0.3, 0.36),
    SceneObject("car", "blue", "side", "upright", 0.72, 0.35, 0.4),
    SceneObject("cup", "green", "front", "upright", 0.3, 0.75, 0.3),
    SceneObject("bus", "yellow", "side", "upright", 0.72, 0.76, 0.4),
)
SCENE = Scene("test", 0, 0, 256, 256, Background("gradient", 5, None), THINGS)


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return render(SCENE)


@pytest.fixture(scope="module")
def crops(image) -> list[Image.Image]:
    return [square_crop(image, box) for box in boxes(SCENE)]


def detected(indices=range(4), labels=None, scores=None) -> Detections:
    """What a perfect detector would say of the scene, best first, or as told."""
    indices = list(indices)
    labels = labels or [THINGS[i].category for i in indices]
    scores = [0.95] * len(indices) if scores is None else scores
    return Detections(boxes(SCENE)[indices].reshape(-1, 4), np.array(scores, np.float32), tuple(labels), 0.5)


def candidate(score, fits=True, box=(0, 0, 10, 10)) -> Candidate:
    return Candidate(box=box, label="car", detr_score=0.9, clip_score=0.9, score=score, fits=fits)


# --- fusion ------------------------------------------------------------------------------------------------------


def test_the_fused_score_is_a_weighted_geometric_mean():
    assert fuse(0.5, 0.5) == pytest.approx(0.5)
    assert fuse(0.25, 1.0, 0.5) == pytest.approx(0.5)
    assert fuse(0.8, 0.3, 1.0) == pytest.approx(0.8) and fuse(0.8, 0.3, 0.0) == pytest.approx(0.3)
    assert fuse(0.9, 0.4) > fuse(0.4, 0.9)  # CLIP weighs more


def test_a_flat_no_cannot_be_outvoted():
    assert fuse(0.0, 1.0) == 0 and fuse(1.0, 0.0) == 0
    assert fuse(1e-4, 1.0) < 0.01


# --- the choice among candidates ---------------------------------------------------------------------------------


def test_the_best_that_fits_is_chosen():
    found = choose([candidate(0.3), candidate(0.99, fits=False), candidate(0.8)])
    assert (found.status, found.index) == ("found", 2) and found.margin == pytest.approx(0.5)
    assert len(found.candidates) == 3


def test_two_close_ones_are_a_question_unless_the_best_is_asked_for():
    close = [candidate(0.9), candidate(0.8)]
    assert (choose(close).status, choose(close).index) == ("ambiguous", None)
    assert choose(close).margin == pytest.approx(0.1)
    assert (choose(close, "best").status, choose(close, "best").index) == ("found", 0)
    assert choose([candidate(0.9), candidate(0.8, fits=False)]).index == 0


def test_nothing_that_fits_is_not_found():
    assert choose([candidate(0.9, fits=False)]).status == "not_found"
    assert choose([]).status == "not_found" and choose([], "left").index is None


@pytest.mark.parametrize(
    "selector,index", [("left", 0), ("right", 1), ("top", 2), ("bottom", 1), ("largest", 1), ("smallest", 0)]
)
def test_selectors_decide_by_place_and_size(selector, index):
    some = [
        candidate(0.5, box=(0, 50, 10, 60)),
        candidate(0.6, box=(70, 60, 99, 99)),
        candidate(0.7, box=(40, 0, 60, 20)),
        candidate(0.9, fits=False, box=(0, 0, 1, 1)),
        candidate(0.9, fits=False, box=(0, 0, 500, 500)),
    ]
    assert choose(some, selector).index == index


def test_centres_and_not_edges_are_compared():
    wide, narrow = candidate(0.9, box=(0, 0, 100, 10)), candidate(0.9, box=(20, 0, 30, 10))
    assert choose([wide, narrow], "left").index == 1


def test_an_index_is_obeyed_even_where_nothing_fits():
    some = [candidate(0.9), candidate(0.1, fits=False)]
    assert choose(some, 1).index == 1
    assert choose(some, np.int64(1)).index == 1


@pytest.mark.parametrize("index", [2, -1])
def test_an_index_out_of_range_is_an_error(index):
    with pytest.raises(SettingsError, match="choose from 0 to 1"):
        choose([candidate(0.9), candidate(0.8)], index)


def test_a_way_to_select_that_is_none_is_an_error_whatever_is_there():
    for some in ([candidate(0.9)], [candidate(0.9, fits=False)], []):
        with pytest.raises(SettingsError, match="no way to select 'nearest'"):
            choose(some, "nearest")


def test_a_candidate_is_plain_data():
    plain = json.loads(json.dumps(candidate(0.123456789).to_dict()))
    assert plain["score"] == 0.1235 and {"box", "label", "detr_score", "clip_score"} <= plain.keys()


# --- CLIP --------------------------------------------------------------------------------------------------------


def test_features_have_length_one(models, crops):
    for features in (image_features(crops, models), text_features(["a car", "a red cup"], models)):
        assert np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-5)
    assert similarity(crops, ["a car", "a red cup"], models).shape == (4, 2)


def test_similarities_are_cosines(models, crops):
    table = similarity(crops, ["a car"], models)
    assert (np.abs(table) <= 1 + 1e-5).all()
    assert table[0, 0] == pytest.approx(float(image_features(crops[:1], models)[0] @ text_features(["a car"], models)[0]), abs=1e-4)


def test_one_batch_gives_what_single_crops_give(models, crops):
    together = image_features(crops, models)
    alone = np.concatenate([image_features([crop], models) for crop in crops])
    assert np.allclose(together, alone, atol=1e-4)


def test_captions_are_remembered(models):
    first = text_features(["a purple boat", "a purple boat", "a clock"], models)
    assert np.array_equal(first[0], first[1]) and not np.array_equal(first[0], first[2])
    assert "a purple boat" in models.text_features
    assert np.array_equal(text_features(["a clock"], models)[0], first[2])


def test_contrast_is_a_probability(models, crops):
    table = contrast(image_features(crops, models), ["a car", "a cup", "a bus"], models)
    assert np.allclose(table.sum(1), 1, atol=1e-5) and (table >= 0).all()


def test_clip_reads_the_categories(models, crops):
    names = list(models.categories)
    read = [names[i] for i in read_categories(crops, names, models).argmax(1)]
    assert read == [thing.category for thing in THINGS]


def test_clip_reads_the_colours(models, crops):
    readings = read_attributes(crops, [thing.category for thing in THINGS], models)
    assert [reading.values["colour"] for reading in readings] == [thing.colour for thing in THINGS]


def test_a_reading_is_consistent(models, crops):
    (reading,) = read_attributes(crops[:1], ["car"], models)
    assert reading.values.keys() == ATTRIBUTES.keys()
    assert reading.probability({}) == pytest.approx(1, abs=1e-4)
    for name, values in ATTRIBUTES.items():
        assert sum(reading.probability({name: value}) for value in values) == pytest.approx(1, abs=1e-4)
    both = reading.probability({"colour": "red", "view": "side"})
    assert both <= min(reading.probability({"colour": "red"}), reading.probability({"view": "side"})) + 1e-6
    assert reading.probability({"view": "side", "colour": "red"}) == pytest.approx(both)


def test_nothing_to_read(models):
    assert read_attributes([], [], models) == []


# --- the whole stage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words,index",
    [
        ("the cup changes to a red cup", 2),
        ("the blue car changes to a green car", 1),
        ("the red car changes to a green car", 0),
        ("the right car changes to a green car", 1),
        ("the largest car changes to a white car", 1),
        ("the bus changes to a bus upside down", 3),
    ],
)
def test_the_words_choose_the_object(models, image, words, index):
    found = match(image, detected(), parse(words), models)
    assert (found.status, found.index) == ("found", index)
    assert [one.label for one in found.candidates] == [thing.category for thing in THINGS]


def test_two_of_a_kind_are_ambiguous_until_one_is_selected(models, image):
    prompt = parse("the car changes to a green car")
    found = match(image, detected(), prompt, models)
    assert (found.status, found.index) == ("ambiguous", None)
    assert match(image, detected(), prompt, models, "best").index in (0, 1)
    assert match(image, detected(), prompt, models, "left").index == 0
    assert match(image, detected(), prompt, models, 2).index == 2


def test_a_select_overrules_the_words(models, image):
    assert match(image, detected(), parse("the left car changes to a green car"), models, "right").index == 1


def test_what_is_not_there_is_not_found(models, image):
    for words in ("the boat changes to a red boat", "the red bus changes to a green bus", "the white car changes to a red car"):
        found = match(image, detected(), parse(words), models)
        assert (found.status, found.index) == ("not_found", None), words
        assert len(found.candidates) == 4


def test_no_detections_are_not_found(models, image):
    found = match(image, detected([]), parse("the car changes to a red car"), models)
    assert (found.status, found.index, found.candidates, found.margin) == ("not_found", None, (), 0.0)


def test_detrs_confidence_counts(models, image):
    prompt = parse("the red car changes to a green car")
    sure = match(image, detected([0], scores=[0.95]), prompt, models).candidates[0]
    unsure = match(image, detected([0], scores=[0.35]), prompt, models).candidates[0]
    assert sure.score > unsure.score and sure.clip_score == pytest.approx(unsure.clip_score, abs=1e-5)


def test_the_ideal_caption_is_nearer_than_a_wrong_one(models, crops):
    for crop, thing in zip(crops, THINGS, strict=True):
        other = "white" if thing.colour != "white" else "black"
        right, wrong = similarity([crop], [describe(thing.category, thing.colour), describe(thing.category, other)], models)[0]
        assert right > wrong
