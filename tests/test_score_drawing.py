"""The measure of what text-to-image draws: pictures that show what they should count, others do not."""

import importlib
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from textedit_lite.errors import SettingsError
from textedit_lite.vocabulary import COLOURS
from textedit_lite.world.scenes import SceneObject, make_scene, render
from textedit_lite.world.sprites import CATEGORIES

drawing = importlib.import_module("textedit_lite.training.score_drawing")


def test_captions_come_up_equally_often_and_are_the_same_for_a_seed():
    wanted = drawing.captions(200, 3)
    times = {pair: wanted.count(pair) for pair in wanted}
    assert len(wanted) == 200 and len(times) == len(CATEGORIES) * len(COLOURS) and set(times.values()) <= {2, 3}
    assert wanted == drawing.captions(200, 3) != drawing.captions(200, 4)


def shown(*pair):
    """A scene with that object alone, or with none, at the size at which text2image draws."""
    things = (SceneObject(*pair, "side", "upright", 0.5, 0.55, 0.4),) if pair else ()
    return render(replace(make_scene(0), objects=things)).resize((128, 128))


def test_what_the_models_see_decides(models, monkeypatch):
    wanted = drawing.captions(8, 0)
    other = {pair: (pair[0], COLOURS[(COLOURS.index(pair[1]) + 3) % len(COLOURS)]) for pair in wanted}
    drawn = {
        "right": [shown(*pair) for pair in wanted],
        "of other colours": [shown(*other[pair]) for pair in wanted],
        "of nothing": [shown()] * 8,
    }
    found = {}
    for name, pictures in drawn.items():
        monkeypatch.setattr(drawing, "draw", lambda *_, pictures=pictures: pictures)
        found[name] = drawing.score_drawing(models, 8, progress=False)
    assert found["right"]["category"] >= 0.8 and found["right"]["colour"] >= 0.8
    assert found["of other colours"]["category"] >= 0.8 and found["of other colours"]["colour"] <= 0.2
    assert found["of nothing"]["category"] == found["of nothing"]["colour"] == 0


def test_a_picture_does_not_depend_on_those_drawn_beside_it(models):
    wanted = drawing.captions(2, 0)
    both, first = drawing.draw(wanted, models, progress=False), drawing.draw(wanted[:1], models, progress=False)
    assert both[0].size == (128, 128)
    assert np.abs(np.asarray(both[0], int) - np.asarray(first[0], int)).max() <= 2
    assert np.abs(np.asarray(both[0], int) - np.asarray(both[1], int)).mean() > 5


def test_each_picture_and_seed_has_noise_of_its_own(models, monkeypatch):
    given = []

    class Pipeline:
        def __init__(self, **parts):
            pass

        def set_progress_bar_config(self, **options):
            pass

        def __call__(self, prompt, **options):
            given.extend(one.initial_seed() for one in options["generator"])
            return SimpleNamespace(images=prompt)

    monkeypatch.setattr("diffusers.StableDiffusionPipeline", Pipeline)
    monkeypatch.setattr(drawing, "AT_ONCE", 2)
    for seed in (0, 1):
        assert len(drawing.draw(drawing.captions(5, 0), models, seed, progress=False)) == 5
    assert len(set(given)) == 10


def test_a_count_under_one_is_refused(models):
    with pytest.raises(SettingsError, match="--count 1 or more"):
        drawing.score_drawing(models, 0)
