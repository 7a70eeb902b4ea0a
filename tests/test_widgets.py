"""The panels without a kernel: set a control's value, read the picture and the status; what runs again, and what not."""

from __future__ import annotations

import asyncio
import datetime
import gc
import io
import threading
import time
import tracemalloc
import weakref
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import drawn
import ipywidgets
import numpy as np
import pytest
from PIL import Image

from textedit_lite import Editor, data_path, open_image, replay
from textedit_lite import editor as editor_module
from textedit_lite.blend import FEATHER, feather
from textedit_lite.boxes import GROW
from textedit_lite.detect import detect
from textedit_lite.errors import ImageError, OutputError, PromptError, SettingsError, UnknownWordError
from textedit_lite.inpaint import inpaint
from textedit_lite.mask import build_mask
from textedit_lite.match import FUSION, candidate_features, match
from textedit_lite.plots import LARGEST
from textedit_lite.prompt import parse
from textedit_lite.rivals import diffedit, instruct_pix2pix, sdedit
from textedit_lite.widgets import (
    DetectPanel,
    EditorPanel,
    MaskPanel,
    MatchPanel,
    PaintPanel,
    RivalPanel,
    controls,
    editor_panel,
    history,
    painting,
    rival_panel,
    stages,
)
from textedit_lite.widgets.controls import Debounced, uploaded
from textedit_lite.widgets.history import LONGEST, History
from textedit_lite.widgets.pictures import differing, numbered, scaled, tinted, wiped
from textedit_lite.world import scenes

STREET = data_path("samples", "street.png")
KITCHEN = data_path("samples", "kitchen.png")
RED = "the left car changes to a red car"


@pytest.fixture(scope="module")
def street() -> Image.Image:
    return open_image(STREET)


@pytest.fixture
def panel(models):
    """An editor's panel that raises what it tells, on the street."""
    return EditorPanel(models, strict=True)


def shown(panel) -> Image.Image:
    return Image.open(io.BytesIO(panel.picture.value)).convert("RGB")


def same(panel, picture: Image.Image) -> bool:
    return shown(panel).size == picture.size and shown(panel).tobytes() == picture.tobytes()


def every_widget(box):
    for child in box.children:
        yield child
        if isinstance(child, ipywidgets.Box):
            yield from every_widget(child)


def upload(name: str, content: bytes):
    """The value of a FileUpload that holds one file, in the shape of the ipywidgets that is installed."""
    if ipywidgets.__version__.startswith("7."):
        return {name: {"metadata": {"name": name, "type": "image/png", "size": len(content)}, "content": content}}
    when = datetime.datetime(2025, 1, 1)
    return ({"name": name, "type": "image/png", "size": len(content), "content": memoryview(content), "last_modified": when},)


# --- pictures ----------------------------------------------------------------------------------------------------


def test_a_wipe_is_both_pictures_left_and_right(street):
    after = street.point(lambda value: 255 - value)
    assert wiped(street, after, 0, 384).tobytes() == after.tobytes()
    assert wiped(street, after, 1, 384).tobytes() == street.tobytes()
    half = np.asarray(wiped(street, after, 0.5, 384))
    assert (half[:, :191] == np.asarray(street)[:, :191]).all() and (half[:, 194:] == np.asarray(after)[:, 194:]).all()
    assert (half[:, 192] == 255).all()


def test_a_tint_lies_where_the_weight_is(street):
    weight = feather(build_mask(street.size, (50, 100, 150, 200)), 20)
    changed = (np.asarray(tinted(street, weight, 384)) != np.asarray(street)).any(-1)
    assert not changed[weight == 0].any() and changed[weight > 0.9].mean() > 0.99


def test_boxes_are_drawn_and_the_picture_is_left_alone(street):
    before = street.tobytes()
    boxes = np.array([[40, 130, 140, 200], [215, 60, 300, 150]], np.float32)
    plain, chosen = (numbered(street, boxes, ["car", "bus"], index, 384) for index in (None, 1))
    assert street.tobytes() == before
    changed = (np.asarray(plain) != np.asarray(street)).any(-1)
    assert changed[130, 60:120].all() and not changed[150:180, 60:120].any()
    assert (np.asarray(chosen) != np.asarray(plain)).any(-1)[60, 270:300].all()
    edge = numbered(street, np.array([[0, 0, 384, 256]] * 3, np.float32), ["a" * 80] * 3, 0, 384)  # no room anywhere
    assert edge.size == street.size


def test_texts_lie_on_top_of_all_boxes(street):
    text, one = "car 0.93", np.array([[40, 130, 140, 200]], np.float32)
    alone = np.asarray(numbered(street, one, [text], side=384))[110:130, 40:100]
    across = numbered(street, np.array([*one, [60, 20, 300, 120]], np.float32), [text, ""], side=384)  # through the first one's text
    assert (np.asarray(across)[110:130, 40:100] == alone).all()


LARGE = (4000, 3000)


def test_a_large_picture_is_tinted_as_a_small_one_and_in_little_memory(street):
    large, box = street.resize(LARGE), (500, 1000, 2500, 2500)
    mask = build_mask(LARGE, box)
    pixels, weight = np.asarray(large, np.float32), feather(mask, 120)
    full = pixels + 0.5 * weight[..., None] * (np.array([214, 51, 108], np.float32) - pixels)
    full = np.asarray(scaled(Image.fromarray(np.rint(full).astype(np.uint8))), int)
    width = 120 / min(mask.getbbox()[2] - mask.getbbox()[0], mask.getbbox()[3] - mask.getbbox()[1])
    tracemalloc.start()
    shown = tinted(large, stages.fading(mask, width))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6  # as floats the picture alone is 144 MB
    for one in (shown, tinted(large, weight)):
        assert one.size == (640, 480) and np.abs(np.asarray(one, int) - full).mean() < 0.5
    hard = np.abs(np.asarray(tinted(large, mask), int) - np.asarray(tinted(large, np.asarray(mask) / 255), int))
    assert hard.max() <= 1


