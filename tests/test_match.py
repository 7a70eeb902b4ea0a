"""Stage 2: which of the boxes is meant, and what CLIP reads on an object."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from drawn import SCENE, THINGS
from PIL import Image

from textedit_lite.boxes import square_crop
from textedit_lite.detect import Detections
from textedit_lite.editor import _why
from textedit_lite.errors import SettingsError
from textedit_lite.match import (
    ATTRIBUTES,
    MATCHES,
    PADDED,
    Candidate,
    blur_rest,
    candidate_features,
    choose,
    contrast,
    fuse,
    image_features,
    inside_crop,
    match,
    match_features,
    patch_features,
    pool_patches,
    read_attributes,
    read_categories,
    read_object,
    similarity,
    text_features,
    views,
)
from textedit_lite.prompt import parse
from textedit_lite.settings import make_settings
from textedit_lite.vocabulary import PHOTOGRAPHED, describe
from textedit_lite.widgets.stages import said
from textedit_lite.world.scenes import SceneObject, boxes, render


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


def test_the_middle_of_an_odd_number_is_found_and_of_an_even_one_is_a_question():
    some = [candidate(0.9, box=(60, 0, 99, 9)), candidate(0.5, box=(0, 0, 9, 9)), candidate(0.6, box=(20, 0, 29, 9))]
    assert (choose(some, "middle").status, choose(some, "middle").index) == ("found", 2)
    assert choose([*some, candidate(0.9, fits=False, box=(90, 0, 99, 9))], "middle").index == 2
    two = choose(some[:2], "middle")
    assert (two.status, two.index) == ("ambiguous", None)
    for prompt in ("make the middle car red", "make the car red"):  # said by the words, or by --select
        assert "None of the 2 objects" in _why(two, parse(prompt))
    assert "None of the 2" in said(two, "car")[1]
    assert choose([], "middle").status == "not_found"


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


def test_an_object_is_read_close_and_from_further_away(models):
    image, box = render(SCENE), boxes(SCENE)[0]
    close, wide = read_attributes([square_crop(image, box), square_crop(image, box, PADDED)], [THINGS[0].category] * 2, models)
    both = read_object(image, box, THINGS[0].category, models)
    assert sum(both.joint.values()) == pytest.approx(1) and both.joint.keys() == close.joint.keys()
    one, other = list(both.joint)[:2]
    expected = np.sqrt(close.joint[one] * wide.joint[one] / (close.joint[other] * wide.joint[other]))
    assert both.joint[one] / both.joint[other] == pytest.approx(expected, rel=1e-3)
    assert sum(both.probabilities["pose"].values()) == pytest.approx(1)


def test_two_crops_that_contradict_each_other_leave_a_reading(models, monkeypatch):
    words = list(read_attributes([square_crop(render(SCENE), boxes(SCENE)[0])], ["car"], models)[0].joint)
    sure = [sys.modules[read_object.__module__]._reading({one: float(one == certain) for one in words}) for certain in words[:2]]
    monkeypatch.setattr(sys.modules[read_object.__module__], "read_attributes", lambda *asked: sure)
    both = read_object(render(SCENE), boxes(SCENE)[0], "car", models)
    assert both.joint[words[0]] == pytest.approx(0.5, abs=1e-3) == both.joint[words[1]]


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


# --- views and patches -------------------------------------------------------------------------------------------


def test_a_box_fills_its_crop_but_for_the_rim():
    x0, y0, x1, y1 = inside_crop((10, 10, 50, 30))
    assert (x0 + x1, y0 + y1) == pytest.approx((1, 1)) and x1 - x0 == pytest.approx(1 / 1.15) and y1 - y0 == pytest.approx(0.5 / 1.15)


def test_only_the_rest_is_blurred():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8))
    before, after = np.asarray(noise, float), np.asarray(blur_rest(noise, (0.25, 0.25, 0.75, 0.5)), float)
    assert np.array_equal(before[20:40, 20:60], after[20:40, 20:60])
    rest = np.ones((80, 80), bool)
    rest[20:40, 20:60] = False
    assert after[rest].std() < 0.2 * before[rest].std()


def test_views_are_the_crop_a_wider_one_and_the_crop_with_the_rest_blurred(image, crops):
    close, wide, blurred = views(image, boxes(SCENE)[0])
    assert close.tobytes() == crops[0].tobytes() and wide.width > close.width and blurred.size == close.size


def test_the_mean_of_patches_counts_what_lies_under_the_part():
    patches = np.zeros((4, 4, 2), np.float32)
    patches[:, :2, 0], patches[:, 2:, 1] = 1, 1
    assert pool_patches(patches, (0, 0, 0.5, 1)) == pytest.approx([1, 0])
    assert pool_patches(patches, (0.375, 0, 0.75, 1)) == pytest.approx([1 / 3, 2 / 3])
    assert pool_patches(patches, (0, 0, 1, 1)) == pytest.approx(patches.mean((0, 1)))


def test_patch_features_come_with_the_crops_own(models, crops):
    whole, patches = patch_features(crops, models)
    assert np.allclose(whole, image_features(crops, models), atol=1e-4)
    assert patches.shape == (4, 8, 8, whole.shape[1]) and np.allclose(np.linalg.norm(patches, axis=-1), 1, atol=1e-4)


@pytest.mark.parametrize("by", MATCHES)
def test_all_candidates_are_looked_at_in_one_call(models, image, by, monkeypatch):
    calls, ours = [], models.clip.get_image_features
    monkeypatch.setattr(models.clip, "get_image_features", lambda **asked: calls.append(1) or ours(**asked))
    features = candidate_features(image, boxes(SCENE), models, by)
    assert len(calls) == 1 and features.shape[0] == 4 and np.allclose(np.linalg.norm(features, axis=1), 1, atol=1e-4)


# --- counting and relations --------------------------------------------------------------------------------------
# The cup stands below the red car and left of the bus, the blue car right above the bus; but above it stand both cars.


@pytest.mark.parametrize("by", MATCHES)
@pytest.mark.parametrize(
    "words,index",
    [
        ("the car above the bus and right of the cup", 1), ("the car left of the blue car", 0), ("the car next to the bus", 1),
        ("the second car from the left", 1), ("the second car from the right", 0), ("the second largest car", 0),
        ("the cup left of the bus and below the red car", 2), ("the bus below the right car", 3),
        ("the car right of the car above the cup", 1), ("the car left of the first car from the right", 0), ("the largest car", 1),
        ("the bus right of the middle cup", 3),
    ],
)  # fmt: skip
def test_relations_and_counting_choose_the_object(models, image, by, words, index):
    found = match(image, detected(), parse(f"{words} becomes white"), models, by=by)
    assert (found.status, found.index) == ("found", index)


@pytest.mark.parametrize(
    "words", ["the cup right of the bus", "the cup left of the boat", "the car left of the white car", "the third car from the left",
              "the car left of the second bus from the left", "the bus left of the bus", "the cup below the middle car"]
)  # fmt: skip
def test_a_relation_that_does_not_hold_is_not_found(models, image, words):
    found = match(image, detected(), parse(f"{words} becomes white"), models)
    assert (found.status, found.index) == ("not_found", None)


def test_only_what_fits_the_words_competes_to_be_next_to_it(models):
    """The clock stands nearer to the bus than any car, and is none."""
    things = (replace(THINGS[3], x=0.3, y=0.7, size=0.3), SceneObject("clock", "green", "front", "upright", 0.52, 0.7, 0.15),
              replace(THINGS[0], x=0.82, y=0.7, size=0.3), replace(THINGS[1], x=0.8, y=0.2, size=0.3))  # fmt: skip
    scene = replace(SCENE, objects=things)
    seen = Detections(boxes(scene), np.full(4, 0.95, np.float32), tuple(thing.category for thing in things), 0.5)
    found = match(render(scene), seen, parse("the car next to the bus becomes white"), models)
    assert (found.status, found.index) == ("found", 2)


def test_several_that_stand_in_a_relation_are_a_question(models, image):
    found = match(image, detected(), parse("the car above the bus becomes white"), models)
    assert found.status == "ambiguous" and [one.fits for one in found.candidates] == [True, True, False, False]


def test_without_relations_the_words_are_what_they_were(models, image):
    before = match(image, detected(), parse("the car becomes white"), models)
    without = match(image, detected(), parse("the car next to the bus becomes white"), models, relations=False)
    assert without == before and without.status == "ambiguous"
    assert match(image, detected(), parse("the second car from the left becomes white"), models, relations=False) == before
    assert match(image, detected(), parse("the left car becomes white"), models, relations=False).index == 0


def test_a_relation_multiplies_the_share(models, image):
    near, all_cars = (match(image, detected(), parse(f"{words} becomes white"), models) for words in ("the car next to the bus", "the car"))
    for one, other in zip(near.candidates, all_cars.candidates):
        assert one.clip_score <= other.clip_score + 1e-6
    assert near.candidates[1].clip_score > 0.9 * all_cars.candidates[1].clip_score


def test_an_unknown_way_to_match_is_an_error_whatever_is_there(models, image):
    for seen in (detected(), detected([])):
        with pytest.raises(SettingsError, match="crop or patches"):
            match(image, seen, parse("the car becomes red"), models, by="magic")


# --- the editor, and the measure ---------------------------------------------------------------------------------


def test_the_editor_heeds_relations_and_keeps_how_it_matched(editor, image, tmp_path):
    from textedit_lite import replay

    render(SCENE).save(tmp_path / "scene.png")
    done = editor.edit(tmp_path / "scene.png", "the car next to the bus becomes green", rounds=1, match="patches")
    assert done.index is not None and done.candidates[done.index].box[0] > 128 and done.to_dict()["settings"]["match"] == "patches"
    done.save(tmp_path / "out.png")
    again = replay(tmp_path / "out.png", editor.models)
    assert again.settings.match == "patches" and again.image.tobytes() == done.image.tobytes()
    assert make_settings(editor.models, "the car becomes red").match == MATCHES[0]
    with pytest.raises(SettingsError, match="crop or patches"):
        make_settings(editor.models, "the car becomes red", match="magic")
    assert "no number 5" in editor.edit(image, "the fifth car from the left becomes green").message


def test_expressions_say_what_they_say_they_say():
    from textedit_lite.evaluation.expressions import KINDS, expressions
    from textedit_lite.world.scenes import boxes, make_scene

    seen = set()
    for number in range(25):
        scene = make_scene(number, "validation")
        told = expressions(scene)
        assert told == expressions(scene)
        for one in told:
            read = parse(one.prompt)
            assert read.category == scene.objects[one.index].category and read.unknown == ()
            assert (read.rank > 1, bool(read.relations)) == (one.kind == "ordinal", one.kind == "relation"), one
            assert read.colour in (None, scene.objects[one.index].colour)
            if one.kind in ("superlative", "ordinal"):
                alike = [i for i, thing in enumerate(scene.objects) if thing.category == read.category
                         and read.colour in (None, thing.colour)]  # fmt: skip
                (x0, y0, x1, y1), side = boxes(scene)[alike].T, read.selector
                grows = {"left": x0 + x1, "right": -x0 - x1, "top": y0 + y1, "bottom": -y0 - y1}
                grows |= {"smallest": (x1 - x0) * (y1 - y0), "largest": -(x1 - x0) * (y1 - y0)}
                assert alike[np.argsort(grows[side])[read.rank - 1]] == one.index, one
            seen.add(one.kind)
    assert seen == set(KINDS)


def test_the_score_is_a_table_by_kind_and_way(models):
    from textedit_lite.training.score_matching import WAYS, as_table, score_matching

    figures = score_matching(models, 12, seed=7, progress=False)
    everything = figures["kinds"]["all"]
    assert everything["expressions"] == sum(row["expressions"] for row in figures["kinds"].values()) - everything["expressions"] > 20
    assert everything["crop"] >= 0.9 > everything["crop, no relations"] and everything["patches"] >= 0.9
    assert all(way in as_table(figures) for way in WAYS) and json.dumps(figures)
    with pytest.raises(SettingsError, match="--count 1"):
        score_matching(models, 0)


def test_a_noun_that_says_more_than_its_category_is_read_against_its_like(models, monkeypatch):
    """Two persons, alike to DETR: CLIP tells the woman from the man, and "the person" is a question."""
    features = np.eye(4, dtype=np.float32)[:2]
    vectors = {"a woman": features[0], "a man": features[1]}
    monkeypatch.setattr(sys.modules[read_object.__module__], "text_features", lambda captions, models: np.stack(
        [vectors.get(caption, np.eye(4, dtype=np.float32)[2]) for caption in captions]))  # fmt: skip
    wide = replace(models, known_words=None, categories=("person", "dog"))
    seen = Detections(np.array([[0, 0, 9, 9], [20, 0, 29, 9]], np.float32), np.full(2, 0.9, np.float32), ("person", "person"), 0.5)
    for noun, index in (("woman", 0), ("man", 1)):
        assert match_features(features, seen, parse(f"the {noun} changes to a red {noun}"), wide).index == index
    assert match_features(features, seen, parse("the person changes to a red person"), wide).status == "ambiguous"


def reading_captions(monkeypatch, **likelihoods: dict[str, float]):
    """CLIP as a table: candidate i is as near to a caption as `likelihoods[i][caption]` says, and far from every other one."""
    captions = sorted({caption for table in likelihoods.values() for caption in table})
    rows = np.array([[table.get(caption, 1e-6) for caption in captions] for table in likelihoods.values()])

    def contrasted(features, asked, models):
        known = np.array([[rows[i, captions.index(one)] if one in captions else 1e-6 for one in asked] for i in range(len(rows))])
        return known / known.sum(1, keepdims=True)

    monkeypatch.setattr(sys.modules[read_object.__module__], "contrast", contrasted)


def two(labels=("person", "person"), scores=(0.95, 0.95)) -> Detections:
    return Detections(np.array([[0, 0, 9, 9], [20, 0, 29, 9]], np.float32), np.array(scores, np.float32), labels, 0.5)


def photographed(models, *categories: str):
    return replace(models, known_words=None, categories=categories, reads=("colour",), colours=PHOTOGRAPHED)


@pytest.mark.parametrize(("noun", "index"), [("guy", 0), ("gentleman", 0), ("man", 0), ("girl", 1), ("child", 1), ("kid", 1)])
def test_words_for_the_same_do_not_speak_against_each_other(models, monkeypatch, noun, index):
    man = {"a person": 1, "a man": 0.5, "a guy": 0.3, "a gentleman": 0.1, "a boy": 0.1}
    girl = {"a person": 1, "a girl": 0.5, "a child": 0.3, "a kid": 0.1, "a woman": 0.1}
    reading_captions(monkeypatch, first=man, second=girl)
    found = match_features(np.zeros((2, 1)), two(), parse(f"the {noun} turns upside down"), photographed(models, "person", "dog"))
    assert (found.status, found.index) == ("found", index) and found.candidates[index].clip_score > 0.8


@pytest.mark.parametrize("noun", ["woman", "lady", "boy", "baby"])
def test_what_is_neither_of_the_two_persons_is_not_found(models, monkeypatch, noun):
    man = {"a person": 1, "a man": 0.5, "a guy": 0.3, "a gentleman": 0.1, "a boy": 0.1}
    girl = {"a person": 1, "a girl": 0.5, "a child": 0.3, "a kid": 0.1, "a woman": 0.1}
    reading_captions(monkeypatch, first=man, second=girl)
    found = match_features(np.zeros((2, 1)), two(), parse(f"the {noun} turns upside down"), photographed(models, "person", "dog"))
    assert found.status == "not_found"


def test_a_dog_may_be_called_a_puppy_and_a_puppy_sooner(models, monkeypatch):
    reading_captions(monkeypatch, first={"a dog": 0.9, "a puppy": 0.1}, second={"a dog": 0.4, "a puppy": 0.6})
    wide, prompt = photographed(models, "person", "dog"), parse("the puppy turns upside down")
    found = match_features(np.zeros((2, 1)), two(("dog", "dog")), prompt, wide)
    assert (found.index, [one.fits for one in found.candidates]) == (1, [True, True])


def test_how_close_two_are_is_a_matter_of_their_scores_and_not_of_how_high_they_are(models, monkeypatch):
    """In a crop of a photograph CLIP often names something else first: both scores are low, and one is thrice the other."""
    for first, second, status in ((0.09, 0.03, "found"), (0.09, 0.085, "ambiguous"), (0.9, 0.85, "ambiguous"), (0.9, 0.5, "found")):
        reading_captions(monkeypatch, first={"a person": first, "a horse": 1 - first}, second={"a person": second, "a horse": 1 - second})
        wide = photographed(models, "person", "horse")
        assert match_features(np.zeros((2, 1)), two(), parse("the person turns upside down"), wide).status == status


@pytest.mark.parametrize(("sky", "status"), [(0.45, "not_found"), (0.55, "found")])
def test_what_the_detector_was_not_taught_must_be_likelier_than_all_that_it_was(models, monkeypatch, sky, status):
    """A kite before the sky is a kite."""
    reading_captions(monkeypatch, first={"a sky": sky, "a kite": 1 - sky}, second={"a person": 1})
    wide = photographed(models, "person", "kite")
    assert match_features(np.zeros((2, 1)), two(("kite", "person")), parse("the sky changes to a red sky"), wide).status == status


def test_the_colours_of_photographs_are_told_from_each_other(models, monkeypatch):
    """A brown cow is no red one, though of the small world's colours red is nearest to it."""
    brown = {"a cow": 1, "a brown cow": 0.9, "a red cow": 0.05}
    reading_captions(monkeypatch, first=brown, second=brown | {"a black cow": 0.1})
    wide = photographed(models, "cow", "dog")
    assert match_features(np.zeros((2, 1)), two(("cow", "cow")), parse("the red cow turns upside down"), wide).status == "not_found"


def test_words_beyond_noun_and_attributes_make_likelier_what_clip_finds_nearer_to_them(models, monkeypatch):
    features = np.eye(4, dtype=np.float32)[:2]
    vectors = {"a car with a striped roof": features[1]}
    monkeypatch.setattr(sys.modules[read_object.__module__], "text_features", lambda captions, models: np.stack(
        [vectors.get(caption, np.eye(4, dtype=np.float32)[2]) for caption in captions]))  # fmt: skip
    wide = replace(models, known_words=None, categories=("car", "dog"))
    seen = Detections(np.array([[0, 0, 9, 9], [20, 0, 29, 9]], np.float32), np.full(2, 0.9, np.float32), ("car", "car"), 0.5)
    prompt = parse("the car with a striped roof changes to a red car")
    assert prompt.unknown
    assert match_features(features, seen, prompt, wide).index == 1
