"""The figures: right type, drawn without a display, nothing left open, and legible labels."""

from __future__ import annotations

import io
import sys
import tracemalloc
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from textedit_lite import plots
from textedit_lite.editor import EditResult, Settings
from textedit_lite.evaluation import figures
from textedit_lite.match import Candidate

IMAGE = Image.new("RGB", (120, 80), "teal")
MASK = Image.new("L", IMAGE.size)
MASK.paste(255, (20, 20, 60, 60))
BOXES = [(22.0, 22.0, 58.0, 58.0), (70.0, 5.0, 118.0, 40.0)]


def candidates(fits=(True, False)):
    return tuple(Candidate(box, "bus", 0.9, 0.8, 0.85, fit) for box, fit in zip(BOXES, fits, strict=True))


def edited(**changes) -> EditResult:
    fields = dict(
        status="edited", message="The place now shows a red bus.", image=IMAGE, mask=MASK, box=BOXES[0], index=0,
        candidates=candidates(), verified=True, rounds=1, settings=Settings("the bus changes to a red bus"), source=IMAGE,
    )  # fmt: skip
    return EditResult(**fields | changes)


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def drawn_labels(ax) -> list[tuple[float, float, float, float]]:
    """Where the labels of an Axes lie when it is drawn: xyxy, pixels of its picture."""
    ax.figure.draw_without_rendering()
    frames = (text.get_bbox_patch().get_window_extent().transformed(ax.transData.inverted()) for text in ax.texts)
    return [(frame.x0, min(frame.y0, frame.y1), frame.x1, max(frame.y0, frame.y1)) for frame in frames]


def common(one, other) -> float:
    """The area that two boxes (xyxy) have in common."""
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))


PANELS = {
    "show": lambda ax: plots.show(IMAGE, "title", ax),
    "boxes": lambda ax: plots.draw_boxes(IMAGE, BOXES, ["bus", "car"], [0.9, 0.5], 0, ax),
    "boxes of nothing": lambda ax: plots.draw_boxes(IMAGE, np.zeros((0, 4)), ax=ax),
    "threshold": lambda ax: plots.threshold_gap([0.1, 0.4, 0.9], 0.5, 0.3, 0.7, ax),
    "attention": lambda ax: plots.attention_overlay(IMAGE, np.eye(6), BOXES[0], ax=ax),
    "matrix": lambda ax: plots.similarity_matrix(np.eye(2), ["a", "b"], ["c", "d"], ax),
    "matrix of crops": lambda ax: plots.similarity_matrix(np.eye(2), [IMAGE, MASK.convert("RGB")], ["c", "d"], ax),
    "bars": lambda ax: plots.bars({"red": 0.7, "blue": 0.3}, ax=ax),
    "mask": lambda ax: plots.mask_overlay(IMAGE, MASK, ax=ax),
    "mask of everything": lambda ax: plots.mask_overlay(IMAGE, Image.new("L", IMAGE.size, 255), ax=ax),
    "difference": lambda ax: plots.difference_map(IMAGE, IMAGE.rotate(3), MASK, ax=ax),
}  # fmt: skip


@pytest.mark.parametrize("draw", PANELS.values(), ids=PANELS)
def test_a_panel_is_drawn_alone_and_into_axes_that_are_given(draw):
    alone = draw(None)
    assert isinstance(alone, Axes)
    assert plots.png(alone).startswith(b"\x89PNG")
    ax = plots.panels()[1][0]
    assert draw(ax) is ax


def test_figures_of_several_panels():
    assert isinstance(plots.image_grid([IMAGE] * 5, ["a", "b"], columns=3), Figure)
    assert isinstance(plots.denoising_strip([IMAGE] * 3, ["1", "2", "3"]), Figure)
    figure, axes = plots.panels(2, 3)
    assert len(axes) == 6 and len(figure.axes) == 6