def test_the_fade_of_a_mask_of_ordinary_size_is_that_of_the_paste():
    for size, box in (((LARGEST, 700), (50, 60, 800, 500)), ((300, 200), (40, 30, 90, 120))):
        mask = build_mask(size, box)
        x0, y0, x1, y1 = mask.getbbox()
        assert np.array_equal(stages.fading(mask, 0.2), feather(mask, 0.2 * min(x1 - x0, y1 - y0)))


@pytest.mark.parametrize("box", [(1001, 700, 1002, 701), (1000, 0, 1001, 3000), (0, 0, 4000, 3000)])
def test_no_mask_of_a_large_picture_vanishes(box):
    mask = Image.new("L", LARGE)
    mask.paste(255, box)
    assert 0 < stages.fading(mask, 0.0).mean() <= 1 and stages.fading(mask, 0.1).max() > 0
    assert not stages.fading(Image.new("L", LARGE), 0.1).any()


def test_a_difference_is_black_where_nothing_changed(street):
    after = street.copy()
    after.paste((255, 255, 255), (50, 60, 90, 80))
    shown = np.array(differing(street, after, 384))
    assert shown.shape == (256, 384) and (shown[60:80, 50:90] > 0).any()
    shown[60:80, 50:90] = 0
    assert not shown.any() and not np.asarray(differing(street, street, 384)).any()
    other = Image.fromarray(np.random.default_rng(1).integers(0, 256, (256, 384, 3), np.uint8))
    gap = np.abs(np.asarray(other, int) - np.asarray(street, int)).max(-1)
    np.testing.assert_array_equal(np.asarray(differing(street, other, 384)), np.minimum(4 * gap, 255))


# --- parts -------------------------------------------------------------------------------------------------------


def test_history_goes_back_and_forth():
    history = History("a")
    assert (history.can_undo, history.can_redo, history.undo(), history.redo()) == (False, False, "a", "a")
    history.push("b")
    history.push("c")
    assert (history.undo(), history.undo(), history.undo(), history.can_redo) == ("b", "a", "a", True)
    assert history.redo() == "b"
    history.push("d")  # cuts off "c"
    assert (history.can_redo, history.redo(), len(history), history.place) == (False, "d", 3, 2)
    for number in range(2 * LONGEST):
        history.push(number)
    assert len(history) == LONGEST and history.current == 2 * LONGEST - 1


def test_a_history_forgets_the_oldest_but_never_the_first():
    kept = History("first", 3)
    for number in range(5):
        kept.push(number)
    assert (len(kept), kept.current, kept.undo(), kept.undo(), kept.can_undo) == (3, 4, 3, "first", False)
    kept.push("other")
    assert (len(kept), kept.undo()) == (2, "first")


def test_of_large_pictures_fewer_are_kept():
    many = [history.how_many(SimpleNamespace(width=width, height=width)) for width in (384, 4000, 10_000, 30_000)]
    assert many[0] == LONGEST and many[2:] == [2, 2]
    assert 2 < many[1] < LONGEST and many[1] * 5 * 4000**2 <= history.HEAVIEST


def test_uploads_of_both_generations_of_ipywidgets():
    assert uploaded({}) is None and uploaded(()) is None
    old = {"a.png": {"metadata": {"size": 3}, "content": b"one"}, "b.png": {"metadata": {"size": 3}, "content": b"two"}}
    new = ({"name": "b.png", "content": memoryview(b"two")},)
    for value in (old, new):
        name, file = uploaded(value)
        assert (name, file.read()) == ("b.png", b"two")


class Loop:
    """An event loop whose clock a test moves."""

    def __init__(self):
        self.now, self.calls = 0.0, []

    def later(self, seconds, function):
        call = SimpleNamespace(at=self.now + seconds, function=function, cancelled=False)
        call.cancel = lambda: setattr(call, "cancelled", True)
        self.calls.append(call)
        return call

    def pass_by(self, seconds):
        self.now += seconds
        due, self.calls = [c for c in self.calls if c.at <= self.now], [c for c in self.calls if c.at > self.now]
        for call in due:
            if not call.cancelled:
                call.function()


def test_of_a_burst_the_first_and_the_last_call_count():
    loop, seen = Loop(), []
    debounced = Debounced(seen.append, 0.1, loop.later, lambda: loop.now)
    for value in range(10):
        debounced(value)
        loop.pass_by(0.02)
    assert seen == [0]
    loop.pass_by(0.1)
    assert seen == [0, 9]
    loop.pass_by(1)
    debounced(10)  # after a rest the next one counts at once
    assert seen == [0, 9, 10]
    debounced(11)
    debounced.flush()
    debounced.flush()
    loop.pass_by(1)
    assert seen == [0, 9, 10, 11]


def test_on_a_running_loop_a_burst_is_put_off_and_without_one_it_is_not():
    seen = []

    async def burst():
        debounced = Debounced(seen.append, 0.02)
        for value in range(5):
            debounced(value)
        assert seen == [0]
        await asyncio.sleep(0.1)

    asyncio.run(burst())
    assert seen == [0, 4]
    debounced = Debounced(seen.append, 10)
    debounced(5)
    debounced(6)
    assert seen == [0, 4, 5, 6]


def test_controls_that_speak_from_two_threads_are_heard_one_after_the_other():
    panel, sliders, inside, most = controls.Panel(), [ipywidgets.IntSlider() for _ in range(2)], [], []

    def slow() -> None:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.1)
        inside.pop()

    for slider in sliders:
        panel._on(slider, slow)
    threads = [threading.Thread(target=setattr, args=(slider, "value", 7)) for slider in sliders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1, 1]


def test_a_status_cannot_be_broken_by_what_it_says():
    status = controls.Status()
    status.say("bad", 'There is no "<b>car</b>"')
    assert "&lt;b&gt;" in status.value and "<b>" not in status.value


