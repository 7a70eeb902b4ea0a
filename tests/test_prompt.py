"""Prompts are read as a person means them, and what cannot be read is an error that shows the grammar."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import random
import time

import pytest

from textedit_lite.errors import PromptError, SettingsError, UnknownWordError
from textedit_lite.phrases import SOURCE, TARGET
from textedit_lite.prompt import GRAMMAR, MAX_CHARACTERS, SELECTORS, check_words, mentions, parse, task_prompt, unknown_words
from textedit_lite.vocabulary import COCO_IDS, COLOURS, POSES, TASKS, VIEWS, describe

RED = {"colour": "red"}
TILTED, UPSIDE_DOWN, UPRIGHT = {"pose": "tilted"}, {"pose": "upside down"}, {"pose": "upright"}
FRONT, SIDE = {"view": "front"}, {"view": "side"}


def check(prompt: str, **expected: object) -> None:
    """The prompt means what is expected; every field of the source that is not named is None."""
    read = parse(prompt)
    blank = dict.fromkeys(("selector", "colour", "view", "pose"))
    assert {key: getattr(read, key) for key in {**blank, **expected}} == {**blank, **expected}


# ------------------------------------------------------------------------------------------------- the forms
@pytest.mark.parametrize(
    "prompt",
    [
        "the car changes to a red car",
        "the car changes into a red car",
        "The car CHANGES TO a Red Car.",
        "  the\tcar   changes \n to a red car !  ",
        "car changes to red car",
        "a car changes to red",
        "change the car to a red car",
        "change the car to red",
        "change the car into a red one",
        "Change car to red, please",
        "please change this car to a red car",
        "change the car's colour to red",
        "change the car’s color to red",
        "change the colour of the car to red",
        "the colour of the car changes to red",
        "the car changes its colour to red",
        "the car should change to a red car",
        "the car is changed to a red car",
        "the car should be red",
        "make the car red",
        "make car red",
        "make the car a red car",
        "make the car a red one",
        "make the car into a red car",
        "make the car be red",
        "make the car become red",
        "make the car look red",
        "make the car red in colour",
        "paint the car red",
        "paint the car in red",
        "colour the car red",
        "turn the car into a red car",
        "turn the car red",
        "transform the car into a red car",
        "convert the car to a red car",
        "replace the car with a red car",
        "the car turns red",
        "the car becomes red",
        "the car becomes a red car",
        "the cars become red",
        "the car -> a red car",
        "the car -> red",
        "car->red",
        "car --> red",
        "car => red",
        "the car → a red car",
        "the car ⇒ red",
        "the car ➜ red",
        "ｔｈｅ ｃａｒ　changes to a red car",
        "make the automobile red 🚗",
    ],
)
def test_every_form_says_the_same(prompt):
    check(prompt, category="car", task="color", changes=RED, target="a red car", text=prompt, unknown=())


@pytest.mark.parametrize(
    ("prompt", "task", "changes", "target"),
    [
        ("the car changes to a red car", "color", RED, "a red car"),
        ("the car changes to a car tilted slightly to the left", "tilt", TILTED, "a car tilted slightly to the left"),
        ("the car changes to a car facing the front", "front", FRONT, "a car facing the front"),
        ("the car changes to an upside-down car", "updown", UPSIDE_DOWN, "a car upside down"),
        ("the car changes to a car upside down", "updown", UPSIDE_DOWN, "a car upside down"),
    ],
)
def test_the_papers_four_tasks(prompt, task, changes, target):
    check(prompt, source="car", noun="car", category="car", task=task, changes=changes, target=target, unknown=())


@pytest.mark.parametrize(
    "words",
    [
        "tilted slightly to the left", "tilted to the left", "tilted", "slightly tilted", "slightly tilted to the left",
        "tilted slightly", "tilted slightly left", "tilted left", "tilted a bit to the left", "leaning to the left",
        "tilt", "a tilted car", "a slightly tilted car", "tilted slightly to left",
    ],
)  # fmt: skip
def test_ways_to_say_tilted(words):
    check(f"the car changes to {words}", category="car", task="tilt", changes=TILTED, unknown=())
    check(f"make the left car {words}", category="car", selector="left", task="tilt", changes=TILTED)


@pytest.mark.parametrize(
    "prompt", ["tilt the car", "tilt the car slightly", "tilt the car slightly to the left", "Tilt car left"]
)
def test_tilt_as_a_verb(prompt):
    check(prompt, category="car", task="tilt", changes=TILTED, target="a car tilted slightly to the left")


@pytest.mark.parametrize(
    "words",
    [
        "upside down", "upside-down", "upsidedown", "flipped upside down", "turned upside down", "flipped", "inverted",
        "an upside down car", "a car flipped upside down", "a flipped car",
    ],
)  # fmt: skip
def test_ways_to_say_upside_down(words):
    check(f"the car changes to {words}", category="car", task="updown", changes=UPSIDE_DOWN, target="a car upside down")
    check(f"make the car {words}", category="car", task="updown", changes=UPSIDE_DOWN)


@pytest.mark.parametrize(
    "prompt", ["flip the car", "flip the car upside down", "flip the car over", "turn the car upside down"]
)
def test_flip_as_a_verb(prompt):
    check(prompt, category="car", task="updown", changes=UPSIDE_DOWN, target="a car upside down")


@pytest.mark.parametrize(
    "words",
    [
        "facing the front", "facing front", "facing forward", "front view", "a front view", "in front view",
        "front-facing",
        "seen from the front", "from the front", "a car seen from the front", "a car in a front view",
        "a front-view car",
        "facing the camera", "a car with a front view", "face the front",
    ],
)  # fmt: skip
def test_ways_to_say_front(words):
    check(f"the car changes to {words}", category="car", task="front", changes=FRONT, target="a car facing the front")
    check(f"make the car {words}", category="car", task="front", changes=FRONT)


@pytest.mark.parametrize(
    "prompt",
    [
        "change the view of the car to front", "change the car to face forward", "make the car face the front",
        "turn the car to face the front", "turn the car to the front", "make the car look forward",
        "make the car look to the front", "make the car point to the front", "change the car's view to the front view",
    ],
)  # fmt: skip
def test_turning_to_the_front(prompt):
    check(prompt, source="car", category="car", task="front", changes=FRONT, target="a car facing the front")


@pytest.mark.parametrize(
    ("prompt", "changes", "target"),
    [
        ("the car changes to an upright car", UPRIGHT, "a car upright"),
        ("make the car the right way up", UPRIGHT, "a car upright"),
        ("make the car right side up", UPRIGHT, "a car upright"),
        ("the car changes to a car seen from the side", SIDE, "a car seen from the side"),
        ("the car changes to a side view", SIDE, "a car seen from the side"),
        ("make the car red and upside down", {**RED, **UPSIDE_DOWN}, "a red car upside down"),
        ("make the car red, upside-down", {**RED, **UPSIDE_DOWN}, "a red car upside down"),
        ("the car -> a tilted red car", {**RED, **TILTED}, "a red car tilted slightly to the left"),
        ("the car -> a red bus", {**RED, "category": "bus"}, "a red bus"),
        ("change the dog to a cat", {"category": "cat"}, "a cat"),
        ("dog -> cat", {"category": "cat"}, "a cat"),
        ("turn the dogs into an elephant", {"category": "elephant"}, "an elephant"),
        ("replace the mug with a teddy bear", {"category": "teddy bear"}, "a teddy bear"),
        ("change the dog to a wolf", {"category": "wolf"}, "a wolf"),
        ("make the car look like a tank", {"category": "tank"}, "a tank"),
        ("the woman changes to a man", {"category": "man"}, "a man"),
        ("the lamp becomes a clock", {"category": "clock"}, "a clock"),
    ],
)
def test_free_edits_of_known_attributes(prompt, changes, target):
    read = parse(prompt)
    assert (read.task, read.changes, read.target, read.unknown) == ("free", changes, target, ())


@pytest.mark.parametrize(
    ("prompt", "changes", "target", "unknown"),
    [
        ("make the car rusty", {}, "a rusty car", ("rusty",)),
        ("make the car old and rusty", {}, "an old and rusty car", ("old", "rusty")),
        ("make the lamp shiny", {}, "a shiny lamp", ("shiny",)),
        ("make the car rusty with a flat tyre", {}, "a rusty car with a flat tyre", ("rusty", "with", "flat", "tyre")),
        ("the car changes to a shiny red car", RED, "a shiny red car", ("shiny",)),
        ("the car changes to a truck with red wheels", {"category": "truck"}, "a truck with red wheels",
         ("with", "red", "wheels")),
        ("a man -> a man wearing a blue hat", {}, "a man wearing a blue hat", ("wearing", "blue", "hat")),
        ("the car becomes gold-plated", {"colour": "gold"}, "gold plated", ("plated",)),
        ("dog -> wolf", {}, "wolf", ("wolf",)),
        ("tilt the car to the right", {}, "a car tilted to the right", ("tilted", "to", "right")),
        ("make the car tilted to the right", {}, "a car tilted to the right", ("tilted", "to", "right")),
        ("flip the bus horizontally", {}, "a bus flipped horizontally", ("flipped", "horizontally")),
        ("make the car red and blue", {}, "a red and blue car", ("red", "blue")),
        ("the lamp changes to a bigger lamp", {}, "a bigger lamp", ("bigger",)),
    ],
)  # fmt: skip
def test_words_that_the_grammar_does_not_know_reach_the_painter(prompt, changes, target, unknown):
    read = parse(prompt)
    assert read.task == "free" and read.changes == {**changes, "text": target}
    assert (read.target, read.unknown) == (target, unknown)


# ------------------------------------------------------------------------------------------------- the source
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the blue car", {"source": "blue car", "colour": "blue"}),
        ("the left blue car", {"source": "blue car", "colour": "blue", "selector": "left"}),
        ("the blue left car", {"source": "blue car", "colour": "blue", "selector": "left"}),
        ("the blue car on the left", {"source": "blue car", "colour": "blue", "selector": "left"}),
        ("the upside down car", {"source": "upside down car", "pose": "upside down"}),
        ("the upside-down blue car", {"source": "upside down blue car", "pose": "upside down", "colour": "blue"}),
        ("the tilted car", {"source": "tilted car", "pose": "tilted"}),
        ("the car tilted slightly to the left", {"source": "car tilted slightly to the left", "pose": "tilted"}),
        ("the right car tilted to the left", {"selector": "right", "pose": "tilted"}),
        ("the right-side-up car", {"pose": "upright"}),
        ("the car facing the front", {"view": "front"}),
        ("the front view car", {"source": "front view car", "view": "front"}),
        ("the car seen from the side", {"view": "side"}),
        ("the car from blue", {"source": "blue car", "colour": "blue"}),
        ("the car in blue", {"source": "car in blue", "colour": "blue"}),
        ("the dark blue car", {"source": "dark blue car", "colour": "blue", "unknown": ("dark",)}),
        ("the gray car", {"source": "gray car", "colour": "grey"}),
        ("the black and white car", {"source": "black and white car", "colour": None, "unknown": ("black", "white")}),
        ("the parked car", {"source": "parked car", "unknown": ("parked",)}),
        ("the car parked on the left", {"source": "car parked", "selector": "left", "unknown": ("parked",)}),
        ("the car next to the bus", {"source": "car next to the bus"}),
        ("the car left of the bus", {"source": "car left of the bus"}),
        ("the car on the left of the bus", {"source": "car on the left of the bus"}),
        ("the car behind the bus", {"source": "car behind the bus", "unknown": ("behind", "bus")}),
        ("the car from the left", {"source": "car from the left", "unknown": ("from", "left")}),
        ("the car over there", {"source": "car over there", "unknown": ("over", "there")}),
        ("the second hand car", {"source": "second hand car", "unknown": ("second", "hand")}),
        ("the car on the left of the picture", {"source": "car", "selector": "left"}),
        ("the car with blue doors", {"source": "car with blue doors", "unknown": ("with", "blue", "doors")}),
    ],
)  # fmt: skip
def test_what_is_said_of_the_source(words, expected):
    for prompt in (f"{words} changes to a red car", f"change {words} to a red car", f"{words} -> red"):
        check(prompt, category="car", noun="car", changes=RED, task="color", **{"unknown": ()} | expected)
    if not words.endswith((" to the left", " front", " side", " blue")):  # else "make" may ask for both
        check(f"make {words} red", **{"noun": "car", "changes": RED} | expected)


@pytest.mark.parametrize(
    ("selector", "words"),
    [
        ("left", "left, leftmost, left-most, left-hand"),
        ("right", "right, rightmost, right-hand"),
        ("top", "top, upper, topmost, uppermost, highest"),
        ("bottom", "bottom, lower, lowest, bottommost"),
        ("middle", "middle, centre, center, central"),
        ("largest", "largest, biggest, bigger, larger, big, large"),
        ("smallest", "smallest, smaller, small, little"),
    ],
)
def test_selectors_before_the_noun(selector, words):
    assert selector in SELECTORS
    for word in words.split(", "):
        check(f"the {word} car changes to a red car", source="car", selector=selector, changes=RED)
        check(f"make the {word} car red", source="car", selector=selector, changes=RED)
        check(f"change the {word} red car to a green car", source="red car", selector=selector, colour="red")


@pytest.mark.parametrize("selector", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize(
    "words",
    ["on the {}", "at the {}", "to the {}", "in the {} half", "on the far {}", "on the {} side", "on {}",
     "on the {} side of the image", "at the {} of the photo"],
)  # fmt: skip
def test_selectors_behind_the_noun(selector, words):
    place = words.format(selector)
    for prompt in (
        f"the car {place} changes to a red car",
        f"change the car {place} to a red car",
        f"make the car {place} red",
        f"turn the car {place} into a red car",
        f"the car {place} -> red",
        f"the car {place} becomes red",
        f"paint the car {place} red",
    ):
        check(prompt, source="car", selector=selector, changes=RED, target="a red car", unknown=())


def test_the_left_of_a_pose_selects_nothing_and_the_left_of_a_place_tilts_nothing():
    check("the left car changes to a car tilted to the left", selector="left", changes=TILTED)
    check("make the car to the left tilted", selector="left", changes=TILTED)
    check("make the car tilted to the left", changes=TILTED)
    check("change the right car to a car tilted slightly to the left", selector="right", changes=TILTED)
    check("the left car changes to a red left car", selector="left", changes=RED, target="a red car")


@pytest.mark.parametrize("name", COCO_IDS)
def test_every_category_is_known_in_singular_and_plural(name):
    colour = "green" if name == "orange" else "orange"
    for noun in (name, name.title()):
        check(f"the left {noun} changes to a {colour} {noun}", noun=name, category=name, selector="left",
              changes={"colour": colour}, target=describe(name, colour), unknown=())  # fmt: skip
        check(f"make the {noun} {colour}", noun=name, category=name, changes={"colour": colour})
        check(f"make the blue {noun} upside down", category=name, colour="blue", changes=UPSIDE_DOWN)
    plurals = [" ".join(words) for words, meaning in SOURCE.items() if meaning == ("noun", name)]
    assert name == "orange" or name in plurals
    assert len(plurals) >= (1 if name in ("scissors", "skis", "orange") else 2)
    for plural in plurals:
        check(f"the {plural} change to {colour}", category=name, changes={"colour": colour})
        check(f"make the {plural} {colour}", category=name, changes={"colour": colour})


@pytest.mark.parametrize(
    ("given", "category"),
    [
        ("cars", "car"), ("buses", "bus"), ("knives", "knife"), ("mice", "mouse"), ("people", "person"),
        ("teddy bears", "teddy bear"), ("sandwiches", "sandwich"), ("couches", "couch"), ("wine glasses", "wine glass"),
        ("toothbrushes", "toothbrush"), ("oranges", "orange"), ("plane", "airplane"), ("aeroplanes", "airplane"),
        ("teddy", "teddy bear"), ("teddy-bear", "teddy bear"), ("mug", "cup"), ("mugs", "cup"),
        ("hydrant", "fire hydrant"),
        ("sofa", "couch"), ("bike", "bicycle"), ("motorbike", "motorcycle"), ("television", "tv"),
        ("fridge", "refrigerator"),
        ("mobile phone", "cell phone"), ("doughnut", "donut"), ("man", "person"), ("women", "person"), ("puppy", "dog"),
        ("lorry", "truck"), ("ship", "boat"), ("parasol", "umbrella"), ("racket", "tennis racket"), ("hotdog", "hot dog"),
        ("bat", "baseball bat"), ("bats", "baseball bat"), ("glove", "baseball glove"), ("laptop computer", "laptop"),
        ("microwave oven", "microwave"), ("stuffed bear", "teddy bear"), ("luggage", "suitcase"), ("stoplight", "traffic light"),
    ],
)  # fmt: skip
def test_plurals_and_synonyms(given, category):
    check(f"the {given} changes to red", noun=given.replace("-", " "), category=category, changes=RED)


@pytest.mark.parametrize(
    "given",
    ["lamp", "coffee pot", "beard", "bearing", "scar", "busker", "cupboard", "car park", "glass", "bean bag", "bag of chips",
     "record player", "jet ski", "baseball cap"],
)  # fmt: skip
def test_a_noun_that_coco_does_not_have_is_kept_as_given(given):
    for prompt in (f"the {given} changes to a red {given}", f"make the {given} red", f"the left {given} -> red"):
        read = parse(prompt)
        assert (read.noun, read.category, read.source) == (given, None, given)
        assert (read.changes, read.target, read.unknown) == (RED, f"a red {given}", ())


def test_a_teddy_bear_is_no_bear_and_a_hot_dog_no_dog():
    check("make the teddy bear black", category="teddy bear", changes={"colour": "black"}, target="a black teddy bear")
    check("make the bear black", category="bear", changes={"colour": "black"}, target="a black bear")
    check("make the hot dog green", category="hot dog", changes={"colour": "green"})
    check("the bear changes to a teddy bear", category="bear", changes={"category": "teddy bear"})


@pytest.mark.parametrize(
    ("prompt", "source", "colour", "changes", "target"),
    [
        ("the orange changes to a red orange", "orange", None, RED, "a red orange"),
        ("make the orange orange", "orange", None, {"colour": "orange"}, "an orange orange"),
        ("the orange orange changes to a red orange", "orange orange", "orange", RED, "a red orange"),
        ("make the red orange green", "red orange", "red", {"colour": "green"}, "a green orange"),
        ("make the orange orange green", "orange orange", "orange", {"colour": "green"}, "a green orange"),
        ("make the orange orange a green one", "orange orange", "orange", {"colour": "green"}, "a green orange"),
        ("flip the orange orange", "orange orange", "orange", UPSIDE_DOWN, "an orange orange upside down"),
        ("flip the red orange", "red orange", "red", UPSIDE_DOWN, "a red orange upside down"),
        ("make the orange orange and tilted", "orange", None, {"colour": "orange", **TILTED},
         "an orange orange tilted slightly to the left"),
        ("make the orange car red", "orange car", "orange", RED, "a red car"),
        ("the car changes to an orange car", "car", None, {"colour": "orange"}, "an orange car"),
        ("the car becomes orange", "car", None, {"colour": "orange"}, "an orange car"),
        ("the apple changes to an orange", "apple", None, {"category": "orange"}, "an orange"),
        ("the apple changes to an orange apple", "apple", None, {"colour": "orange"}, "an orange apple"),
        ("the lamp changes to an orange lamp", "lamp", None, {"colour": "orange"}, "an orange lamp"),
        ("make the orange upside down", "orange", None, UPSIDE_DOWN, "an orange upside down"),
    ],
)
def test_orange_is_a_colour_and_a_fruit(prompt, source, colour, changes, target):
    check(prompt, source=source, colour=colour, changes=changes, target=target, unknown=())


def test_what_does_not_change_is_kept_in_the_caption():
    check("make the blue cup upside down", colour="blue", changes=UPSIDE_DOWN, target="a blue cup upside down")
    check(
        "the tilted bus changes to a red bus",
        pose="tilted",
        changes=RED,
        target="a red bus tilted slightly to the left",
    )
    check(
        "the blue car becomes a blue car facing the front",
        colour="blue",
        changes=FRONT,
        target="a blue car facing the front",
    )
    check("the blue car changes to a bus", colour="blue", changes={"category": "bus"}, target="a bus")


# ------------------------------------------------------------------------------------------------- counting, relating
@pytest.mark.parametrize(
    ("words", "rank", "selector"),
    [
        ("the second car from the left", 2, "left"), ("the 2nd car from left", 2, "left"),
        ("the first car from the right", 1, "right"), ("the third car from the top", 3, "top"),
        ("the second car on the left", 2, "left"), ("the second leftmost car", 2, "left"),
        ("the third largest car", 3, "largest"), ("the 12th smallest car", 12, "smallest"),
        ("the second car, counted from the bottom", 2, "bottom"), ("the car second from the left", 2, "left"),
        ("the car from the left", 1, None), ("the left car", 1, "left"),
    ],
)  # fmt: skip
def test_counting(words, rank, selector):
    for prompt in (f"{words} changes to a red car", f"change {words} to red", f"{words} -> red"):
        read = parse(prompt)
        assert (read.rank, read.selector, read.category, read.changes) == (rank, selector, "car", RED)
    assert parse(f"make {words} red").rank == rank


@pytest.mark.parametrize(
    "words",
    ["the middle car", "the car in the middle", "the centre car", "the central car", "the car at the center",
     "the middle of the three cars", "the middle one of the cars", "the car in the middle of the picture", "the car that is in the middle",
     "the car in the centre of the photo"],
)  # fmt: skip
def test_the_middle_one(words):
    for prompt in (f"{words} changes to a red car", f"change {words} to red", f"make {words} red", f"{words} -> red"):
        check(prompt, category="car", selector="middle", rank=1, changes=RED, unknown=())
    anchor = parse(f"make the cup left of {words} red").relations[0].anchor
    assert (anchor.category, anchor.selector) == ("car", "middle")


@pytest.mark.parametrize(
    ("words", "reason"),
    [("the second car from the middle", "from where"), ("the second middle car", "from where"), ("the middle left car", "at once")],
)
def test_the_middle_is_no_place_to_count_from(words, reason):
    with pytest.raises(PromptError, match=reason):
        parse(f"make {words} red")


def test_the_middle_of_something_else_selects_nothing():
    check("make the car in the middle of the road red", category="car", unknown=("in", "middle", "of", "road"))
    check("make the cup on the middle chair red", category="cup", unknown=("on", "middle", "chair"))
    assert as_text(parse("make the cup left of the middle red car blue")) == "cup (left of red middle car)"


def as_text(named) -> str:
    """The relations of a prompt in a line, each anchor with all that is known of it."""
    told = (named.colour, named.view, named.pose, named.selector, named.rank if named.rank > 1 else None, named.category)
    words = " ".join(str(value) for value in told if value)
    return words + "".join(f" ({relation.name} {as_text(relation.anchor)})" for relation in named.relations)


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("the cup left of the car", "cup (left of car)"),
        ("the cup to the left of the red car", "cup (left of red car)"),
        ("the blue cup on the right side of the tilted car", "blue cup (right of tilted car)"),
        ("the clock over the chair", "clock (above chair)"), ("the clock under a chair", "clock (below chair)"),
        ("the cup on top of the bus seen from the side", "cup (above side bus)"),
        ("the cup beside the mug", "cup (next to cup)"), ("the cup close to the ship", "cup (next to boat)"),
        ("the cup bigger than the car", "cup (larger than car)"),
        ("the cup that is smaller than the car", "cup (smaller than car)"),
        ("the largest cup left of the car", "largest cup (left of car)"),
        ("the second cup from the left below the left car", "left 2 cup (below left car)"),
        ("the cup left of the second car from the right", "cup (left of right 2 car)"),
        ("the cup left of the car and above the chair", "cup (left of car) (above chair)"),
        ("the cup left of the car above the chair", "cup (left of car (above chair))"),
        ("the cup right next to the car", "cup (next to car)"), ("the cup right above the car", "cup (above car)"),
        ("the cup directly above the car", "cup (above car)"), ("the cup immediately right of the car", "cup (right of car)"),
        ("the cup on the left-hand side of the car", "cup (left of car)"),
    ],
)  # fmt: skip
def test_relations(words, meaning):
    for prompt in (f"{words} changes to green", f"change {words} to green", f"{words} becomes green"):
        read = parse(prompt)
        assert as_text(read) == meaning and read.changes == {"colour": "green"} and read.unknown == (), prompt
    if not words.endswith(" side"):  # else "make" may ask for both
        assert as_text(parse(f"turn {words} green")) == as_text(parse(f"make {words} upside down")) == meaning
    assert [mention.noun for mention in mentions(read)] == [relation.anchor.noun for relation in of_all(read)]


def of_all(named):
    return [one for relation in named.relations for one in (relation, *of_all(relation.anchor))]


def test_a_relation_that_the_target_repeats_is_no_change():
    read = parse("the cup left of the car changes to a red cup left of the car")
    assert (read.changes, read.target, read.unknown) == (RED, "a red cup", ())
    assert parse("the lamp changes to a lamp left of the bed").changes == {"text": "a lamp left of the bed"}


def test_a_prompt_with_relations_can_be_a_key():
    assert hash(parse("the cup left of the car becomes red")) != hash(parse("the cup right of the car becomes red"))


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("the second car becomes red", "from where.*the second car from the left"),
        ("the cup left of the second car becomes red", "from where.*the second car from the left"),
        ("the cup left of it becomes red", "what the cup is left of"),
        ("the cup left of the left right car becomes red", '"left" and "right" at once'),
        ("left of the car becomes red", "nothing to find"),
    ],
)
def test_what_is_counted_and_related_must_be_said_in_full(prompt, reason):
    with pytest.raises(PromptError, match=reason):
        parse(prompt)


# ------------------------------------------------------------------------------------------------- ordinary English
def reading(prompt: str) -> dict:
    """All that a prompt means, without its own words."""
    return dataclasses.asdict(dataclasses.replace(parse(prompt), text=""))


@pytest.mark.parametrize(
    ("prompt", "told", "changes", "target", "unknown"),
    [
        ("the left car changes to a red car", "left car", "colour=red", "a red car", ""),
        ("the car changes to a car tilted slightly to the left", "car", "pose=tilted", "a car tilted slightly to the left", ""),
        ("the car changes to a car facing the front", "car", "view=front", "a car facing the front", ""),
        ("the car changes to an upside-down car", "car", "pose=upside down", "a car upside down", ""),
        ("change the car's colour to red", "car", "colour=red", "a red car", ""),
        ("the car should be red", "car", "colour=red", "a red car", ""),
        ("make the car look red", "car", "colour=red", "a red car", ""),
        ("paint the car in red", "car", "colour=red", "a red car", ""),
        ("the car becomes a red car", "car", "colour=red", "a red car", ""),
        ("car->red", "car", "colour=red", "a red car", ""),
        ("tilt the car slightly to the left", "car", "pose=tilted", "a car tilted slightly to the left", ""),
        ("flip the car over", "car", "pose=upside down", "a car upside down", ""),
        ("turn the car to face the front", "car", "view=front", "a car facing the front", ""),
        ("make the car red, upside-down", "car", "colour=red, pose=upside down", "a red car upside down", ""),
        ("replace the mug with a teddy bear", "cup", "category=teddy bear", "a teddy bear", ""),
        ("make the car look like a tank", "car", "category=tank", "a tank", ""),
        ("the woman changes to a man", "person", "category=man", "a man", ""),
        ("make the car old and rusty", "car", "text=an old and rusty car", "an old and rusty car", "old rusty"),
        ("make the car rusty with a flat tyre", "car",
         "text=a rusty car with a flat tyre", "a rusty car with a flat tyre", "rusty with flat tyre"),
        ("a man -> a man wearing a blue hat", "person",
         "text=a man wearing a blue hat", "a man wearing a blue hat", "wearing blue hat"),
        ("tilt the car to the right", "car", "text=a car tilted to the right", "a car tilted to the right", "tilted to right"),
        ("flip the bus horizontally", "bus",
         "text=a bus flipped horizontally", "a bus flipped horizontally", "flipped horizontally"),
        ("the car from blue changes to a red car", "blue car", "colour=red", "a red car", ""),
        ("the black and white car changes to a red car", "car", "colour=red", "a red car", "black white"),
        ("the car parked on the left changes to a red car", "left car", "colour=red", "a red car", "parked"),
        ("the car behind the bus changes to a red car", "car", "colour=red", "a red car", "behind bus"),
        ("the car over there changes to a red car", "car", "colour=red", "a red car", "over there"),
        ("the second hand car changes to a red car", "car", "colour=red", "a red car", "second hand"),
        ("the car with blue doors changes to a red car", "car", "colour=red", "a red car", "with blue doors"),
        ("make the car on the left side of the image red", "left car", "colour=red", "a red car", ""),
        ("the lamp becomes a clock", "lamp", "category=clock", "a clock", ""),
        ("make the car park red", "car park", "colour=red", "a red car park", ""),
        ("the orange changes to a red orange", "orange", "colour=red", "a red orange", ""),
        ("make the blue cup upside down", "blue cup", "pose=upside down", "a blue cup upside down", ""),
        ("the second bus from the left changes to a red bus", "left 2 bus", "colour=red", "a red bus", ""),
        ("the third largest car becomes red", "largest 3 car", "colour=red", "a red car", ""),
        ("the cup left of the car and above the chair becomes green", "cup left of car and above chair",
         "colour=green", "a green cup", ""),
        ("turn the cup that is smaller than the car green", "cup smaller than car", "colour=green", "a green cup", ""),
        ("the second cup from the left below the left car becomes green", "left 2 cup below car",
         "colour=green", "a green cup", ""),
        ("the cup left of the car changes to a red cup left of the car", "cup left of car", "colour=red", "a red cup", ""),
        ("make the teddy bear black", "teddy bear", "colour=black", "a black teddy bear", ""),
        ("the car becomes gold-plated", "car", "colour=gold, text=gold plated", "gold plated", "plated"),
    ],
)  # fmt: skip
def test_ordinary_prompts_mean_what_they_always_did(prompt, told, changes, target, unknown):
    read = parse(prompt)
    related = " and ".join(f"{relation.name} {relation.anchor.source}" for relation in read.relations)
    which = (read.selector, read.rank if read.rank > 1 else None, read.colour, read.view, read.pose)
    assert " ".join(str(word) for word in (*which, read.category or read.noun, related) if word) == told
    assert ", ".join(f"{key}={value}" for key, value in read.changes.items()) == changes
    assert (read.target, read.unknown) == (target, tuple(unknown.split()))


@pytest.mark.parametrize(
    ("words", "category", "unknown"),
    [
        ("the cat inside the car", "cat", "inside car"), ("the cat inside a car", "cat", "inside car"),
        ("the cat outside the house", "cat", "outside house"), ("the chair against the wall", "chair", "against wall"),
        ("the cup that contains the spoon", "cup", "contains spoon"), ("the cup that contains a spoon", "cup", "contains spoon"),
        ("the cup which contains the spoon", "cup", "which contains spoon"), ("the dog that barks", "dog", "barks"),
        ("the man who wears a hat", "person", "who wears hat"), ("the dog around the corner", "dog", "around corner"),
        ("the car across the street", "car", "across street"), ("the boat along the shore", "boat", "along shore"),
        ("the dog running through the field", "dog", "running through field"), ("the man hugs the dog", "person", "hugs dog"),
        ("the man holding a cup", "person", "holding cup"), ("the umbrella held by the man", "umbrella", "held by man"),
        ("the umbrella the man is holding", "umbrella", "man holding"), ("the chair where the cat sleeps", "chair", "where cat sleeps"),
        ("the car between the bus and the truck", "car", "between bus truck"), ("the cup that is full of coffee", "cup", "full of coffee"),
        ("the woman in blue jeans", "person", "in blue jeans"), ("the car that has blue doors", "car", "with blue doors"),
        ("the cat on its back", "cat", "on back"), ("the dog looking to the left", "dog", "looking to left"),
        ("the cat that looks like a dog", "cat", "looks like dog"), ("the car that I parked", "car", "i parked"),
    ],
)  # fmt: skip
def test_the_first_noun_is_the_object_and_a_second_one_describes_it(words, category, unknown):
    for prompt in (f"{words} changes to red", f"make {words} red", f"change {words} to red", f"turn {words} red"):
        check(prompt, category=category, changes=RED, unknown=tuple(unknown.split()))
    assert parse(f"change {words} to a bench").changes == {"category": "bench"}


@pytest.mark.parametrize(
    "words",
    [
        "the car nearest the bus", "the car nearest to the bus", "the car closest to the bus", "the car closest the bus",
        "the car that is nearest the bus", "the nearest car to the bus", "the closest car to the bus",
        "the car adjacent to the bus",
    ],
)  # fmt: skip
def test_the_nearest_is_next_to_it(words):
    for prompt in (f"{words} changes to a red car", f"make {words} red", f"change {words} to a red car", f"turn {words} red"):
        read = parse(prompt)
        assert as_text(read) == "car (next to bus)" and (read.changes, read.unknown) == (RED, ())


def test_a_part_is_no_view():
    check("make the car's front red", source="car front", noun="car front", category=None, changes=RED)


def test_the_nearest_of_none_is_unknown():
    check("the nearest car becomes red", category="car", changes=RED, unknown=("nearest",))
    check("change the closest car to a bus", category="car", changes={"category": "bus"}, unknown=("closest",))
    assert as_text(parse("the cup left of the nearest car becomes red")) == "cup (left of car)"
    assert as_text(parse("the cup atop the bus becomes red")) == "cup (above bus)"


@pytest.mark.parametrize(
    ("words", "plainly"),
    [
        ("the car that is blue", "the blue car"), ("the car that's blue", "the blue car"), ("the cup which is blue", "the blue cup"),
        ("the car, which is blue,", "the blue car"), ("the car whose colour is blue", "the blue car"),
        ("the car that is dark blue", "the dark blue car"), ("the car that was blue", "the blue car"),
        ("the cars that are blue", "the blue cars"), ("a car that is blue", "a blue car"), ("car that is blue", "blue car"),
        ("the car that is on the left", "the left car"), ("the man who is on the right", "the right man"),
        ("the car that is the largest", "the largest car"), ("the car that is big", "the big car"),
        ("the largest car that is blue", "the largest blue car"), ("the cup on the left that is blue", "the blue cup on the left"),
        ("the second car from the left that is blue", "the second blue car from the left"),
        ("the car that is second from the left", "the second car from the left"),
        ("the cup that is upside down", "the upside down cup"), ("the car that is tilted", "the tilted car"),
        ("the car which is facing the front", "the front view car"), ("the car that is blue and tilted", "the blue and tilted car"),
        ("the car that is old and rusty", "the old and rusty car"), ("the teddy bear that is brown", "the brown teddy bear"),
        ("the car that is blue and on the left", "the left blue car"), ("the car that is on the left and is blue", "the left blue car"),
        ("the car that is left of the bus", "the car left of the bus"),
        ("the car that is bigger than the bus", "the car bigger than the bus"),
        ("the cup left of the car that is blue", "the cup left of the blue car"),
        ("the cup that is left of the car and is above the chair", "the cup left of the car and above the chair"),
        ("the largest of the three cars", "the largest cars"), ("the leftmost one of the cups", "the leftmost cups"),
        ("the car in the picture", "the car"), ("the car furthest to the left", "the left car"),
    ],
)  # fmt: skip
def test_a_clause_means_what_its_adjective_does(words, plainly):
    assert parse(f"{words} changes to red").unknown == parse(f"{plainly} changes to red").unknown
    forms = ["{} changes to red", "make {} red", "change {} to red", "turn {} into a red bottle", "{} becomes red", "I want {} to be red"]
    for form in forms:
        read, expected = reading(form.format(words)), reading(form.format(plainly))
        if "picture" in words:
            read["source"] = expected["source"]
        assert read == expected, form


def test_clauses_of_the_target():
    check("the car changes to a car that is red", category="car", changes=RED, target="a red car", unknown=())
    check("change the car to one that is red", category="car", changes=RED, target="a red car", unknown=())
    assert parse("the man changes to a man who is wearing a hat").target == "a man wearing a hat"


@pytest.mark.parametrize(
    "prompt",
    [
        "can you make the car red?", "can u make the car red",
        "Could you please change the car to a red car?", "would you paint the car red",
        "please could you turn the car red, thanks", "I want the car to be red", "I'd like the car to be red", "I want the car red",
        "I would like to make the car red", "I want you to paint the car red", "I need the car to become red",
        "we want the car to look red", "can the car be red?", "let's make the car red", "now make the car red", "make the car red now",
        "hi, can you make the car red for me?", "show me the car in red", "help me make the car red", "the car is now red",
        "now the car is red", "the car needs to be red", "the car ought to be red", "edit the car to be red", "modify the car to red",
        "set the car's colour to red", "change the car so that it is red", "make the car completely red", "paint the car with red",
        "paint the car in a red colour", "give the car a red colour", "the car is replaced with a red car", "make the car red again",
        "swap the car for a red car", "make the car red in the picture", "make the car a shade of red", "first make the car red",
        "making the car red", "painting the car red", "changing the car to red", "would you mind making the car red?",
        "next make the car red", "how about making the car red?", "try making the car red",
        "why not make the car red?", "why don't you make the car red?",
        "you should make the car red", "i wanna make the car red", "let's see the car in red", "make sure that the car is red",
        "make it so the car is red", "what if the car was red?", "what would the car look like in red?", "how would the car look in red?",
        "make the car red, thx", "make the car red, thank you very much", "make the car red without changing the background",
        "make the car red but keep its shape", "make the car red, leave the wheels as they are", "1. make the car red",
        "Q: make the car red", "car = red", "car to red", "fill the car with red", "colorize the car red",
    ],
)  # fmt: skip
def test_polite_and_wordy_prompts_say_the_same(prompt):
    check(prompt, source="car", category="car", task="color", changes=RED, target="a red car", text=prompt, unknown=())


@pytest.mark.parametrize(
    ("prompt", "plainly"),
    [
        ("I'd like the dog to become a cat", "the dog becomes a cat"),
        ("can you turn the second bus from the left upside down, please?", "turn the second bus from the left upside down"),
        ("I'd like you to flip the cup", "flip the cup"), ("I would like to see the car from the front", "make the car face the front"),
        ("the bus is now upside down", "make the bus upside down"), ("put the cup upside down", "make the cup upside down"),
        ("stand the cup upright", "make the cup upright"), ("straighten the cup", "make the cup upright"),
        ("turn the car over", "flip the car"), ("rotate the car by 180 degrees", "flip the car"),
        ("put the mug on its head", "flip the mug"),
        ("tilt the mug on the left", "tilt the left mug"), ("lean the mug to the left", "tilt the mug"),
        ("the car should face forward", "make the car face the front"), ("first car from the left becomes red", "the left car becomes red"),
        ("the car changes from blue to red", "the blue car changes to red"), ("the car goes from blue to red", "the blue car becomes red"),
        ("change the car's colour from blue to red", "the blue car becomes red"),
        ("the chair should be replaced by a couch", "replace the chair with a couch"),
        ("the car is turned into a bus", "turn the car into a bus"), ("exchange the car for a bus", "replace the car with a bus"),
        ("swap the car with a bus", "replace the car with a bus"),
        ("make the car upside down and then red", "make the car upside down and red"),
        ("make the cup larger than a car red", "the cup larger than a car becomes red"),
        ("make the man wearing a red hat a woman", "the man wearing a red hat becomes a woman"),
        ("make the car red & upside down", "make the car red and upside down"),
        ("make the car blue instead of red", "make the red car blue"), ("paint the car blue rather than red", "make the red car blue"),
        ("the car becomes blue instead of red", "the red car becomes blue"), ("instead of red make the car blue", "make the red car blue"),
        ("change the colour of the car to blue instead of red", "make the red car blue"),
        ("a blue car instead of the red car", "the red car changes to a blue car"),
        ("I want a blue car instead of the red one", "the red car changes to a blue car"),
        ("I want a bus instead of the car", "replace the car with a bus"),
        ("make the blue car red instead of green", "make the blue car red"), ("replace the car with a red one instead", "make the car red"),
        ("make the dog a cat instead of a wolf", "make the dog a cat"),
    ],
)  # fmt: skip
def test_other_words_for_the_same_edit(prompt, plainly):
    assert reading(prompt) == reading(plainly)


@pytest.mark.parametrize(
    ("words", "category", "unknown"),
    [
        ("the chair that the man is sitting on", "chair", "man sitting on"), ("the chair the man sits on", "chair", "man sits on"),
        ("the chair he is sitting on", "chair", "he sitting on"), ("the bicycle which the boy is on", "bicycle", "which boy on"),
        ("the bed that the cat sits under", "bed", "cat sits under"), ("the couch the dog lies beside", "couch", "dog lies beside"),
        ("the bus that people get off", "bus", "people get off"), ("the bench under which the dog lies", "bench", "under which dog lies"),
        ("the dog the girl is playing with", "dog", "girl playing with"), ("the car I see on the left", "car", "i see"),
        ("the car far from the bus", "car", "far from bus"), ("the car closest to the camera", "car", "closest to camera"),
        ("the car left of centre", "car", "left of centre"), ("the bird that sits on the left bench", "bird", "on left bench"),
    ],
)  # fmt: skip
def test_a_clause_that_ends_in_a_preposition_leaves_it_to_its_noun(words, category, unknown):
    selector = "left" if words.endswith(" left") else None
    for prompt in (f"{words} changes to red", f"change {words} to red", f"turn {words} upside down", f"flip {words}"):
        read = parse(prompt)
        assert (read.category, read.selector, read.relations, read.unknown) == (category, selector, (), tuple(unknown.split()))
        assert read.changes in (RED, UPSIDE_DOWN)
    assert parse(f"make {words} red").changes == RED  # where "with red" may go to either, the noun is the same
    assert parse(f"make {words} red").category == category


@pytest.mark.parametrize(
    ("prompt", "plainly"),
    [
        ("make a red car out of the blue car", "the blue car changes to a red car"),
        ("make a bus of the car", "make the car a bus"), ("make a red car from the blue car", "make the blue car red"),
        ("make a tank out of the left car", "make the left car a tank"),
        ("put a red car in place of the blue car", "make the blue car red"),
        ("there should be a red car instead of the blue car", "make the blue car red"),
        ("can I have a red car instead of the blue one?", "make the blue car red"),
        ("make red the left car", "make the left car red"), ("turn upside down the cup", "flip the cup"),
        ("turn over the cup", "flip the cup"), ("tilt to the left the cup", "tilt the cup"),
        ("slightly tilt the cup", "tilt the cup"), ("tilt the cup to its left", "tilt the cup"),
        ("tilt the cup a little bit to the left", "tilt the cup"), ("tilt the cup counter-clockwise", "tilt the cup"),
        ("tilt the cup to the left side", "tilt the cup"), ("give the cup a slight tilt to the left", "tilt the cup"),
        ("tilt the cup on the far left", "tilt the left cup"), ("the cup leans to the left", "tilt the cup"),
        ("make the cup lean to the left a little", "tilt the cup"),
        ("turn the cup so that it leans left", "tilt the cup"), ("let the car turn red", "make the car red"),
        ("the car should get red", "make the car red"), ("get the car red", "make the car red"),
        ("give the car a red paint job", "make the car red"),
        ("change the car to have a red colour", "make the car red"),
        ("make the car a darker shade of blue", "make the car darker blue"),
        ("make the whole car red", "make the car red"),
        ("turn the car from a blue one into a red one", "make the blue car red"),
        ("make the car stand on its head", "flip the car"), ("make the man stand on his head", "flip the man"),
        ("make the car turn over", "flip the car"), ("the car turns over", "flip the car"),
        ("flip the car 180 degrees", "flip the car"), ("flip the car vertically", "flip the car"),
        ("turn the car so that it is upside down", "flip the car"), ("invert the car", "flip the car"),
        ("turn the car to the camera", "turn the car to the front"),
        ("make the car look at us", "turn the car to the front"),
        ("turn the car around so it faces me", "turn the car to the front"),
        ("show me the front of the car", "turn the car to the front"),
        ("turn the car so that we can see its front", "turn the car to the front"),
        ("the car faces the front", "turn the car to the front"),
        ("the car changes to a front view of the car", "turn the car to the front"),
        ("make the car head-on", "turn the car to the front"),
        ("I want to see a front view of the car", "turn the car to the front"),
        ("the car should face us", "turn the car to the front"),
        ("make the front of the car visible", "turn the car to the front"),
        ("change the car's direction to front", "turn the car to the front"),
        ("make the bigger of the two cars red", "make the bigger cars red"),
        ("make the left of the two cars red", "make the left cars red"),
        ("make the far left car red", "make the left car red"),
        ("make the car at the very left red", "make the left car red"),
        ("make the car that is the second from the left red", "make the car second from the left red"),
        ("the bus that stands on the left turns red", "the left bus turns red"),
        ("make the motor bike red", "make the motorbike red"),
        ("make the car nearer to the bus red", "make the car nearest to the bus red"),
        ("take the blue car and turn it upside down", "flip the blue car"),
        ("look at the left car, make it red", "make the left car red"),
        ("edit the image so that the left car is red", "make the left car red"),
        ("in this picture, make the car red", "make the car red"),
        ("make only the left car red and keep everything else the same", "make the left car red"),
        ("car > red", "make the car red"), ("task: make the car red", "make the car red"),
        ("I think the car should be red", "make the car red"),
        ("would it be possible to make the car red?", "make the car red"),
        ("make a green apple out of the red one", "make the red apple green"),
        ("make an apple out of the orange", "make the orange an apple"),
        ("the car has to face the front", "turn the car to the front"),
        ("the car should appear upside down", "flip the car"), ("the car is supposed to be red", "make the car red"),
        ("change the car's colour -> red", "make the car red"),
        ("make a pair of scissors red", "make the scissors red"),
        ("make the glass of wine red", "make the wine glass red"), ("pls make the car red", "make the car red"),
        ("make the bird further to the left red", "make the left bird red"),
        ("get the dog a hat", "give the dog a hat"),
        ("give me a red version of the blue car", "make the blue car red"), ("the blue car to red", "make the blue car red"),
        ("cat to dog", "turn the cat into a dog"), ("replace the cat for a dog", "turn the cat into a dog"),
        ("change the cat by a dog", "turn the cat into a dog"), ("substitute a dog for the cat", "turn the cat into a dog"),
        ("recolour the car from red to blue", "make the red car blue"), ("turn the car back to red", "make the car red"),
        ("turn the cup back upright", "make the cup upright"), ("stand the cup up", "make the cup upright"),
        ("straighten up the cup", "make the cup upright"), ("overturn the cup", "flip the cup"),
        ("incline the cup to the left", "tilt the cup"), ("make the cup slant to the left", "tilt the cup"),
        ("spin the cup 180 degrees", "flip the cup"), ("flipping the cup", "flip the cup"),
        ("leaning car becomes red", "make the leaning car red"),
        ("make the dog look straight at the camera", "make the dog face the front"),
        ("let the dog look into the camera", "make the dog face the front"), ("show the bus side-on", "show the bus from the side"),
        ("change the bus to profile view", "show the bus from the side"),
        ("change the car from a side view to a front view", "change the car from side view to front view"),
        ("turn off the tv", "turn the tv off"), ("make the smallest of all cups red", "make the smallest cups red"),
        ("make the car in the center of the image red", "make the middle car red"),
        ("make the car in the left corner red", "make the left car red"),
        ("make the cup all the way to the right red", "make the right cup red"), ("make the tiniest cup red", "make the smallest cup red"),
    ],
)  # fmt: skip
def test_other_orders_of_words_for_the_same_edit(prompt, plainly):
    ignored = {"source": "", "noun": ""}  # "only", "whole", "cars"
    assert reading(prompt) | ignored == reading(plainly) | ignored


@pytest.mark.parametrize(
    ("words", "category", "unknown"),
    [
        ("the bus people wait for", "bus", "people wait for"), ("the bus people are waiting for", "bus", "people are waiting for"),
        ("the bench kids sit on", "bench", "kids sit on"), ("the horse people ride", "horse", "people ride"),
        ("the pizza the kids eat", "pizza", "kids eat"), ("the pizza that kids eat", "pizza", "kids eat"),
    ],
)  # fmt: skip
def test_a_clause_may_lack_its_pronoun(words, category, unknown):
    for prompt in (f"{words} changes to red", f"make {words} red", f"change {words} to red", f"turn {words} red"):
        read = parse(prompt)
        said = [word for word in unknown.split() if word != "are"]
        assert (read.category, read.changes, list(read.unknown)) == (category, RED, said), prompt


def test_a_colour_may_be_named_after_a_thing():
    for shade in ("baby blue", "jet black", "forest green", "apple green", "mustard yellow"):
        for prompt in (f"make the car {shade}", f"the car -> {shade}", f"the car changes to a {shade} car"):
            check(prompt, category="car", changes={"colour": shade.split()[1], "text": parse(prompt).target})
            assert shade in parse(prompt).target
    check("make the man in white blue", category="person", colour="white", changes={"colour": "blue"})
    check("make the apple green", category="apple", changes={"colour": "green"})
    check("make the jet black", category="airplane", changes={"colour": "black"})
    check("make the plane in the sky blue", category="airplane", changes={"colour": "blue"})
    check("make the car on the grass green", category="car", changes={"colour": "green"})


@pytest.mark.parametrize(("prompt", "noun"), [("make the back upright", "back"), ("mirror -> red", "mirror")])
def test_a_thing_may_be_called_as_a_wordy_phrase_or_a_verb(prompt, noun):
    assert parse(prompt).noun == noun


def test_left_of_several_is_still_left_of_them():
    for words in ("left of the two buses", "on the left of the two buses", "to the left of the two buses"):
        read = parse(f"make the car {words} red")
        assert as_text(read) == "car (left of bus)" and read.unknown == ("two",)


@pytest.mark.parametrize(
    ("prompt", "target"),
    [
        ("make the car dark red", "a dark red car"), ("the car becomes light blue", "a light blue car"),
        ("make the lamp matte black", "a matte black lamp"), ("make the car a bit darker", "a bit darker car"),
        ("make the car made of wood", "a car made of wood"), ("make the car look like it is made of gold", "a car made of gold"),
        ("make the car face left", "a car facing left"), ("make the car seen from behind", "a car seen from behind"),
        ("make the man wear a hat", "a man wearing a hat"), ("make the dog eat a banana", "a dog eating a banana"),
        ("give the man a hat", "a man with a hat"), ("the man should have a hat", "a man with a hat"),
        ("make the man smile", "a smiling man"),
        ("make the cat on the couch", "a cat on the couch"), ("make the cup left of the car rusty", "a rusty cup"),
        ("make the car as big as the bus", "a car as big as the bus"),
        ("make the car red like a fire truck", "a red car like a fire truck"),
        ("turn the lamp off", "a lamp off"), ("make the car a nice red", "a nice red car"), ("make the car a deep blue", "a deep blue car"),
        ("make the car half red and half blue", "a half red and half blue car"), ("tilt the car backwards", "a car tilted backwards"),
        ("tilt the car forward", "a car tilted forward"), ("make the woman look at the man", "a woman looking at the man"),
        ("make the dog face the cat", "a dog facing the cat"), ("make the dog hit the car", "a dog hit the car"),
        ("the dog should be lying on the couch", "a dog lying on the couch"),
        ("make the dog look to the left", "a dog looking to the left"), ("the dog looks left", "a dog looking left"),
        ("turn the dog to face left", "a dog facing left"), ("the dog should face left", "a dog facing left"),
        ("make the cat look up", "a cat looking up"), ("make the cup lean to the right", "a cup leaning to the right"),
        ("the car tilts to the right", "a car tilted to the right"), ("mirror the car", "a mirrored car"),
        ("lay the bottle on its side", "a bottle lying on its side"), ("tip the cup over", "a cup tipped over"),
        ("make the man stand up", "a man standing up"), ("make the stop sign say go", "a stop sign saying go"),
        ("replace the car with a newer one", "a newer car"), ("make the car greyish blue", "a greyish blue car"),
        ("make the car rose gold", "a rose gold car"),
    ],
)  # fmt: skip
def test_what_the_painter_is_told_is_english(prompt, target):
    read = parse(prompt)
    assert read.target == read.changes["text"] == target and "category" not in read.changes


@pytest.mark.parametrize(
    "prompt",
    [
        "remove the car", "delete the car", "erase the dog on the left", "Please remove the car.", "can you delete the bus?",
        "add a red car",
        "insert a cat next to the dog", "add a hat to the dog", "put a hat on the man", "swap the car and the bus",
        "exchange the car with the bus",
        "move the car to the left", "get rid of the car", "hide the car", "duplicate the car", "draw a cat", "I want to remove the car",
        "make the car disappear", "the car disappears", "the car should be removed", "replace the car with nothing", "make the car vanish",
    ],
)  # fmt: skip
def test_what_this_editor_does_not_do_is_said_plainly(prompt):
    with pytest.raises(PromptError, match="changes an object in its place, it does not remove, add, move or swap") as error:
        parse(prompt)
    assert str(error.value).endswith(f": {GRAMMAR}.") and ". " not in str(error.value)


@pytest.mark.parametrize(
    "prompt",
    [
        "turn the car around", "rotate the car", "turn the car", "spin the car", "turn the car to the left", "turn the car left",
        "turn the car to the right", "turn the left car sideways", "rotate the car 90 degrees", "the bus turns around",
        "turn the car the other way", "turn the car back", "rotate the chair by half a turn", "rotate the car a bit",
        "rotate the car slightly counter-clockwise", "tilt the car 20 degrees to the left", "make the car turn around",
        "turn the front of the car to the camera", "turn the dog's back to the camera",
    ],
)  # fmt: skip
def test_a_turn_that_is_not_known_names_those_that_are(prompt):
    with pytest.raises(PromptError, match="turn that this editor does not know") as error:
        parse(prompt)
    text = str(error.value)
    assert all(turn in text for turn in (*VIEWS.values(), *POSES.values())) and text.endswith(".") and ". " not in text
    assert [parse(example).task for example in text.split('"')[1::2]] == ["front", "updown"]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("make the car red or blue", "leaves a choice"), ("the car or the bus becomes red", "leaves a choice"),
        ("make the car a different colour", "does not say which colour"),
        ("make the car the colour of the bus", "does not say which colour"),
        ("make the car red and the dog blue", "two objects"), ("make the car red and turn the dog blue", "more than one change"),
        ("make the car red and remove the bus", "more than one change"), ("make the car no longer red", "should not be"),
        ("change the view of the bus to front and its colour to red", "more than one change"),
        ("the two cars become red", "several objects"),
        ("make the car red, the bus blue", "two objects"), ("the car changes to red, the bus to blue", "two objects"),
        ("make the car as well as the bus red", "two objects"), ("make the car red and flip it", "more than one change"),
        ("the car becomes red and flips over", "more than one change"), ("make the car red but keep the bus blue", "more than one change"),
        ("make the horse white and look at the camera", "more than one change"), ("make the car less blue", "should not be"),
        ("make the left car look like the right car", "does not say which colour"), ("the 2 cars become red", "several objects"),
        ("replace the car with the car on the right", "does not say which colour"),
        ("make a few cars red", "several objects"),
        ("make the group of people red", "several objects"), ("make none of the cars red", "should not be"),
        ("the last car becomes red", "from where"), ("the second last car from the left becomes red", "from where"),
        ("the second-to-last car becomes red", "from where"), ("make car 2 red", "from where"), ("get rid of it", "in its place"),
        ("change the car to another car", "does not say which"), ("change the car to a different one", "does not say which"),
        ("make the car #ff0000", "colour in numbers"), ("make the car rgb(255, 0, 0)", "colour in numbers"),
        ("make everything except the car red", "should not be"), ("make the non-red car blue", "should not be"),
        ("make the rightmost but one car red", "from where"), ("make car number 2 red", "from where"),
        ("make most cars red", "several objects"), ("make half of the cars red", "several objects"),
        ("turn the left car and the right car red", "two objects"), ("make someone red", "nothing to find"),
        ("the car closest to the bus", "no change"), ("the car to the left", "no change"), ("the dog running to the cat", "no change"),
        ("the car nearest becomes red", "what the car is next to"), ("I want a red car", "nothing about the car"),
    ],
)  # fmt: skip
def test_the_reason_is_the_right_one(prompt, reason):
    with pytest.raises(PromptError, match=reason):
        parse(prompt)


@pytest.mark.parametrize(
    ("words", "category", "name"),
    [
        ("the woman", "person", "woman"), ("the left women", "person", "woman"), ("the puppy", "dog", "puppy"),
        ("the kittens", "cat", "kitten"),
        ("the lady", "person", "lady"), ("the kids", "person", "kid"), ("the table", "dining table", "table"),
        ("the people", "person", "person"),
        ("the ball", "sports ball", "ball"), ("the players", "person", "player"), ("the police officer", "person", "police officer"),
        ("the ferries", "boat", "ferry"), ("the jet", "airplane", "jet"), ("the calves", "cow", "calf"), ("the geese", "bird", "goose"),
        ("the policemen", "person", "policeman"), ("the left taxi", "car", "taxi"), ("the school bus", "bus", "school bus"),
        ("the bag", "handbag", "bag"), ("the bus driver", "person", "driver"), ("the bat", "baseball bat", "baseball bat"),
        ("the mugs", "cup", "cup"), ("the dog", "dog", "dog"), ("the lamp", None, "lamp"), ("the coffee pot", None, "coffee pot"),
    ],
)  # fmt: skip
def test_the_name_to_paint_it_under(words, category, name):
    for prompt in (f"{words} changes to upside down", f"make {words} upside down"):
        read = parse(prompt)
        assert (read.category, read.name, read.target) == (category, name, describe(name, pose="upside down"))
    assert parse(f"{words} becomes a bench").name == name


def test_a_name_that_says_more_than_its_category_reaches_clip_and_is_not_known_with_it():
    prompt = parse("the left school bus becomes red")
    assert prompt.unknown == ("school", "bus") and unknown_words(prompt, ["bus", "red"]) == ["school bus"]
    assert unknown_words(parse("the cup left of the ducks becomes red"), ["cup", "bird", "red"]) == ["ducks"]
    assert unknown_words(parse("the mug becomes red"), ["cup", "red"]) == []


@pytest.mark.parametrize(
    ("prompt", "becomes"),
    [
        ("turn the bird into a bat", "bat"), ("turn the hand into a glove", "glove"), ("the car becomes a taxi", "taxi"),
        ("change the man to policeman", "policeman"), ("the taxi changes to a car", "car"), ("turn the dog into a bag", "bag"),
    ],
)  # fmt: skip
def test_what_it_becomes_is_taken_by_its_word(prompt, becomes):
    assert parse(prompt).changes == {"category": becomes}


@pytest.mark.parametrize("noun", ["bat", "bats", "glove", "taxi", "ball", "racket", "player"])
def test_a_short_name_said_twice_is_one_thing(noun):
    assert parse(f"the {noun} changes to a red {noun}").changes == parse(f"make the {noun} red").changes == RED


# ------------------------------------------------------------------------------------------------- parts
PARTS = [
    "the man's shirt", "the man’s red shirt", "the car's wheels", "the cars' wheels", "the bus' wheels", "the dog's tail",
    "the left dog's tail", "the teddy bear's nose", "my neighbour's car's roof", "the man's dog's collar", "the plane's left wing",
    "the bus's left side",
    "the surfer's hair", "the shirt of the man", "the roof of the red bus", "the wheels of the car left of the bus", "the legs of my chair",
    "the collar of the man's dog", "the collar of the man's shirt", "the man's shirt and tie", "the colour of the man's shirt",
    "my friend's shirt", "the house's roof", "the mans shirt", "the boys jacket", "the handle on the mug", "the wheels on the red bus",
    "the hat on the man", "the cap on the man's head", "the shirt that the man wears", "the dress the left man is wearing",
    "the car door", "the left car door", "the bus windows", "the red bicycle's wheel", "the table leg", "the table top",
    "the cake's top", "the truck bed",
    "the airplane wing", "the race car roof", "the car's front left wheel", "the car front left wheel", "the dog collar", "the clock face",
    "the horse's front leg", "the laptop screen", "the car lights", "the bus side mirror", "the door of the second car from the left",
]  # fmt: skip


@pytest.mark.parametrize("words", PARTS)
def test_a_part_is_not_its_owner_and_needs_a_mask_of_ones_own(words):
    for prompt in (f"{words} changes to green", f"make {words} green", f"change {words} to a green one", f"{words} -> green"):
        with pytest.raises(PromptError, match="names a part, .* name the whole object, or .* white in a mask of your own") as error:
            parse(prompt)
        assert str(error.value).endswith(".") and ". " not in str(error.value) and "--mask FILE" in str(error.value)
    shown = parse(f"make {words} green", own_mask=True)
    compound = shown.noun.split()[0] in words.split() and "'s" not in words  # "the car door" is painted as "a green car door"
    assert shown.changes == {"colour": "green"} and (compound or not set(shown.noun.split()) & {"man", "man's", "car", "bus", "dog"})


@pytest.mark.parametrize(
    ("words", "noun", "category"),
    [
        ("the wine glass", "wine glass", "wine glass"), ("the tennis racket", "tennis racket", "tennis racket"),
        ("the traffic light", "traffic light", "traffic light"), ("the fire hydrant", "fire hydrant", "fire hydrant"),
        ("the cell phone", "cell phone", "cell phone"), ("the school bus", "school bus", "bus"),
        ("the teddy bear", "teddy bear", "teddy bear"),
        ("the race car", "race car", "car"), ("the police car", "police car", "car"), ("the coffee cup", "cup", "cup"),
        ("the dog bowl", "bowl", "bowl"), ("the dog bed", "bed", "bed"), ("the carrot cake", "cake", "cake"),
        ("the arm chair", "chair", "chair"),
        ("the bus driver", "driver", "person"), ("the dog house", "dog house", None), ("the bus stop", "bus stop", None),
        ("the car park", "car park", None), ("the bird cage", "bird cage", None), ("the toilet paper", "toilet paper", None),
        ("the baseball cap", "baseball cap", None), ("the bicycle helmet", "bicycle helmet", None),
        ("the garage door", "garage door", None),
        ("the lamp on the table", "lamp", None), ("the book on the table", "book", "book"), ("the roof on the house", "roof", None),
        ("the cat on the car roof", "cat", "cat"), ("the car with the red door", "car", "car"),
        ("the man in the white shirt", "man", "person"),
        ("the shopping center", "shopping center", None), ("the tank top", "tank top", None), ("the middle-aged man", "man", "person"),
    ],
)  # fmt: skip
def test_what_is_named_after_another_object_is_no_part_of_it(words, noun, category):
    for prompt in (f"{words} changes to green", f"make {words} green", f"change {words} to green"):
        read = parse(prompt)
        assert (read.noun, read.category, read.selector, read.changes) == (noun, category, None, {"colour": "green"})


def test_a_part_under_a_mask_of_ones_own_is_painted_without_its_owner():
    check_own = parse("the man's red shirt changes to a blue shirt", own_mask=True)
    assert (check_own.noun, check_own.source, check_own.colour, check_own.target) == ("shirt", "man's red shirt", "red", "a blue shirt")


@pytest.mark.parametrize(
    "prompt",
    [
        "turn the dog's head to the camera", "make the dog's tail longer", "tilt the man's hat", "give the man's head a hat",
        "replace the man's face with a dog", "make the car's headlights on", "make the dog tail longer", "make the car door rusty",
        "flip the bus door", "turn the bus wheel into a red wheel", "make the cup left of the car door red",
        "make the ball next to the man's foot red",
    ],
)  # fmt: skip
def test_a_part_is_refused_whatever_becomes_of_it(prompt):
    with pytest.raises(PromptError, match="names a part"):
        parse(prompt)


@pytest.mark.parametrize(
    ("words", "noun", "category"),
    [
        ("the man's tie", "tie", "tie"), ("the woman's handbag", "handbag", "handbag"), ("my neighbour's car", "car", "car"),
        ("the catcher's mitt", "mitt", "baseball glove"), ("the tennis player's racket", "racket", "tennis racket"),
        ("the police officer's new blue car", "car", "car"), ("the tie of the man", "tie", "tie"),
        ("the driver of the bus", "driver", "person"), ("the 'cars'", "cars", "car"), ("the car's colour", "car", "car"),
        ("the front of the bus", "front", None), ("my friend's lamp", "friend lamp", None), ("the cup in the woman's hand", "cup", "cup"),
        ("the dog on the top of the car", "dog", "dog"), ("the picture of the dog", "picture", None),
    ],
)  # fmt: skip
def test_what_is_owned_but_no_part_is_read_by_itself(words, noun, category):
    for prompt in (f"{words} changes to green", f"make {words} green", f"change {words} to green"):
        read = parse(prompt)
        assert (read.noun, read.category, read.changes) == (noun, category, {"colour": "green"})


@pytest.mark.parametrize("words", ["the car's left", "the top of the cake", "the left of the car"])
def test_a_side_of_an_object_is_nothing_to_find(words):
    with pytest.raises(PromptError, match="nothing to find"):
        parse(f"make {words} pink")


def test_a_part_may_be_what_something_becomes():
    assert parse("make the man wear the woman's hat").target == "a man wearing the woman's hat"
    assert parse("change the shirt to a woman's dress").target == "a woman's dress"


@pytest.mark.parametrize(
    "unit",
    ["that is blue ", "the car that is ", "nearest the ", "instead of ", "the car which is blue and ", "from blue to ", "dog's ",
     "car's roof of the "],
)  # fmt: skip
def test_long_clauses_are_read_quickly(unit):
    for head in ("make the car ", "the car becomes ", ""):
        start = time.perf_counter()
        with contextlib.suppress(PromptError):
            parse((head + unit * MAX_CHARACTERS)[: MAX_CHARACTERS - 4] + " red")
        assert time.perf_counter() - start < 1


# ------------------------------------------------------------------------------------------------- what is refused
@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("", "no words"), ("   \n", "no words"), ("...!?", "no words"), ("🚗", "no words"), ("🚗🔴👍🏽 ❤️", "no words"),
        ("the car", "no change"), ("a nice picture of a car", "no change"),
        ("the car is red", "no change"), ("hello world", "no change"), ("to", "no change"), ("change", "no change"),
        ("change the car", "no change"), ("change the car to the left", "no change"),
        ("change the car red", "no change"),
        ("make the car", "nothing about the car"), ("make a cat", "nothing about the cat"),
        ("change the car to", "nothing about the car"), ("the car changes to", "nothing about the car"),
        ("the car ->", "nothing about the car"), ("make the car 🔴", "nothing about the car"),
        ("the car changes to a car", "nothing about the car"),
        ("the red car changes to a car", "nothing about the car"),
        ("the red car changes to a red car", "nothing about the car"),
        ("make the red car red", "nothing about the car"),
        ("the left car changes to the left car", "nothing about the car"),
        ("the upside-down car changes to a car upside down", "nothing about the car"),
        ("the shiny lamp changes to a shiny lamp", "nothing about the shiny lamp"),
        ("mug -> cup", "nothing about the mug"), ("make the orange an orange", "nothing about the orange"),
        ("-> red", "nothing to find"), ("->", "nothing to find"), ("changes to a red car", "nothing to find"),
        ("change to red", "nothing to find"), ("make", "nothing to find"),
        ("the red changes to blue", "nothing to find"),
        ("left -> red", "nothing to find"), ("it changes to red", "nothing to find"),
        ("make it red", "nothing to find"),
        ("make the left one red", "nothing to find"), ("make everything blue", "nothing to find"),
        ("make upside down red", "nothing to find"),
        ("don't make the car red", "should not be"), ("make the car not red", "should not be"),
        ("make the car red and make the dog blue", "more than one change"),
        ("car -> red -> blue", "more than one change"),
        ("the car becomes red and the dog becomes blue", "more than one change"),
        ("the car and the dog become red", "two objects"), ("make the dog and the cat red", "two objects"),
    ],
)  # fmt: skip
def test_prompts_without_a_clear_change_show_the_grammar(prompt, reason):
    with pytest.raises(PromptError, match=reason) as error:
        parse(prompt)
    text = str(error.value)
    assert text.endswith(f": {GRAMMAR}.") and "\n" not in text and ". " not in text
    assert type(error.value) is PromptError and error.value.exit_code == 2


def test_the_examples_of_the_grammar_can_be_read():
    examples = GRAMMAR.split('"')[1::2]
    assert len(examples) == 2
    assert [parse(example).task for example in examples] == ["color", "color"]


def test_two_places_at_once_are_an_error():
    for prompt in ("the upper left car changes to red", "make the largest car on the right red"):
        with pytest.raises(PromptError, match='"(left|largest)" and "(top|right)" at once'):
            parse(prompt)
    check("make the leftmost car on the left red", selector="left", changes=RED)


def test_a_size_beside_a_place_describes_and_alone_it_chooses():
    check("make the little car on the left red", selector="left", changes=RED)
    check("make the second big car from the right red", selector="right", rank=2, changes=RED)
    check("make the little car red", selector="smallest", changes=RED)
    with pytest.raises(PromptError, match='"left" and "smallest" at once'):
        parse("make the smallest car on the left red")


@pytest.mark.parametrize("prompt", ["make all cars red", "every car changes to red", "both cars -> red"])
def test_several_objects_at_once_are_an_error_that_knows_the_way(prompt):
    with pytest.raises(PromptError, match="--select all"):
        parse(prompt)


@pytest.mark.parametrize("text", [None, 5, b"make the car red", ["make the car red"]])
def test_what_is_no_text_is_an_error(text):
    with pytest.raises(PromptError, match="must be text"):
        parse(text)


def test_long_prompts_are_an_error_and_quickly():
    assert parse("make the car red".ljust(MAX_CHARACTERS)).changes == RED
    for prompt in ("make the car red".ljust(MAX_CHARACTERS + 1), "x" * 10_000, "make the car red " * 600_000):
        start = time.perf_counter()
        with pytest.raises(PromptError, match=f"has {len(prompt)} characters, more than {MAX_CHARACTERS}"):
            parse(prompt)
        assert time.perf_counter() - start < 0.1


@pytest.mark.parametrize(
    "unit", ["a ", "to ", "the left ", "make a ", "orange ", "tilted slightly to the ", "car with a "]
)
def test_the_longest_prompts_are_read_quickly(unit):
    prompt = ("make the " + unit * MAX_CHARACTERS)[: MAX_CHARACTERS - 4] + " red"
    start = time.perf_counter()
    with contextlib.suppress(PromptError):
        parse(prompt)
    assert time.perf_counter() - start < 1


def test_random_prompts_are_read_or_refused():
    """Whatever is typed, the answer is an EditPrompt that holds together, or a PromptError."""
    rng = random.Random(0)
    words = [
        *(" ".join(words) for words in {**SOURCE, **TARGET}),
        *"change make turn tilt flip to into -> becomes".split(),
    ]
    words += [
        "changes to",
        "paint",
        "replace",
        "with",
        "its",
        "colour",
        "of",
        "'s",
        "lamp",
        "wearing",
        "not",
        "🚗",
        "é",
        "漢字",
    ]
    read = 0
    for _ in range(3000):
        if rng.random() < 0.3:
            ranges = [(0, 0x80), (0, 0x500), (0, 0x10FFFF), (0x2190, 0x2800), (0xD800, 0xE000)]
            prompt = "".join(chr(rng.randrange(*rng.choice(ranges))) for _ in range(rng.randrange(60)))
            prompt = rng.choice(["", "make the ", "car -> "]) + prompt
        else:
            prompt = " ".join(rng.choice(words) for _ in range(rng.randrange(12)))
        try:
            edit = parse(prompt)
        except PromptError as error:
            assert "\n" not in str(error)
            continue
        read += 1
        assert edit.noun and edit.source and edit.target and edit.changes and edit.text == prompt
        assert edit.category is None or edit.category in COCO_IDS
        assert edit.selector is None or edit.selector in SELECTORS
        assert edit.task in (*TASKS, "free")
        assert set(edit.changes) <= {"colour", "view", "pose", "category", "text"}
        assert edit.changes.get("pose", "upright") in POSES and edit.changes.get("view", "front") in VIEWS
        assert edit.changes.get("text", edit.target) == edit.target
    assert read > 300


# ------------------------------------------------------------------------------------------------- the dataclass
def test_a_prompt_is_a_value():
    edit = parse("the left car changes to a red car")
    assert edit == parse("the left car changes to a red car") and len({edit, parse(edit.text)}) == 1
    assert json.loads(json.dumps(dataclasses.asdict(edit)))["changes"] == RED
    with pytest.raises(dataclasses.FrozenInstanceError):
        edit.task = "free"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("category", ["car", "teddy bear", "orange", "umbrella", "fire hydrant"])
@pytest.mark.parametrize("source_colour", [None, "orange", "blue"])
@pytest.mark.parametrize("selector", [None, *SELECTORS])
def test_task_prompts_are_read_back(task, category, source_colour, selector):
    colours = [colour for colour in COLOURS if colour != source_colour] if task == "color" else [None]
    for colour in colours:
        attribute, value = TASKS[task]
        prompt = task_prompt(task, category, colour=colour, source_colour=source_colour, selector=selector)
        check(prompt, category=category, noun=category, colour=source_colour, selector=selector, task=task,
              changes={attribute: value or colour}, unknown=())  # fmt: skip


def test_task_prompts_are_the_papers():
    assert task_prompt("color", "car", "red", "blue", "left") == "the left blue car changes to a red car"
    assert task_prompt("tilt", "car") == "the car changes to a car tilted slightly to the left"
    assert task_prompt("front", "umbrella") == "the umbrella changes to an umbrella facing the front"
    assert task_prompt("updown", "cup") == "the cup changes to a cup upside down"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"task": "colour", "category": "car", "colour": "red"}, "color, tilt, front, updown"),
        ({"task": "color", "category": "car"}, "needs a colour"),
        ({"task": "color", "category": "car", "colour": "red", "source_colour": "red"}, "needs a colour"),
        ({"task": "tilt", "category": "car", "selector": "corner"}, "left, right, top"),
    ],
)
def test_task_prompts_that_ask_for_nothing_are_an_error(arguments, reason):
    with pytest.raises(SettingsError, match=reason):
        task_prompt(**arguments)


# ------------------------------------------------------------------------------------------------- small vocabularies
KNOWN = ["car", "teddy bear", "fire hydrant", "cup", *COLOURS, *VIEWS.values(), *POSES.values()]


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("the left car changes to a red car", []),
        ("make the blue teddy bear upside down", []),
        ("the upside-down mugs become tilted", []),
        ("the car changes to a car facing the front tilted slightly to the left", []),
        ("change the car to a cup", []),
        ("make the bear red", ["bear"]),
        ("make the lamp red", ["lamp"]),
        ("change the car to a bear", ["bear"]),
        ("change the giraffe to a lamp", ["giraffe", "lamp"]),
        ("make the pink car silver", ["pink", "silver"]),
        ("make the car shiny and red", ["shiny"]),
        ("the rusty old car changes to a red car", ["rusty", "old"]),
        ("change the car left of the cup to red", []),
        ("change the car left of the pink zebra to red", ["zebra", "pink"]),
        ("the car above the cup next to the shiny lamp becomes red", ["shiny lamp"]),
        ("the car behind the cup becomes red", ["behind"]),
        ("tilt the car to the right", ["tilted", "to", "right"]),
        ("the shiny car changes to a shiny red car", ["shiny"]),
    ],
)
def test_unknown_words_are_named(prompt, unknown):
    assert unknown_words(parse(prompt), KNOWN) == unknown
    assert unknown_words(parse(prompt), iter([word.upper() for word in KNOWN])) == unknown
    if not unknown:
        check_words(parse(prompt), KNOWN)
        return
    with pytest.raises(UnknownWordError) as error:
        check_words(parse(prompt), iter(KNOWN))
    text = str(error.value)
    assert all(f'"{word}"' in text for word in unknown) and all(word in text for word in KNOWN)
    assert text.endswith(".") and ". " not in text and error.value.exit_code == 2


@pytest.mark.parametrize(
    "known", [[*COLOURS, "car", *VIEWS, *POSES], [*COLOURS, "car", "facing", "the", "front", "upside", "down"]]
)
def test_attributes_may_be_known_by_name_by_caption_or_word_by_word(known):
    assert unknown_words(parse("the red car changes to a car facing the front upside down"), known) == []


def test_with_nothing_known_everything_is_unknown():
    prompt = parse("the blue car seen from the side changes to a red car upside down")
    assert unknown_words(prompt, []) == ["car", "blue", "red", "side", "upside down"]