def test_nothing_is_left_open_in_pyplot():
    plots.edit_figure(edited())
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_png_is_the_same_for_the_same_figure():
    first, second = (plots.png(plots.mask_overlay(IMAGE, MASK)) for _ in range(2))
    assert first == second
    assert Image.open(io.BytesIO(plots.png(plots.show(IMAGE), dpi=40))).width < Image.open(io.BytesIO(first)).width


def test_boxes_carry_number_label_and_score():
    assert set(texts(plots.draw_boxes(IMAGE, BOXES, ["bus", "car"], [0.9, 0.5]))) == {"0 bus 0.90", "1 car 0.50"}


def test_the_chosen_box_stands_out():
    ax = plots.draw_boxes(IMAGE, BOXES, chosen=1)
    colours = {text.get_text(): to_hex(text.get_bbox_patch().get_facecolor()) for text in ax.texts}
    assert colours == {"0": plots.OTHER, "1": plots.CHOSEN}
    first, *_ = plots.draw_boxes(IMAGE, BOXES, chosen=0).texts
    assert first.get_text() == "1", "the chosen one is drawn last, on top"


def test_labels_stay_inside_and_do_not_cover_each_other():
    boxes = [(0, 0, 30, 30), (1, 1, 31, 31), (100, 60, 120, 80), (-5, 50, 20, 80)]
    ax = plots.draw_boxes(IMAGE.resize((360, 240)), 3 * np.array(boxes), ["teddy bear"] * 4, [0.5] * 4)
    labels = drawn_labels(ax)
    assert all(-3 <= x0 and x1 <= 363 and -3 <= y0 and y1 <= 243 for x0, y0, x1, y1 in labels)
    assert all(common(one, other) == 0 for one, other in combinations(labels, 2))


@pytest.mark.parametrize("columns", [1, 2, 4])
@pytest.mark.parametrize("size", [(480, 320), (320, 480)])
def test_a_label_touches_its_box_however_the_figure_is_laid_out(columns, size):
    boxes = np.array([(40.0, 60, 120, 100), (40, 110, 120, 150), (200, 200, 260, 250), (size[0] - 20, 0, size[0], 60)])
    figure, axes = plots.panels(1, columns, height=plots.SIDE * size[1] / size[0] + 0.5)
    figure.suptitle("above")
    for ax in axes:
        plots.draw_boxes(Image.new("RGB", size), boxes, ["fire hydrant"] * 4, chosen=2, ax=ax)
    for ax in axes:
        near = 2 * size[0] / ax.get_window_extent().width * figure.dpi / 72  # two points
        for box, label in zip([*boxes[[0, 1, 3]], boxes[2]], drawn_labels(ax), strict=True):
            assert common(label, (*(box[:2] - near), *(box[2:] + near))) > 0


def test_of_a_crowd_every_label_can_be_read():
    boxes = [(300 + 4 * i, 200, 306 + 4 * i, 212) for i in range(5)]
    labels = drawn_labels(plots.draw_boxes(Image.new("RGB", (640, 480)), boxes, ["person"] * 5, [0.5] * 5))
    assert all(common(one, other) == 0 for one, other in combinations(labels, 2))


# --- what a figure shows -----------------------------------------------------------------------------------------


def test_a_score_at_the_threshold_is_kept():
    ax = plots.threshold_gap([0.9, 0.1, 0.5], 0.5, 0.3, 0.7)
    _, dropped, kept = ax.lines
    assert (dropped.get_label(), list(dropped.get_ydata())) == ("1 dropped", [0.1])
    assert (kept.get_label(), list(kept.get_ydata()), kept.get_color()) == ("2 kept", [0.5, 0.9], plots.OTHER)


def test_attention_lies_on_the_picture_the_right_way_up():
    ax = plots.attention_overlay(IMAGE, np.eye(6), BOXES[0])
    picture, attention = (image.get_extent() for image in ax.images)
    np.testing.assert_allclose(attention, picture, atol=0.5)
    assert (ax.get_xlim(), ax.get_ylim()) == ((0, 120), (80, 0))