def test_a_screen_reader_hears_how_it_ended_and_not_every_step(models):
    heard, mask = [], build_mask((384, 256), (40, 130, 140, 200))
    panel = PaintPanel(open_image(STREET), mask, "a red car", models, strict=True)
    panel.status.observe(lambda change: heard.append('role="alert"' in change["new"]), names="value")
    panel.steps.value = 3
    panel.paint()
    assert heard == [False] * 4 + [True]


# --- a panel for each stage --------------------------------------------------------------------------------------


def test_detect_panel_shows_what_detect_finds_and_looks_once(models, street, monkeypatch):
    calls = Counter()
    monkeypatch.setattr(stages, "detect", lambda *args, **options: calls.update(detect=1) or detect(*args, **options))
    panel = DetectPanel(street, models, strict=True)
    looked = calls["detect"]
    for threshold in (None, 0.02, 0.3, 0.95):
        if threshold is not None:
            panel.threshold.value = threshold
        truth = detect(street, models.detr, models.detr_processor, threshold)
        assert panel.found.labels == truth.labels and np.array_equal(panel.found.boxes, truth.boxes)
        texts = [f"{label} {score:.2f}" for label, score in zip(truth.labels, truth.scores)]
        assert same(panel, numbered(street, truth.boxes, texts))
    assert calls["detect"] == looked and not panel.dynamic.value
    panel.dynamic.value = True
    assert panel.threshold.value == pytest.approx(detect(street, models.detr, models.detr_processor).threshold, abs=0.01)


def test_a_slider_that_was_moved_quickly_does_not_untick_dynamic_later(models, street):
    async def moves() -> DetectPanel:
        panel = DetectPanel(street, models, strict=True)
        panel.threshold.value = 1.0
        panel.threshold.value = 0.02  # put off, as a loop runs
        panel.dynamic.value = True
        panel.wait()
        return panel

    panel = asyncio.run(moves())
    assert panel.dynamic.value and "the dynamic threshold of" in panel.status.text


def test_the_browser_finds_no_threshold_between_two_steps(models, panel):
    # JupyterLab snaps such a value to the next step and tells it like a move by hand, and a move ends what is dynamic.
    buses = scenes.render(scenes.make_scene(81))
    exact = detect(buses, models.detr, models.detr_processor).threshold
    panel.load(buses)
    for one in (panel, DetectPanel(buses, models)):
        assert one.dynamic.value and one.threshold.value == round(exact, 2) != exact


def test_match_panel_shows_what_match_chooses(models, monkeypatch):
    calls = Counter()
    monkeypatch.setattr(stages, "candidate_features", lambda *args: calls.update(looked=1) or candidate_features(*args))
    kitchen = open_image(KITCHEN)
    panel = MatchPanel(kitchen, "the left cup becomes red", models, strict=True)
    tries = (("the clock becomes red", "found"), ("the boat becomes red", "not_found"), ("the cup becomes red", "ambiguous"))
    for text, status in tries:
        panel.prompt.value = text
        truth = match(kitchen, panel.found, parse(text), models)
        assert (panel.chosen.index, panel.chosen.status) == (truth.index, truth.status) and truth.status == status
        assert [c.score for c in panel.chosen.candidates] == pytest.approx([c.score for c in truth.candidates])
        texts = [f"{c.label} {c.score:.2f}" for c in truth.candidates]
        assert same(panel, numbered(kitchen, panel.found.boxes, texts, truth.index))
    assert calls["looked"] == 4
    panel.selector.value = "right"
    assert panel.chosen.index == match(kitchen, panel.found, parse("the right cup becomes red"), models).index
    panel.weight.value = 1.0
    assert [c.score for c in panel.chosen.candidates] == pytest.approx([c.clip_score for c in panel.chosen.candidates])
    assert calls["looked"] == 4 and FUSION != 1.0  # nobody looked again


@pytest.mark.parametrize(
    "text", ["the car below the fire hydrant becomes red", "the bus becomes red", "the second car from the left becomes red"]
)
def test_match_panel_weighs_as_match_does(models, street, text):
    panel = MatchPanel(street, text, models, strict=True)
    for weight in (0.0, 0.3, 1.0):
        panel.weight.value = weight
        assert panel.chosen == match(street, panel.found, parse(text), models, weight=weight)
    none = MatchPanel(street, text, models, detect(street, models.detr, models.detr_processor, 1.0), strict=True)
    assert none.chosen.status == "not_found" and "nothing that the detector knows" in none.status.text


def test_who_counts_too_far_is_told_how_many_there_are(models, street):
    text = "the third car from the left becomes red"
    for panel in (MatchPanel(street, text, models), EditorPanel(models, prompt=text)):
        assert panel.status.kind == "unsure" and 'Only 2 of "car" can be found' in panel.status.text


def test_match_panel_tells_and_raises_errors(models, street):
    with pytest.raises(UnknownWordError):
        MatchPanel(street, "the zebra becomes red", models, strict=True)
    panel = MatchPanel(street, RED, models)
    panel.prompt.value = "the zebra becomes red"
    assert panel.status.kind == "bad" and "zebra" in panel.status.text and panel.chosen is None
    panel.weight.value = 0.2  # nothing to weigh
    panel.prompt.value = RED
    assert panel.status.kind == "good" and panel.chosen.index == 0


def test_mask_panel_shows_what_build_mask_makes(street):
    panel, box = MaskPanel(street, (40, 130, 140, 200), strict=True), (40, 130, 140, 200)
    for grow, pose, view, width in ((GROW, None, None, FEATHER), (0.3, None, None, 0.0), (0.1, "tilted", "front", 0.3)):
        panel.grow.value, panel.pose.value, panel.view.value, panel.feather.value = grow, pose or "", view or "", width
        mask = build_mask(street.size, box, pose, grow, view)
        assert panel.mask.tobytes() == mask.tobytes()
        x0, y0, x1, y1 = mask.getbbox()
        assert same(panel, tinted(street, feather(mask, width * min(x1 - x0, y1 - y0))))


