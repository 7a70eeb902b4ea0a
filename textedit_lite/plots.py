"""Figures: every stage of an edit as something to look at.

A function that fills one panel takes `ax=None` and returns the Axes, one that fills several returns a Figure. The
figures are plain `matplotlib.figure.Figure` objects: no window opens, pyplot keeps no list of them, and a notebook
shows one that is the last value of a cell.
"""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from .images import save_png

CHOSEN, OTHER, MASK = "#e8590c", "#1864ab", "#d6336c"
LABEL, PAD = 7.5, 1.5  # points: the size of the text on boxes, and the space around it
SIDE, DPI = 3.1, 80  # inches per side of a panel, pixels per inch
WORDS = {"parse_math": False}  # for text in which users have a hand: a "$" begins no formula
LARGEST = 1200  # pixels of a picture's longer side: a panel has fewer, even printed at 300 an inch


# --- figures -----------------------------------------------------------------------------------------------------


def panels(rows: int = 1, columns: int = 1, width: float = SIDE, height: float = SIDE) -> tuple[Any, list[Any]]:
    """A figure of rows x columns panels, `width` x `height` inches each, and its Axes, row by row. Taught in notebook 01."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), dpi=DPI, layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


def png(figure, dpi: float | None = None) -> bytes:
    """A figure, or the figure of an Axes, as the bytes of a PNG, as an image widget wants them. Taught in notebook 01."""
    figure, data = getattr(figure, "figure", figure), io.BytesIO()
    # Without the library's version in it, the same picture gives the same bytes.
    figure.savefig(data, format="png", dpi=dpi or figure.dpi, metadata={"Software": None})
    return data.getvalue()


def save(figure, path: Path | str, dpi: float | None = None) -> None:
    """Write a figure, or the figure of an Axes, as a PNG, all of it or nothing; raises OutputError if it cannot be written."""
    save_png(Image.open(io.BytesIO(png(figure, dpi))), path)


def show(image, title: str = "", ax=None):
    """One picture (PIL or array) without axes; returns the Axes, whose coordinates are its pixels. Taught in notebook 01."""
    ax = ax or panels(height=SIDE * _aspect(image))[1][0]
    ax.imshow(np.asarray(_reduced(image)), cmap="gray", vmin=0, vmax=255, extent=_extent(image))
    ax.set_title(title, fontsize=9, **WORDS)
    if np.ndim(image) == 2:  # a map of values may be white up to its edge, as the page is
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_color("0.8")
    else:
        ax.set_axis_off()
    return ax


def image_grid(images: Sequence, titles: Sequence[str] = (), columns: int = 4, side: float = 2.2):
    """Pictures in rows of `columns`, each `side` inches wide, with titles; returns the Figure. Taught in notebook 01."""
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    lines = max((title.count("\n") + 1 for title in titles), default=0)
    figure, axes = panels(rows, columns, side, side * max(map(_aspect, images)) + 0.16 * lines)
    for ax, image, title in zip(axes, images, [*titles, *[""] * len(images)], strict=False):
        show(image, title, ax)
    for ax in axes[len(images) :]:
        ax.set_axis_off()
    return figure


# --- stage 1 -----------------------------------------------------------------------------------------------------


def draw_boxes(
    image, boxes, labels: Sequence[str] = (), scores: Sequence[float] = (), chosen: int | Sequence[int] | None = None,
    ax=None,
):  # fmt: skip
    """Boxes (xyxy, pixels) over a picture, each with its number, label and score; returns the Axes.

    Those `chosen` stand out. The numbers are those that `--select` takes. Taught in notebook 01.
    """
    ax = show(image, ax=ax)
    chosen = chosen if isinstance(chosen, Sequence) else [chosen]
    order = sorted(range(len(boxes)), key=lambda i: i in chosen)  # the chosen ones last, so that they lie on top
    texts = {i: " ".join([str(i), *labels[i : i + 1], *(f"{s:.2f}" for s in scores[i : i + 1])]) for i in order}
    spots = _label_spots(ax, image, boxes, texts)
    for i in order:
        x0, y0, x1, y1 = (float(v) for v in boxes[i])
        colour, line = (CHOSEN, 2.6) if i in chosen else (OTHER, 1.4)
        for edge, wide in (("white", line + 1.4), (colour, line)):  # a white rim shows on every background
            ax.add_patch(_rectangle(x0, y0, x1, y1, edgecolor=edge, linewidth=wide))
        x, y, ha, va = spots[i]
        ax.text(x, y, texts[i], fontsize=LABEL, color="white", ha=ha, va=va, clip_on=True, **WORDS,
                bbox={"facecolor": colour, "edgecolor": "white", "linewidth": 0.5, "pad": PAD})  # fmt: skip
    return ax


def threshold_gap(scores, threshold: float, low: float, high: float, ax=None):
    """The sorted scores of an image's queries, the range in which the threshold moves, and where it fell; returns the Axes.

    Taught in notebook 01.
    """
    ax = ax or panels(width=6, height=2.8)[1][0]
    scores = np.sort(np.asarray(scores, float))
    kept = scores >= threshold
    ax.axhspan(low, high, color=OTHER, alpha=0.12, linewidth=0, label=f"where the threshold may lie, {low} to {high}")
    ax.axhline(threshold, color=CHOSEN, linewidth=1.8, label=f"dynamic threshold {threshold:.2f}")
    for part, colour, name in ((~kept, "0.55", "dropped"), (kept, OTHER, "kept")):
        where = np.flatnonzero(part)
        ax.vlines(where, 0, scores[part], color=colour, linewidth=1)
        ax.plot(where, scores[part], "o", color=colour, markersize=4, label=f"{part.sum()} {name}")
    ax.set(xlabel="query, sorted by score", ylabel="score", ylim=(0, 1.03), xlim=(-1, len(scores)))
    ax.legend(fontsize=8, loc="upper left", framealpha=0.95)
    return _plain(ax)


def attention_overlay(image, attention, box=None, title: str = "", ax=None):
    """One attention map [h, w] over a picture, bright where the query looked, and its box; returns the Axes.

    Taught in notebook 01.
    """
    ax = show(Image.fromarray(np.asarray(image)).convert("L"), title, ax)
    width, height = _size(image)
    ax.imshow(np.asarray(attention), cmap="inferno", alpha=0.65, extent=(0, width, height, 0), interpolation="bilinear")
    if box is not None:
        ax.add_patch(_rectangle(*box, edgecolor="white", linewidth=1.5))
    ax.set(xlim=(0, width), ylim=(height, 0))
    return ax


# --- stage 2 -----------------------------------------------------------------------------------------------------


def similarity_matrix(matrix, rows: Sequence, columns: Sequence[str], ax=None):
    """A matrix [rows, columns] as a heat map with its numbers, the largest of each row framed; returns the Axes.

    rows: names, or the crops themselves. Taught in notebook 02.
    """
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    matrix, pictures = np.asarray(matrix, float), not isinstance(rows[0], str)
    size = 0.62 if pictures else 0.34  # inches a row
    ax = ax or panels(width=1.6 + 0.68 * len(columns), height=1.1 + size * len(rows))[1][0]
    ax.imshow(matrix, cmap="Blues", aspect="auto")
    middle = (matrix.min() + matrix.max()) / 2
    for (i, j), value in np.ndenumerate(matrix):
        colour = "white" if value > middle else "0.1"
        ax.text(j, i, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    for i, j in enumerate(matrix.argmax(1)):
        ax.add_patch(_rectangle(j - 0.46, i - 0.44, j + 0.46, i + 0.44, edgecolor=CHOSEN, linewidth=1.8))
    ax.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor", fontsize=8, **WORDS)
    ax.set_yticks(range(len(rows)), [str(i) for i in range(len(rows))] if pictures else rows, fontsize=8, **WORDS)
    ax.tick_params(length=0, pad=45 if pictures else 3, axis="y")
    ax.tick_params(length=0, axis="x")
    for i, row in enumerate(rows if pictures else ()):
        thumb = np.asarray(row.resize((64, 64), Image.Resampling.LANCZOS))
        left = {"xycoords": ("axes fraction", "data"), "xybox": (-24, 0), "boxcoords": "offset points"}
        ax.add_artist(AnnotationBbox(OffsetImage(thumb, zoom=0.55), (0, i), frameon=False, annotation_clip=False, **left))
    ax.spines[:].set_visible(False)
    return ax


def bars(table: dict[str, float], title: str = "", ax=None):
    """Probabilities (name -> 0..1) as horizontal bars, the largest in colour; returns the Axes. Taught in notebook 02."""
    ax = ax or panels(width=3.4, height=0.7 + 0.24 * len(table))[1][0]
    best = max(table, key=table.get)
    drawn = ax.barh(range(len(table)), list(table.values()), color=[CHOSEN if name == best else "0.7" for name in table])
    ax.set_yticks(range(len(table)), list(table), **WORDS)
    ax.bar_label(drawn, fmt="%.2f", fontsize=8, padding=2)
    ax.set(xlim=(0, 1.18), xticks=(0, 0.5, 1))
    ax.set_title(title, fontsize=9, **WORDS)
    ax.invert_yaxis()
    return _plain(ax)


def relation_arrows(image, boxes, pairs, anchor: int, labels: Sequence[str] = (), title: str = "", ax=None):
    """An arrow from each box to the anchor's, wider where the relation is likelier, with that number; returns the Axes.

    pairs: float [N, N] from `relations.relation`, row i to column j; arrows under 1/2 are pale. Taught in notebook 07.
    """
    ax = draw_boxes(image, boxes, labels, chosen=anchor, ax=ax)
    x, y = (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2
    for i in range(len(boxes)):
        share = float(pairs[i, anchor])
        if i == anchor:
            continue
        style = {"arrowstyle": "-|>", "color": MASK if share >= 0.5 else "0.55", "linewidth": 0.8 + 2.6 * share, "shrinkB": 6}
        ax.annotate("", (x[anchor], y[anchor]), (x[i], y[i]), arrowprops=style)
        ax.text((2 * x[i] + x[anchor]) / 3, (2 * y[i] + y[anchor]) / 3, f"{share:.2f}", fontsize=8, ha="center", va="center",
                bbox={"facecolor": "white", "edgecolor": style["color"], "linewidth": 0.8, "pad": 1.2})  # fmt: skip
    ax.set_title(title, fontsize=9, **WORDS)
    return ax


# --- stages 3 and 4 ----------------------------------------------------------------------------------------------


def mask_overlay(image, mask: Image.Image, title: str = "", ax=None):
    """A picture with its mask (L, 255 = repaint) tinted and outlined; returns the Axes. Taught in notebook 03."""
    from matplotlib.colors import to_rgb

    ax = show(image, title, ax)
    inside = np.asarray(_reduced(mask)) / 255
    tint = np.zeros((*inside.shape, 4))
    tint[..., :3], tint[..., 3] = to_rgb(MASK), 0.42 * inside
    ax.imshow(tint, extent=_extent(mask))
    if 0 < (inside >= 0.5).mean() < 1:
        ax.contour(*_centres(mask, inside), inside, [0.5], colors="white", linewidths=1.2)
    return ax


def difference_map(before, after, mask: Image.Image | None = None, title: str = "", ax=None):
    """Where two pictures differ: black = not by one bit, brighter = more, and the mask's outline; returns the Axes.

    It shows the largest difference of the three channels, on a square-root scale, because a small one counts too.
    Taught in notebook 04.
    """
    ax = ax or panels(height=SIDE * _aspect(before))[1][0]
    gap = np.abs(np.asarray(before, np.int16) - np.asarray(after, np.int16))
    gap = gap.max(-1) if gap.ndim == 3 else gap
    ax.imshow(np.asarray(_reduced(np.sqrt(gap))), cmap="inferno", vmin=0, vmax=16, extent=_extent(gap))
    if mask is not None and mask.getextrema() == (0, 255):  # a mask of everything has no outline
        inside = np.asarray(_reduced(mask))
        ax.contour(*_centres(mask, inside), inside, [127.5], colors="white", linewidths=1, linestyles="dashed")
    ax.set_title(title, fontsize=9, **WORDS)
    ax.set_axis_off()
    return ax


def denoising_strip(pictures: Sequence, titles: Sequence[str]):
    """Steps of the denoising side by side, at most eight in a row; returns the Figure. Taught in notebook 04."""
    return image_grid(pictures, titles, columns=min(8, len(pictures)), side=1.35)


# --- the whole edit ----------------------------------------------------------------------------------------------


def edit_figure(result, source=None):
    """An edit as one picture: input, candidates with their scores, mask, result; returns the Figure.

    result: an EditResult; source: the input, if the result does not carry it. Without a painting ("not_found",
    "ambiguous") the figure ends with the candidates and the reason. Taught in notebook 05.
    """
    source = source if source is not None else result.source
    painted = result.image is not None
    figure, axes = panels(1, 4 if painted else 2, height=SIDE * min(max(_aspect(source), 0.3), 2.5) + 1.0)
    show(source, "input", axes[0])
    candidates = result.candidates
    everyone = result.settings is not None and result.settings.select == "all"
    chosen = [i for i, c in enumerate(candidates) if c.fits] if everyone else result.index
    draw_boxes(source, [c.box for c in candidates], [c.label for c in candidates], [c.score for c in candidates],
               chosen, axes[1])  # fmt: skip
    axes[1].set_title(f"{len(candidates)} candidates, margin {result.margin:.2f}", fontsize=9)
    if painted:
        mask_overlay(source, result.mask, "mask", axes[2])
        tries = "1 round" if result.rounds == 1 else f"{result.rounds} rounds"
        show(result.image, f"{result.status} after {tries}", axes[3])
    prompt = result.settings.prompt if result.settings else result.description
    title = "\n".join(textwrap.wrap(prompt, 60 if painted else 40, max_lines=2))
    figure.suptitle(title, fontsize=12, fontweight="bold", **WORDS)
    colour = "#2b8a3e" if result.verified else CHOSEN
    message = textwrap.fill(f"{result.status}: {result.message}", 110 if painted else 62)
    figure.supxlabel(message, fontsize=9, color=colour, **WORDS)
    return figure


# --- helpers -----------------------------------------------------------------------------------------------------


def _size(image) -> tuple[int, int]:
    """Width and height of a picture, PIL or array."""
    return image.size if isinstance(image, Image.Image) else np.asarray(image).shape[1::-1]


def _aspect(image) -> float:
    """Height over width."""
    width, height = _size(image)
    return height / width


def _reduced(image):
    """A picture with as many pixels as a panel can make use of: one of many megapixels is made smaller, any other stays as it is.

    From twelve megapixels matplotlib makes four floats per pixel before it draws a few hundred pixels a side: that takes seconds,
    and a gigabyte.
    """
    size = _size(image)
    if max(size) <= LARGEST:
        return image
    if not isinstance(image, Image.Image):
        image = np.asarray(image)
        bytes_of_colour = image.dtype == np.uint8 and image.shape[2:] in ((), (3,), (4,))
        if not bytes_of_colour and (image.ndim > 2 or image.dtype.kind != "f"):
            return image  # nothing that PIL could make smaller
        image = Image.fromarray(image if bytes_of_colour else image.astype(np.float32))
    factor = LARGEST / max(size)
    # A filter that does not ring, so that a mask stays between its black and its white.
    return image.resize([max(1, round(factor * v)) for v in size], Image.Resampling.HAMMING, reducing_gap=3)


def _extent(image) -> tuple[float, float, float, float]:
    """Where a picture's borders lie in its own pixels, left, right, bottom, top, whatever `_reduced` has made of it."""
    width, height = _size(image)
    return -0.5, width - 0.5, height - 0.5, -0.5