def test_the_largest_of_each_row_of_a_matrix_is_framed():
    ax = plots.similarity_matrix([[0.1, 0.9, 0.2], [0.8, 0.3, 0.4]], ["a", "b"], ["x", "y", "z"])
    assert [np.round(frame.get_center()).tolist() for frame in ax.patches] == [[1, 0], [0, 1]]
    assert {text.get_position(): text.get_text() for text in ax.texts}[1, 0] == "0.90"
    assert {text.get_position(): text.get_color() for text in ax.texts}[1, 0] == "white"  # on the darkest blue


def test_the_longest_bar_is_in_colour_and_the_first_on_top():
    ax = plots.bars({"red": 0.2, "blue": 0.7, "green": 0.1})
    assert [to_hex(bar.get_facecolor()) == plots.CHOSEN for bar in ax.patches] == [False, True, False] and ax.yaxis_inverted()


def test_an_arrow_points_at_the_anchor_and_is_wider_where_the_relation_is_likelier():
    pairs = np.array([[0, 0.1, 0], [0.9, 0, 0.2], [0, 0.8, 0]])
    ax = plots.relation_arrows(IMAGE, np.array([*BOXES, (0, 60, 20, 80)]), pairs, 1)
    arrows = [one for one in ax.texts if getattr(one, "arrow_patch", None)]
    assert [one.xy for one in arrows] == [(94, 22.5)] * 2 and [one.xyann for one in arrows] == [(40, 40), (10, 70)]
    pale, strong = (one.arrow_patch for one in arrows)
    assert pale.get_linewidth() < strong.get_linewidth() and to_hex(strong.get_edgecolor()) == plots.MASK != to_hex(pale.get_edgecolor())
    assert {"0.10", "0.80"} < set(texts(ax))


def test_a_mask_is_tinted_and_outlined_where_it_is():
    ax = plots.mask_overlay(IMAGE, MASK)
    tint = np.asarray(ax.images[1].get_array())[..., 3]
    assert (tint > 0.3).tolist() == (np.asarray(MASK) > 0).tolist() and not tint[np.asarray(MASK) == 0].any()
    np.testing.assert_array_equal(outline(ax), [19.5, 19.5, 59.5, 59.5])


def test_a_difference_of_one_channel_either_way_is_seen():
    after = np.array(IMAGE)
    after[10:20, 30:40, 1] -= 100
    after[30:40, 30:40, 2] += 100
    (drawn,) = plots.difference_map(IMAGE, Image.fromarray(after)).images
    seen = np.asarray(drawn.get_array())
    assert seen[15, 35] == seen[35, 35] == 10 and np.count_nonzero(seen) == 200 and drawn.get_clim() == (0, 16)
    assert tuple(drawn.get_extent()) == (-0.5, 119.5, 79.5, -0.5)


def test_the_figure_of_an_edit():
    figure = plots.edit_figure(edited())
    assert len(figure.axes) == 4
    assert "red bus" in figure.get_suptitle()
    assert figure.axes[3].get_title() == "edited after 1 round"
    assert plots.png(figure).startswith(b"\x89PNG")


def test_what_is_not_verified_is_said_in_another_colour():
    def colour(**changes) -> str:
        return next(text.get_color() for text in plots.edit_figure(edited(**changes)).texts if "now shows" in text.get_text())

    assert colour(verified=False) == plots.CHOSEN != colour(verified=True)