def test_mask_panel_on_a_large_picture_tells_shares_that_can_be(street):
    panel = MaskPanel(street.resize(LARGE), (501, 1003, 2500, 2502), strict=True)
    panel.feather.value = 0.0
    share, full = (int(part.strip("%")) for part in panel.status.text.split() if part.endswith("%"))
    assert share == full and shown(panel).size == (640, 480)


@pytest.mark.parametrize("size", [(384, 256), (300, 900), (40, 2000), (2000, 40)])
def test_no_picture_is_stretched_beyond_what_is_shown_of_it(size):
    """Where the panel gives it room, a tall picture must not be as wide as a wide one: it would be many screens tall."""
    panel = MaskPanel(Image.effect_noise(size, 50).convert("RGB"), (5, 5, 30, 30), strict=True)
    assert panel.picture.layout.max_width == f"{shown(panel).width}px" and max(shown(panel).size) == 640


def test_paint_panel_shows_what_inpaint_paints(models, street):
    mask = build_mask(street.size, (40, 130, 140, 200))
    panel = PaintPanel(street, mask, "a red car seen from the side upright", models, strict=True)
    panel.steps.value, panel.seed.value, panel.guidance.value, panel.temperature.value = 2, 5, 2.0, 0.5
    before = panel.picture.value
    painted = panel.paint()
    settings = {"seeds": [5], "steps": 2, "guidance": 2.0, "temperature": 0.5}
    truth = inpaint(street, mask, panel.description.value, models.painter, **settings)[0].image
    assert painted.image.tobytes() == truth.tobytes() and panel.picture.value != before
    assert same(panel, scaled(truth)) and panel.status.kind == "good"
    panel.wipe.value = 0.5
    assert same(panel, wiped(street, truth, 0.5))


# --- the editor's panel ------------------------------------------------------------------------------------------


def test_it_opens_on_a_sample_with_an_object_chosen(panel, street):
    assert panel.sample.label == "street" and panel.status.kind == "ready"
    found = panel.editor.detections(street)
    chosen = match(street, found, parse(RED), panel.models)
    assert panel.choice.value == chosen.index and len(panel.choice.options) == len(found)
    texts = [f"{c.label} {c.score:.2f}" for c in chosen.candidates]
    assert same(panel, numbered(street, found.boxes, texts, chosen.index))


def test_it_paints_what_the_editor_paints(panel, street, models):
    panel.seed.value, panel.guidance.value, panel.grow.value, panel.feather.value = 3, 4.0, 0.2, 0.1
    mask, promised = panel.mask, panel.status.text
    assert panel.view.value == "mask"
    result = panel.paint()
    truth = Editor(models).edit(STREET, RED, seed=3, guidance=4.0, grow=0.2, feather=0.1)
    assert result.image.tobytes() == truth.image.tobytes() and result.mask.tobytes() == mask.tobytes()
    assert f"shall become {result.description}." in promised
    assert panel.status.kind == ("good" if truth.verified else "unsure") and truth.message in panel.status.text
    assert panel.view.value == "before | after" and same(panel, scaled(truth.image))
    panel.wipe.value = 0.25
    assert same(panel, wiped(street, truth.image, 0.25))


def test_it_finds_and_masks_as_the_editor_that_paints_does(panel, models):
    prompt = "the left car changes to a car facing the front"
    panel.threshold.value = 0.9
    assert panel.paint().settings.threshold == 0.9
    leaning = replace(drawn.SCENE, objects=(replace(drawn.THINGS[0], pose="tilted"), *drawn.THINGS[1:]))
    panel.load(scenes.render(leaning))
    panel.prompt.value, panel.grow.value = prompt, 0.3
    image, chosen = panel.step.image, panel.made["choose"]
    upright = build_mask(image.size, chosen.candidates[chosen.index].box, grow=0.3, **panel.made["read"].turned)
    assert panel.mask.tobytes() != upright.tobytes(), "it goes with what leans"
    # Afterwards a new view's mask is narrowed to the shapes that SAM sees: what was promised is the whole of it.
    whole = Editor(models).edit(image, prompt, threshold=0.9, grow=0.3, steps=1, rounds=1, ablate="silhouette")
    assert panel.mask.tobytes() == whole.mask.tobytes()


def test_each_slider_runs_its_own_stage_and_those_after_it_alone(panel, monkeypatch):
    calls = Counter()

    def counted(module, name):
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *args, **options: calls.update({name: 1}) or real(*args, **options))

    counted(editor_module, "detect_batch")
    for name in ("match", "make_wish", "build_mask"):
        counted(editor_panel, name)

    def ran(control, value) -> list[str]:
        calls.clear()
        control.value = value
        assert set(calls.values()) <= {1}
        return sorted(calls)

    assert ran(panel.grow, 0.3) == ["build_mask"]
    assert ran(panel.choice, 2) == ["build_mask", "make_wish"]
    assert ran(panel.prompt, "the right car becomes blue") == ["build_mask", "make_wish", "match"]
    assert ran(panel.threshold, 0.9) == ["build_mask", "detect_batch", "make_wish", "match"]
    assert ran(panel.dynamic, True) == ["build_mask", "make_wish", "match"]  # DETR has looked before
    for control, value in ((panel.feather, 0.2), (panel.seed, 7), (panel.steps, 3), (panel.guidance, 5.0), (panel.wipe, 0.3)):
        assert ran(control, value) == []
    calls.clear()
    panel.paint()
    assert "build_mask" not in calls and calls["detect_batch"] <= 3  # of the paintings alone, one a round


def test_a_number_settles_what_words_leave_open(panel):
    panel.prompt.value = "the car becomes blue"
    panel.choice.value = 2
    assert panel.select == 2 and "Number 2" in panel.status.text and panel.mask is not None
    assert panel.paint().index == 2
    panel.prompt.value = "the car becomes red"  # other words, another choice
    assert panel.select is None


