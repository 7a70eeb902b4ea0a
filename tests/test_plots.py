"""The figures: right type, drawn without a display, nothing left open, and legible labels."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from textedit_lite import plots
from textedit_lite.editor import EditResult, Settings
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
    assert {text.get_text(): text.get_bbox_patch().get_facecolor()[:3] for text in ax.texts}.keys() == {"0", "1"}
    colours = {text.get_text(): text.get_bbox_patch().get_facecolor() for text in ax.texts}
    assert colours["0"] != colours["1"]


def test_labels_stay_inside_and_do_not_cover_each_other():
    boxes = [(0, 0, 30, 30), (1, 1, 31, 31), (100, 60, 120, 80), (-5, 50, 20, 80)]
    ax = plots.draw_boxes(IMAGE, boxes, ["teddy bear"] * 4, [0.5] * 4)
    spots = [text.get_position() for text in ax.texts]
    assert all(0 <= x < 120 and 0 <= y < 80 for x, y in spots)
    assert len(set(spots)) == len(spots)


def test_the_figure_of_an_edit():
    figure = plots.edit_figure(edited())
    assert len(figure.axes) == 4
    assert "red bus" in figure.get_suptitle()
    assert figure.axes[3].get_title() == "edited after 1 round"
    assert plots.png(figure).startswith(b"\x89PNG")


@pytest.mark.parametrize("status", ["not_found", "ambiguous"])
def test_the_figure_of_an_edit_that_was_not_made_says_why(status):
    result = edited(status=status, message="There is no such thing.", image=None, mask=None, index=None, verified=False)
    figure = plots.edit_figure(result)
    assert len(figure.axes) == 2
    assert "There is no such thing" in figure.get_supxlabel()


def test_the_figure_of_an_edit_of_all_that_fit_marks_all():
    result = edited(candidates=candidates((True, True)), settings=SimpleNamespace(prompt="x", select="all"))
    labels = plots.edit_figure(result).axes[1].texts
    assert len({label.get_bbox_patch().get_facecolor() for label in labels}) == 1


@pytest.mark.parametrize("size", [(400, 30), (30, 400), (1, 1)])
def test_extreme_aspects(size):
    image, mask = Image.new("RGB", size), Image.new("L", size, 255)
    result = edited(source=image, image=image, mask=mask, candidates=(), index=None)
    assert plots.png(plots.edit_figure(result)).startswith(b"\x89PNG")