PRICE = "$^$ 5"  # as a formula it cannot be drawn
WORDED = {
    "show": lambda: plots.show(IMAGE, PRICE),
    "boxes": lambda: plots.draw_boxes(IMAGE, BOXES, [PRICE, "car"]),
    "attention": lambda: plots.attention_overlay(IMAGE, np.eye(6), title=PRICE),
    "matrix": lambda: plots.similarity_matrix(np.eye(2), [PRICE, "b"], ["c", PRICE]),
    "bars": lambda: plots.bars({PRICE: 0.7, "blue": 0.3}, PRICE),
    "relations": lambda: plots.relation_arrows(IMAGE, np.array(BOXES), np.eye(2), 0, [PRICE, "car"], PRICE),
    "mask": lambda: plots.mask_overlay(IMAGE, MASK, PRICE),
    "difference": lambda: plots.difference_map(IMAGE, IMAGE, title=PRICE),
    "grid": lambda: plots.image_grid([IMAGE], [PRICE]),
    "edit": lambda: plots.edit_figure(edited(settings=Settings(PRICE), message=PRICE)),
    "sheet": lambda: figures.sheet({"best": [({"prompt": PRICE, "success": True, "status": "edited"}, [IMAGE, IMAGE])]}, PRICE),
    "reliability": lambda: figures.reliability({PRICE: [{"target": True, "box": BOXES[0], "margin": 0.3}]}),
    "trade-off": lambda: figures.trade_off({PRICE: (0.9, 0.1)}),
    "cost": lambda: figures.cost({PRICE: [{"seconds": {"detect": 1.0}}]}),
}  # fmt: skip


@pytest.mark.parametrize("draw", WORDED.values(), ids=WORDED)
def test_a_dollar_in_a_users_words_begins_no_formula(draw):
    assert plots.png(draw()).startswith(b"\x89PNG")


@pytest.mark.parametrize("status", ["not_found", "ambiguous"])
def test_the_figure_of_an_edit_that_was_not_made_says_why(status):
    result = edited(status=status, message="There is no such thing.", image=None, mask=None, index=None, verified=False)
    figure = plots.edit_figure(result)
    assert len(figure.axes) == 2
    assert "There is no such thing" in figure.get_supxlabel()


def test_the_figure_of_an_edit_of_all_that_fit_marks_all():
    result = edited(candidates=candidates((True, True)), settings=SimpleNamespace(prompt="x", select="all"))
    labels = plots.edit_figure(result).axes[1].texts
    assert {to_hex(label.get_bbox_patch().get_facecolor()) for label in labels} == {plots.CHOSEN}
    result = edited(candidates=candidates((True, False)), settings=SimpleNamespace(prompt="x", select="all"))
    assert [to_hex(label.get_bbox_patch().get_facecolor()) for label in plots.edit_figure(result).axes[1].texts] == [
        plots.OTHER, plots.CHOSEN]  # fmt: skip


@pytest.mark.parametrize("size", [(400, 30), (30, 400), (1, 1)])
def test_extreme_aspects(size):
    image, mask = Image.new("RGB", size), Image.new("L", size, 255)
    result = edited(source=image, image=image, mask=mask, candidates=(), index=None)
    assert plots.png(plots.edit_figure(result)).startswith(b"\x89PNG")


# --- pictures of many megapixels ---------------------------------------------------------------------------------


def enlarged(times: int) -> EditResult:
    """The edit of a picture `times` as wide and high."""
    size = (times * IMAGE.width, times * IMAGE.height)
    boxes = [tuple(times * v for v in box) for box in BOXES]
    some = tuple(Candidate(box, "bus", 0.9, 0.8, 0.85, fit) for box, fit in zip(boxes, (True, False)))
    mask = MASK.resize(size, Image.Resampling.NEAREST)
    return edited(source=IMAGE.resize(size), image=IMAGE.rotate(3).resize(size), mask=mask, box=boxes[0], candidates=some)


def outline(ax) -> np.ndarray:
    """The box, xyxy, of a mask's outline in the coordinates of the Axes."""
    points = np.concatenate([path.vertices for path in ax.collections[-1].get_paths()])
    return np.concatenate([points.min(0), points.max(0)])


def test_of_a_large_picture_no_more_is_drawn_than_can_be_seen():
    figure = plots.edit_figure(enlarged(20))
    drawn = [np.asarray(image.get_array()).shape for ax in figure.axes for image in ax.images]
    assert len(drawn) == 5 and all(max(shape) == plots.LARGEST for shape in drawn)