def test_what_is_not_there_or_not_clear_is_said_and_cannot_be_painted(models):
    panel = EditorPanel(models, prompt="the boat becomes red")
    assert panel.status.kind == "unsure" and "boat" in panel.status.text and panel.paint_button.disabled
    panel.load(KITCHEN)
    panel.prompt.value = "the cup becomes red"
    assert panel.choice.value is None and "equally well" in panel.status.text and panel.paint_button.disabled
    assert panel.paint() is None and panel.status.kind == "bad" and len(panel.history) == 1
    panel.choice.value = 0
    assert not panel.paint_button.disabled


def test_errors_are_told_in_words_and_the_panel_goes_on(models, tmp_path):
    panel = EditorPanel(models)
    before = panel.picture.value
    for text, word in (("the zebra becomes red", "zebra"), ("the car", "change"), ("", "")):
        panel.prompt.value = text
        assert panel.status.kind == "bad" and word in panel.status.text and panel.paint_button.disabled
        panel.grow.value += 0.01  # nothing to build a mask of, and no error either
        assert panel.status.kind == "bad"
    panel.prompt.value = RED
    assert panel.status.kind == "ready" and not panel.paint_button.disabled
    panel.view.value = "objects"
    assert panel.picture.value == before
    (tmp_path / "text.png").write_text("no picture")
    panel.load(tmp_path / "text.png")
    assert panel.status.kind == "bad" and panel.sample.label == "street"
    panel.save()
    assert panel.status.kind == "bad" and "paint first" in panel.status.text


def test_a_strict_panel_raises_them(panel, tmp_path):
    with pytest.raises(UnknownWordError):
        panel.prompt.value = "the zebra becomes red"
    with pytest.raises(SettingsError):
        panel.paint()
    panel.start()
    with pytest.raises(SettingsError):
        panel.wait(60)
    with pytest.raises(ImageError):
        panel.load(tmp_path / "nowhere.png")
    with pytest.raises(PromptError):
        panel.prompt.value = "the car"