def _centres(image, reduced: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x and y, in a picture's own pixels, of the middles of the columns and rows of what `_reduced` has made of it."""
    x, y = ((np.arange(n) + 0.5) * (whole / n) - 0.5 for n, whole in zip(reduced.shape[::-1], _size(image)))
    return x, y


def _plain(ax):
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax


def _rectangle(x0: float, y0: float, x1: float, y1: float, **style):
    from matplotlib.patches import Rectangle

    return Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, **style)


def _points(ax) -> tuple[float, float]:
    """Width and height of a panel in points, from its share of the figure: the layout is made only when the figure is drawn."""
    rows, columns = ax.get_subplotspec().get_geometry()[:2] if ax.get_subplotspec() else (1, 1)
    width, height = 72 * ax.figure.get_size_inches()
    return width / columns, height / rows


def _label_spots(ax, image, boxes, texts: dict[int, str]) -> dict[int, tuple[float, float, str, str]]:
    """Where each box's label is held, in pixels, and by which of its corners (ha, va): where it covers least of the other labels.

    It is held at a corner of its box if possible, and so touches the box whatever the figure's scale turns out to be.
    """
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    (width, height), (across, down) = _size(image), _points(ax)
    pixel = max(width / across, height / down)  # pixels of the picture a point of the figure: about
    pad, tall, taken, spots = PAD * pixel, 12 * pixel, [], {}

    def covered(x: float, y: float, wide: float) -> float:
        """How much another label there would cover of those that have their places already, in pixels."""
        return sum(max(0, min(x + wide, a + w) - max(x, a)) * max(0, tall - abs(y - b)) for a, b, w in taken)

    for i, text in reversed(texts.items()):  # the chosen one first: it gets the best place
        x0, y0, x1, y1 = (float(v) for v in boxes[i])
        wide = pixel * text_to_path.get_text_width_height_descent(text, FontProperties(size=LABEL), False)[0] + 2 * pad
        left = (max(0, x0), "left") if x0 + wide <= width else (width - wide, "right")
        right = (min(x1, width) - wide, "right") if x1 - wide >= 0 else (0, "left")
        above, below = (y0 - tall, "bottom"), (y1, "top")
        tries = [(left, above), (left, below), (right, above), (right, below)]
        tries += [(left, (max(0, y0), "top")), (left, (min(y1, height) - tall, "bottom"))]
        for far in (tall, 2 * tall, 3 * tall):  # in a crowd, off the box is better than over another label
            tries += [(left, (y0 + far, "top")), (left, (y0 - tall - far, "bottom")), (left, (y1 + far, "top"))]
        tries = [one for one in tries if 0 <= one[1][0] <= height - tall] or [(left, (min(max(y0, 0), height - tall), "top"))]
        (x, ha), (y, va) = min(tries, key=lambda one: covered(one[0][0], one[1][0], wide))
        taken.append((x, y, wide))
        spots[i] = x + pad if ha == "left" else x + wide - pad, y + pad if va == "top" else y + tall - pad, ha, va
    return spots