def test_the_figure_of_a_large_picture_looks_like_that_of_a_small_one():
    large, small = enlarged(20), enlarged(10)  # 1200 pixels wide, and drawn as they are
    axes = [plots.edit_figure(result).axes for result in (large, small)]
    for ax, other in zip(*axes):
        np.testing.assert_allclose((np.array(ax.get_xlim()) + 0.5, np.array(ax.get_ylim()) + 0.5),
                                   (2 * (np.array(other.get_xlim()) + 0.5), 2 * (np.array(other.get_ylim()) + 0.5)))  # fmt: skip
        assert texts(ax) == texts(other)
        for text, twin in zip(ax.texts, other.texts):
            np.testing.assert_allclose(text.get_position(), 2 * np.array(twin.get_position()))
    np.testing.assert_allclose(outline(axes[0][2]), 20 * np.array([20, 20, 60, 60]), atol=2)
    pixels = [np.asarray(Image.open(io.BytesIO(plots.png(plots.edit_figure(one)))).convert("L"), int) for one in (large, small)]
    assert pixels[0].shape == pixels[1].shape and np.abs(pixels[0] - pixels[1]).mean() < 0.5


def test_a_picture_of_ordinary_size_is_drawn_as_it_is():
    size = (plots.LARGEST, 300)
    image, mask = Image.effect_noise(size, 90), Image.new("L", size)
    mask.paste(255, (100, 50, 300, 200))
    ax = plots.mask_overlay(image, mask)
    assert (np.asarray(ax.images[0].get_array()) == np.asarray(image)).all() and ax.images[1].get_array().shape == (300, 1200, 4)
    np.testing.assert_array_equal(outline(ax), [99.5, 49.5, 299.5, 199.5])
    assert (np.asarray(plots.difference_map(image, image.rotate(90)).images[0].get_array()).shape) == (300, 1200)


def test_twelve_megapixels_are_drawn_in_little_memory():
    result = enlarged(34)  # 4080 x 2720: as floats, four a pixel, 355 MB
    plots.png(plots.edit_figure(edited()))  # fonts and the like are loaded
    tracemalloc.start()
    plots.png(plots.edit_figure(result))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6


@pytest.mark.parametrize("shape", [(1500, 40), (1500, 40, 1), (1500, 40, 3)])
@pytest.mark.parametrize("kind", [np.uint8, np.float64, bool])
def test_large_arrays_of_any_kind_are_drawn(shape, kind):
    ax = plots.show((np.arange(np.prod(shape)).reshape(shape) % 2).astype(kind))
    assert plots.png(ax).startswith(b"\x89PNG") and ax.get_ylim() == (1499.5, -0.5)


def test_a_map_that_is_white_at_its_edge_ends_somewhere_on_a_white_page():
    edges = []
    for picture in (np.full((80, 120), 255.0), Image.new("RGB", (120, 80), "white")):
        drawn = np.asarray(Image.open(io.BytesIO(plots.png(plots.show(picture)))).convert("L"))
        edges.append(drawn.min(0) < 255)
    assert edges[0].any() and not edges[1].any()  # a picture has its own edges, and no frame


def test_a_large_difference_is_black_where_nothing_changed():
    before = Image.new("RGB", (3000, 2000), "teal")
    after = before.copy()
    after.paste((255, 255, 255), (600, 600, 900, 900))
    mask = Image.new("L", before.size)
    mask.paste(255, (500, 500, 1000, 1000))
    ax = plots.difference_map(before, after, mask)
    drawn = np.asarray(ax.images[0].get_array())
    assert drawn.shape == (800, 1200) and drawn[250:350, 250:350].min() == pytest.approx(np.sqrt(255))
    drawn[238:362, 238:362] = 0
    assert not drawn.any()
    np.testing.assert_allclose(outline(ax), [500, 500, 1000, 1000], atol=2)