def test_what_nobody_foresaw_is_never_swallowed(models, monkeypatch):
    panel = EditorPanel(models)
    monkeypatch.setattr(panel.editor, "edit", lambda *args, **options: 1 / 0)
    panel.start()
    with pytest.raises(ZeroDivisionError):
        panel.wait(60)
    assert panel.status.kind == "bad" and "ZeroDivisionError" in panel.status.text and not panel.paint_button.disabled
    monkeypatch.setattr(editor_panel, "build_mask", lambda *args, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        panel.grow.value = 0.5


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("error", [ZeroDivisionError("unforeseen"), SettingsError("A foreseen one.")])
def test_after_an_error_the_next_click_paints(models, monkeypatch, strict, error):
    panel = EditorPanel(models, strict=strict)

    def fails(*args, **options):
        raise error

    for again in (panel.start, panel.paint):
        with monkeypatch.context() as patch:
            patch.setattr(panel.editor, "edit", fails)
            panel.start()
            until(lambda: not panel.painting, what="the failure")
        assert panel.status.kind == "bad"
        before = len(panel.history)
        again()
        panel.wait(60)
        assert len(panel.history) == before + 1 and panel.status.kind == "good"


def test_ctrl_c_stops_painting_as_the_button_does(panel, monkeypatch):
    def interrupted(*args, progress, **options):
        progress(1, 12)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(panel.editor, "edit", interrupted)
        assert panel.paint() is None
    assert panel.status.kind == "ready" and "Stopped" in panel.status.text and len(panel.history) == 1
    assert not panel.paint_button.disabled and panel.stop_button.disabled
    assert panel.paint() is not None


def test_ctrl_c_while_a_rival_edits_is_told_and_raised(models, street, monkeypatch):
    panel = RivalPanel(street, RED, models)
    before = panel.picture.value

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setitem(rival_panel.RIVALS, "sdedit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.seed.value = 9
    assert panel.status.kind == "ready" and "Stopped" in panel.status.text and panel.picture.value == before


def test_upload_replaces_the_picture(panel):
    picture = open_image(data_path("samples", "kitchen.png"))
    data = io.BytesIO()
    picture.save(data, format="PNG")
    panel.strict = False  # a kitchen has no car
    panel.upload.set_trait("value", upload("mine.png", data.getvalue()))
    assert not panel.upload.value  # the same file may be chosen once more
    assert panel.step.image.tobytes() == picture.tobytes() and panel.sample.label == "(your own)" and panel.step.path is None
    assert panel.choice.options and panel.status.kind == "unsure"
    panel.upload.set_trait("value", upload("mine.txt", b"no picture"))
    assert panel.status.kind == "bad" and panel.step.image.tobytes() == picture.tobytes()
    panel.sample.value = STREET
    assert panel.status.kind == "ready" and panel.step.path == STREET.resolve()


# --- painting in a thread ----------------------------------------------------------------------------------------


def until(condition, seconds: float = 60, what: str = "what was waited for"):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not come about in {seconds} s"
        time.sleep(0.005)


def test_stop_stops_and_changes_nothing(panel, monkeypatch):
    panel.steps.value = 50
    before = panel.picture.value
    panel.prompt.value = "the left car changes to a car facing the front"  # no sketch: a third of fifty steps is taken
    panel.paint_button.click()
    assert panel.painting and panel.paint_button.disabled and panel.prompt.disabled and not panel.stop_button.disabled
    until(lambda: panel.bar.value >= 2, what="the second step")
    panel.stop_button.click()
    panel.wait(60)
    assert "Stopped" in panel.status.text and panel.status.kind == "ready" and len(panel.history) == 1
    assert panel.bar.value < panel.bar.max == 17
    assert panel.stop_button.disabled and not panel.paint_button.disabled and not panel.prompt.disabled
    assert panel.picture.value == before
    panel.prompt.value = RED
    assert panel.paint() is not None  # and the next painting is not stopped
    assert len(panel.history) == 2


def test_stop_is_heard_after_the_last_step(panel, monkeypatch):
    edit = panel.editor.edit

    def stopped_while_looking(*args, **options):
        result = edit(*args, **options)
        panel.stop()
        return result

    monkeypatch.setattr(panel.editor, "edit", stopped_while_looking)
    assert panel.paint() is None and "Stopped" in panel.status.text and len(panel.history) == 1


def test_stop_is_over_when_the_result_is_drawn(panel, monkeypatch):
    finished, offered = panel._finished, []

    def drawn(result):
        offered.append(not panel.stop_button.disabled)
        panel.stop_button.click()
        return finished(result)

    monkeypatch.setattr(panel, "_finished", drawn)
    panel.start()
    panel.wait(60)
    assert offered == [False] and panel.status.kind == "good" and len(panel.history) == 2 and not panel._stop.is_set()


def test_while_it_paints_the_picture_and_the_words_stay(models, street, monkeypatch):
    panel, go_on, edit = EditorPanel(models), threading.Event(), EditorPanel(models).editor.edit
    panel.paint()
    monkeypatch.setattr(panel.editor, "edit", lambda *args, **options: go_on.wait(60) and edit(*args, **options))
    panel.start()
    moves = (
        lambda: panel.load(KITCHEN), panel.undo, panel.redo, panel.go_on,
        lambda: setattr(panel.sample, "value", KITCHEN), lambda: setattr(panel.prompt, "value", "the bus becomes blue"),
        lambda: panel.upload.set_trait("value", upload("mine.png", KITCHEN.read_bytes())),
    )  # fmt: skip
    for move in moves:
        with pytest.raises(SettingsError, match="is painting"):
            move()
    assert panel.sample.value == STREET and panel.prompt.value == RED and not panel.upload.value
    panel.wipe.value = 0.5  # what only looks at it is free
    go_on.set()
    panel.wait(60)
    assert panel.step.image.tobytes() == panel.step.result.source.tobytes() == street.tobytes()
    assert len(panel.history) == 3
    panel.load(KITCHEN)
    assert len(panel.history) == 1


def test_two_who_paint_with_one_painter_do_not_disturb_each_other(models, street):
    mask, began = build_mask(street.size, (40, 130, 140, 200)), threading.Event()

    def paint(steps: int, progress=None) -> bytes:
        return inpaint(street, mask, "a red car", models.painter, steps=steps, progress=progress)[0].image.tobytes()

    other = threading.Thread(target=paint, args=(3, lambda step, steps: began.set()))

    def disturbed(step: int, steps: int) -> None:
        if step == 2:
            other.start()
            assert not began.wait(0.5), "both paint at once"

    alone = paint(6)
    assert paint(6, disturbed) == alone
    other.join()
    assert began.is_set()


def test_a_panel_that_is_closed_stops_and_lets_go_of_its_models(models):
    panel = EditorPanel(models)
    panel.steps.value = 50
    panel.prompt.value = "the left car changes to a car facing the front"
    panel.start()
    until(lambda bar=panel.bar: bar.value >= 1, what="the first step")
    panel.close()
    panel.wait(60)
    assert len(panel.history) == 1 and panel.bar.value < panel.bar.max
    gone = weakref.ref(panel)
    del panel
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("own", [1.0, 3.0, 20.0])
def test_the_models_own_guidance_is_within_reach(models, own):
    panel = EditorPanel(replace(models, guidance=own), strict=True)
    assert panel.guidance.value == own and panel.guidance.max == max(own, 12)


def test_painting_twice_at_once_is_painting_once(panel):
    panel.start()
    thread = panel._thread
    panel.start()
    assert panel._thread is thread
    panel.wait(60)
    assert len(panel.history) == 2 and threading.active_count() >= 1 and not panel.painting


def test_the_bar_and_the_status_say_how_far_it_is(panel):
    said, bars = [], []
    panel.steps.value = 6  # of which a mean takes a third, but no fewer than four
    panel.prompt.value = "the left car changes to a car facing the front"
    panel.status.observe(lambda change: said.append(panel.status.text), names="value")
    panel.bar.observe(lambda change: bars.append(change["new"]), names="value")
    panel.paint()
    assert bars[:4] == [1, 2, 3, 4] and "Painting, round 1: step 3 of 4." in said


def test_a_round_that_is_painted_in_parts_is_one_round(models, monkeypatch):
    panel, said, verify = EditorPanel(replace(models, at_once=1), strict=True), [], editor_module.verify
    monkeypatch.setattr(editor_module, "verify", lambda *args: replace(verify(*args), verified=False))  # so that it tries on
    panel.status.observe(lambda change: said.append(panel.status.text), names="value")
    panel.steps.value = 1
    panel.paint()
    rounds = [text.split(":")[0] for text in said if text.startswith("Painting") and "step 1 of" in text]
    parts = ["round 1", *(f"round 2, part {k} of 2" for k in (1, 2)), *(f"round 3, part {k} of 4" for k in (1, 2, 3, 4))]
    assert rounds == [f"Painting, {part}" for part in parts]


@pytest.mark.parametrize("at_once, calls", [(32, "1 2 3 4"), (2, "1 2 3a 3b 4a 4b"), (3, "1 2 3a 3b 4a 4b")])
def test_the_round_of_each_call(at_once, calls):
    for number, name in enumerate(calls.split(), 1):
        part = f", part {'ab'.index(name[1]) + 1} of 2" if name[1:] else ""
        assert painting._which(number, at_once) == f"round {name[0]}{part}"


@pytest.mark.parametrize("prompt", [RED, "the left car changes to a car facing the front"])
def test_who_reads_that_it_is_done_finds_the_controls_free(panel, prompt):
    panel.prompt.value = prompt
    locked = {}

    def said(change) -> None:
        locked[panel.status.text] = panel.wipe.disabled or panel.paint_button.disabled

    panel.status.observe(said, names="value")
    panel.paint()
    assert not locked.pop(panel.status.text) and all(locked.values()) and len(locked) > 1


# --- the way back ------------------------------------------------------------------------------------------------


def test_undo_and_redo(panel, street):
    assert panel.undo_button.disabled and panel.redo_button.disabled
    first = panel.paint()
    panel.seed.value = 8
    second = panel.paint()
    assert first.image.tobytes() != second.image.tobytes()
    panel.undo_button.click()
    assert same(panel, scaled(first.image)) and not panel.redo_button.disabled
    panel.undo_button.click()
    assert panel.step.result is None and panel.undo_button.disabled and panel.save_button.disabled
    panel.redo_button.click()
    panel.redo_button.click()
    assert same(panel, scaled(second.image)) and panel.redo_button.disabled
    assert panel.step.image.tobytes() == street.tobytes()


def test_the_way_back_is_open_after_a_reading_that_was_stopped(models, monkeypatch):
    panel = EditorPanel(models)
    first = panel.paint()
    panel.seed.value = 8
    panel.paint()

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(editor_panel, "make_wish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            panel.prompt.value = "the left car becomes green"
    assert panel.made["choose"] is not None and panel.made["read"] is None
    for way in (panel.undo, panel.undo, panel.redo):
        way()
        assert "unforeseen" not in panel.status.text
    assert panel.step.result.image.tobytes() == first.image.tobytes()


def test_words_that_are_wrong_are_told_again_on_the_way_back(models):
    panel = EditorPanel(models)
    panel.paint()
    panel.prompt.value = "the zebra becomes red"
    panel.undo()
    panel.redo()
    assert "with seed 0" in panel.status.text
    panel.undo()
    assert panel.status.kind == "bad" and "zebra" in panel.status.text


def test_the_dropdown_says_which_sample_it_is(panel):
    panel.sample.value = ""
    assert panel.sample.value == STREET  # there is no picture of one's own yet
    panel.paint()
    panel.go_on()
    assert panel.sample.label == "(your own)"
    panel.undo()
    assert panel.sample.value == STREET
    panel.redo()
    panel.sample.value = STREET  # from the beginning
    assert panel.step.path == STREET.resolve() and len(panel.history) == 1


def test_a_picture_that_is_edited_often_is_kept_once(panel, models, monkeypatch):
    first = panel.paint()
    assert first.source is panel.step.image and panel.step.result is first
    panel.load(open_image(STREET))  # no file
    assert panel.paint().source is panel.step.image
    panel.go_on()
    panel.prompt.value = "the right car becomes blue"
    assert panel.paint().source is panel.step.image
    monkeypatch.setattr(history, "HEAVIEST", 3 * 5 * 384 * 256)
    panel.load(STREET)
    for seed in range(3):
        panel.seed.value = seed
        panel.paint()
    assert len(panel.history) == 3 and panel.step.result.settings.seed == 2
    panel.undo()
    assert panel.step.result.settings.seed == 1
    panel.undo()
    assert panel.step.result is None and panel.undo_button.disabled


def test_a_file_that_changed_since_it_was_opened_is_not_taken_for_the_old_one(panel, tmp_path, street):
    street.save(tmp_path / "mine.png")
    panel.load(tmp_path / "mine.png")
    changed = street.copy()
    changed.putpixel((5, 5), (0, 0, 0))
    changed.save(tmp_path / "mine.png")
    assert panel.paint().source.tobytes() == changed.tobytes() and panel.step.image.tobytes() == street.tobytes()
    assert not editor_panel._same(street, street.crop((0, 0, 100, 100)))


def test_going_on_from_a_result(panel, street):
    first = panel.paint()
    panel.go_on()
    assert panel.step.image.tobytes() == first.image.tobytes() and panel.step.result is None
    panel.prompt.value = "the right car becomes blue"
    second = panel.paint()
    kept = np.asarray(second.mask) == 0
    assert (np.asarray(second.image)[kept] == np.asarray(first.image)[kept]).all()
    for _ in range(3):
        panel.undo()
    assert panel.step.image.tobytes() == street.tobytes() and panel.undo_button.disabled


@pytest.mark.parametrize("kind", ["file", "upload"])
def test_what_is_saved_can_be_made_again(panel, models, tmp_path, kind):
    if kind == "upload":
        panel.load(io.BytesIO(STREET.read_bytes()))
    panel.feather.value, panel.seed.value, panel.choice.value = 0.2, 2, 2
    result = panel.paint()
    panel.name.value = str(tmp_path / "out.png")
    names = panel.save()
    assert ("input" in names) == (kind == "upload") and panel.status.kind == "good"
    again = replay(names["output"], models)
    assert again.image.tobytes() == result.image.tobytes() == open_image(names["output"]).tobytes()
    assert again.settings.feather == pytest.approx(0.2) and again.settings.select == 2
    for name in ("out.json", "", "out"):
        panel.name.value = name
        with pytest.raises(OutputError):
            panel.save()


@pytest.mark.parametrize("kind", ["file", "upload"])
def test_names_may_begin_at_home(panel, monkeypatch, tmp_path, kind):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine.png").write_bytes(STREET.read_bytes())
    panel.load("~/mine.png" if kind == "file" else io.BytesIO(STREET.read_bytes()))
    assert panel.paint() is not None
    panel.name.value = "~/out.png"
    panel.save()
    assert open_image(tmp_path / "out.png").tobytes() == panel.step.result.image.tobytes()


def test_nothing_is_written_where_not_all_can_be(panel, tmp_path):
    panel.load(io.BytesIO(STREET.read_bytes()))
    panel.paint()
    (tmp_path / "out.mask.png").mkdir()
    panel.name.value = str(tmp_path / "out.png")
    with pytest.raises(OutputError):
        panel.save()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mask.png"]


def test_rival_panel_shows_what_the_rivals_make(models, street, monkeypatch):
    calls = Counter()
    for name in ("sdedit", "diffedit", "instruct-pix2pix"):
        way = rival_panel.RIVALS[name]
        monkeypatch.setitem(rival_panel.RIVALS, name, lambda *a, way=way, name=name, **o: calls.update([name]) or way(*a, **o))
    place = build_mask(street.size, (40, 130, 140, 200))
    panel = RivalPanel(street, RED, models, place, strict=True)
    own = panel.settings
    assert set(own) == {"strength", "guidance"} and all(
        slider.disabled for slider in (panel.threshold, panel.image_guidance, panel.temperature)
    )
    truth = sdedit(street, RED, models, **own).image
    assert same(panel, scaled(truth)) and panel.result.image.tobytes() == truth.tobytes()
    off = np.abs(np.asarray(truth, int) - np.asarray(street, int)).max(-1)[np.asarray(place) == 0]
    assert f"{(off > 0).mean():.0%} of the pixels outside" in panel.status.text and f"by {off.mean():.1f} of" in panel.status.text
    panel.strength.value = 0.2
    assert panel.result.image.tobytes() == sdedit(street, RED, models, **own | {"strength": 0.2}).image.tobytes()
    panel.shown.value = "difference"
    assert same(panel, differing(street, panel.result.image).convert("RGB"))
    panel.strength.value = own["strength"]
    assert calls["sdedit"] == 2, "what was made once is remembered"
    panel.rival.value, panel.shown.value = "diffedit", "mask"
    found = diffedit(street, RED, models, **panel.settings)
    assert same(panel, tinted(street, np.asarray(found.mask) / 255)) and not panel.threshold.disabled
    panel.rival.value = "instruct-pix2pix"
    assert panel.shown.value == "wipe"
    assert same(panel, scaled(instruct_pix2pix(street, RED, models, **panel.settings).image)) and panel.strength.disabled
    with pytest.raises(UnknownWordError):
        panel.prompt.value = "the zebra becomes red"
    assert panel.status.kind == "bad" and "zebra" in panel.status.text


def test_a_rival_does_not_edit_again_because_the_browser_counts_in_steps(models, street, monkeypatch):
    calls = Counter()
    monkeypatch.setitem(rival_panel.RIVALS, "sdedit", lambda *a, **o: calls.update(made=1) or sdedit(*a, **o))
    panel = RivalPanel(street, RED, models, strict=True)
    panel.strength.value = 0.30000000000000004  # as JupyterLab does: 0.1 and four steps of 0.05
    assert calls["made"] == 1 and panel.settings["strength"] == 0.3


def test_a_mask_is_offered_of_the_rival_that_has_one(models, street, monkeypatch):
    for name in rival_panel.RIVALS:
        made = SimpleNamespace(image=street, mask=Image.new("L", street.size, 255) if name == "diffedit" else None)
        monkeypatch.setitem(rival_panel.RIVALS, name, lambda *args, made=made, **options: made)
    panel = RivalPanel(street, RED, models, strict=True)
    panel.shown.value = "difference"
    for name in ("sdedit", "instruct-pix2pix", "diffedit"):
        panel.rival.value = name
        assert ("mask" in dict(panel.shown.options).values()) == (name == "diffedit")
        assert panel.shown.value == "difference"
    panel.shown.value = "mask"
    assert same(panel, tinted(street, Image.new("L", street.size, 255)))
    panel.rival.value = "sdedit"
    assert panel.shown.value == "wipe" and same(panel, scaled(street))


def test_rival_panel_remembers_a_number_of_edits_the_last_ones(models, street, monkeypatch):
    monkeypatch.setattr(rival_panel, "how_many", lambda picture: 2)
    calls = Counter()
    monkeypatch.setitem(rival_panel.RIVALS, "sdedit", lambda *args, seed, **o: calls.update([seed]) or sdedit(*args, seed=seed, **o))
    panel = RivalPanel(street, RED, models, strict=True)
    for seed in (1, 0, 2, 0, 1):  # 0 was looked at after 1, so it is 1 that is forgotten when 2 comes
        panel.seed.value = seed
        assert len(panel._made) <= 2 and panel.result.source is street
    assert calls == {0: 1, 1: 2, 2: 1}


def test_rival_panel_whose_place_is_all_of_the_picture(models, street):
    panel = RivalPanel(street, RED, models, Image.new("L", street.size, 255), strict=True)
    assert "changed 0% of the pixels outside" in panel.status.text and "by 0.0 of" in panel.status.text


def test_rival_panel_goes_on_after_words_that_were_wrong(models, street):
    panel = RivalPanel(street, RED, models)
    before, said = panel.picture.value, panel.status.text
    panel.prompt.value = "the zebra becomes red"
    assert panel.status.kind == "bad"
    panel.prompt.value = RED
    assert (panel.picture.value, panel.status.text) == (before, said)


# --- for everyone ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panels(models, street):
    mask = build_mask(street.size, (40, 130, 140, 200))
    return [
        DetectPanel(street, models), MatchPanel(street, RED, models), MaskPanel(street, (40, 130, 140, 200)),
        PaintPanel(street, mask, "a red car", models), RivalPanel(street, RED, models), EditorPanel(models),
    ]  # fmt: skip


def test_every_control_has_a_label_and_all_are_core_widgets(panels):
    passive = (ipywidgets.Box, ipywidgets.HTML, ipywidgets.Image)
    for panel in panels:
        for child in every_widget(panel):
            assert child._model_module == "@jupyter-widgets/controls" and not isinstance(child, ipywidgets.Output)
            assert isinstance(child, passive) or child.description.strip(), child
            assert not isinstance(child, ipywidgets.Dropdown) or child.label, child


def test_every_picture_is_told_in_words(panels):
    for panel in panels:
        assert panel.picture.tooltip.endswith(".") and panel.picture.has_trait("description")
    editor = panels[-1]
    assert "0 car" in editor.picture.tooltip and "number 0 stands out" in editor.picture.tooltip
    editor.view.value = "mask"
    assert "tinted" in editor.picture.tooltip


def test_what_runs_a_model_waits_until_the_slider_is_let_go(panels):
    editor = panels[-1]
    for control in (editor.threshold, editor.prompt, editor.guidance, editor.steps, editor.seed):
        assert control.continuous_update is False


def test_a_panel_is_a_box_that_says_how_things_stand(panels):
    for panel in panels:
        assert isinstance(panel, ipywidgets.VBox) and panel.status.text in repr(panel)
