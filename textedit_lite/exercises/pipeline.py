"""The exercises of notebook 05: what is to be painted, until when, and whether the rest is untouched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import plots
from ..match import ATTRIBUTES, Reading
from ..prompt import parse
from ..vocabulary import COLOUR_RGB, COLOURS
from ..wish import turns, wished
from ..world.oracle import palette_shares
from .exercise import Exercise

# --- right answers that the package has inside of larger functions -----------------------------------------------


def changed_outside(before: np.ndarray, after: np.ndarray, mask: np.ndarray) -> tuple[int, int]:
    """(pixels that differ where the mask is 0, the largest difference of a channel there): uint8 [H, W, 3] twice, [H, W]."""
    gap = np.abs(before.astype(int) - after).max(-1)[mask == 0]
    return int((gap > 0).sum()), int(gap.max(initial=0))


def until_complete(paint: Callable, judge: Callable, rounds: int, seed: int = 0) -> tuple[Any, bool, int]:
    """The loop of Algorithm 1: (the best painting, whether it is verified, how many rounds were painted).

    paint(r, seeds): the paintings of round r, one a seed; judge(painting): (verified, rank). Rounds paint 1, 2, 4, 4, ...
    seeds, each a new one; the first of equals is kept.
    """
    counts, best, verdict = (1, 2, 4), None, (False, -np.inf)
    for r in range(rounds):
        seeds = list(range(seed, seed + counts[min(r, 2)]))
        seed += len(seeds)
        for painting in paint(r, seeds):
            seen = judge(painting)
            if best is None or seen[1] > verdict[1]:
                best, verdict = painting, seen
        if verdict[0]:
            break
    return best, verdict[0], r + 1


# --- from plain data to what an answer takes, and back -----------------------------------------------------------


def _reading(seen: Sequence[tuple[str, str, float]]) -> Reading:
    """A reading whose likeliest values have the given probabilities; the other values share the rest."""
    tables = {}
    for name, value, p in seen:
        others = [other for other in ATTRIBUTES[name] if other != value]
        tables[name] = {other: p if other == value else (1 - p) / len(others) for other in ATTRIBUTES[name]}
    return Reading(tables, {})


def _told(result: Any) -> Any:
    """A dictionary as sorted words, "pose: tilted", so that it can be shown and carried."""
    return sorted(f"{name}: {value}" for name, value in result.items()) if isinstance(result, dict) else result


def _run_turns(answer: Callable, wanted, now) -> Any:
    return _told(answer(dict(wanted), _reading([(name, value, 0.9) for name, value in now])))


def _run_wished(answer: Callable, prompt: str, now, reads) -> Any:
    return _told(answer(parse(prompt), _reading(now), reads))


def _run_loop(answer: Callable, verdicts, seed: int) -> Any:
    """What the loop returns for paintings with the given verdicts, and which rounds it had painted with which seeds."""
    table, trace = {}, []

    def paint(r, seeds):
        seeds = [int(s) for s in seeds]
        if not 0 <= r < len(verdicts):
            raise ValueError(f"there are rounds 0 to {len(verdicts) - 1}, and round {r} was painted")
        trace.append(f"round {r}: seeds {', '.join(map(str, seeds))}")
        names = [f"the painting of round {r} with seed {s}" for s in seeds]
        table.update({name: verdicts[r][i % len(verdicts[r])] for i, name in enumerate(names)})
        return names

    result = answer(paint, table.__getitem__, len(verdicts), seed)
    if not (isinstance(result, (tuple, list)) and len(result) == 3):
        return result
    return [*result, trace]


def _reference(run: Callable, ours: Callable) -> Callable:
    return lambda *arguments: run(ours, *arguments)


# --- inputs ------------------------------------------------------------------------------------------------------


def _attributes(rng: np.random.Generator, names: Sequence[str] = tuple(ATTRIBUTES)) -> tuple:
    return tuple((name, str(rng.choice(list(ATTRIBUTES[name])))) for name in names)


def _turnings(rng: np.random.Generator):
    """Nothing turns, one of both, both, what is not wished at all; and random ones."""
    now = (("colour", "blue"), ("view", "side"), ("pose", "upright"))
    yield from ((now, now), ((("colour", "red"),), now), ((("pose", "tilted"),), now), ((("view", "front"), ("pose", "upright")), now))
    yield (("view", "front"), ("pose", "upside down"), ("colour", "blue")), now
    for _ in range(6):
        yield _attributes(rng, rng.permutation(list(ATTRIBUTES))[: rng.integers(1, 4)].tolist()), _attributes(rng)


def _wishings(rng: np.random.Generator):
    """The four tasks with CLIP sure, just sure, and unsure; names in the source that CLIP contradicts; and random ones."""
    prompts = ("the blue bus changes to a red bus", "the bus changes to a bus tilted slightly to the left",
               "the green car changes to a car facing the front", "make the cup upside down",
               "the upside down chair changes to a yellow chair", "the car facing the front changes to a car upside down")  # fmt: skip
    for colour, view, pose in ((0.99, 0.97, 0.95), (0.5, 0.6, 0.5), (0.49, 0.9, 0.45), (0.3, 0.99, 0.4)):
        for prompt in prompts[: 6 if colour > 0.9 else 3]:
            yield prompt, (("colour", "white", colour), ("view", "side", view), ("pose", "upright", pose)), tuple(ATTRIBUTES)
    for prompt in prompts[1:3]:  # a CLIP of photographs, which was not taught to read views and poses
        yield prompt, (("colour", "white", 0.99), ("view", "side", 0.97), ("pose", "upright", 0.95)), ("colour",)
    for _ in range(6):
        seen = tuple((name, value, round(float(rng.uniform(0.52 if name == "view" else 0.4, 1)), 3)) for name, value in _attributes(rng))
        yield str(rng.choice(prompts)), seen, tuple(name for name in ATTRIBUTES if rng.random() < 0.7)


def _edits(rng: np.random.Generator):
    """Nothing changed, by 1 up and down, black to white, a soft mask, a mask of all and of nothing; and random ones."""
    blank = np.full((4, 5, 3), 7, np.uint8)
    hole = np.zeros((4, 5), np.uint8)
    hole[1:3, 1:4] = 255
    soft = np.where(hole > 0, 3, 0).astype(np.uint8)
    by_one, inside = blank.copy(), blank.copy()
    by_one[0, 0], by_one[3, 4, 1] = (8, 6, 7), 6
    inside[hole > 0] = 250
    yield from ((blank, blank, hole), (blank, by_one, hole), (by_one, blank, hole), (blank, inside, hole), (blank, inside, soft))
    yield from ((blank, inside, np.full_like(hole, 255)), (blank, 255 - blank, np.zeros_like(hole)))
    for _ in range(6):
        h, w = (int(v) for v in rng.integers(2, 30, 2))
        before = rng.integers(0, 256, (h, w, 3), np.uint8)
        after = np.where(rng.random((h, w, 1)) < 0.3, rng.integers(0, 256, (h, w, 3)), before).astype(np.uint8)
        yield before, after, np.where(rng.random((h, w)) < 0.5, rng.integers(1, 256, (h, w)), 0).astype(np.uint8)


def _pictures(rng: np.random.Generator):
    """The palette, reds on both sides of 0 degrees, greys, no weight at all, one pixel; and random ones."""
    palette = np.array([COLOUR_RGB[name] for name in COLOURS], float).T / 255
    yield palette, np.arange(1.0, 9.0)
    yield np.array([[0.8, 0.8, 0.8], [0.1, 0.1, 0.2], [0.3, 0.15, 0.1]]), np.array([1.0, 2.0, 4.0])
    yield np.array([[0.9, 0.5, 0.1, 0.45]] * 3), np.ones(4)
    yield palette, np.zeros(8)
    yield np.array([[[0.2]], [[0.6]], [[0.3]]]), np.array([[0.5]])
    for shape in ((5, 7), (12, 3), (40,)):
        yield rng.uniform(0, 1, (3, *shape)), rng.uniform(0, 1, shape) * (rng.random(shape) < 0.7)


def _loops(rng: np.random.Generator):
    """Done at once, in the second round, never; the best not the last, equals, five rounds; and random ones."""
    no, yes = (False, 0.4), (True, 1.6)
    yield ((yes,), (yes, yes), (yes,) * 4), 0
    yield ((no,), ((False, 0.3), yes), (yes,) * 4), 5
    yield ((no,), ((True, 1.2), (True, 1.7)), (no,) * 4), 0
    yield (((False, 0.6),), (no, no), ((False, 0.2),) * 4), 3
    yield ((no,), (no, no), (no,) * 4), 1
    yield ((no,), (no, no), (no,) * 4, ((False, 0.1),) * 4, (no, yes, no, no)), 10
    yield (((False, -1.0),),), 0
    for _ in range(6):
        rounds = int(rng.integers(1, 5))
        lots = [rng.random(count) < 0.12 for count in (1, 2, 4, 4)[:rounds]]
        verdicts = tuple(tuple((bool(v), round(float(rng.uniform(0, 1)) + bool(v), 3)) for v in row) for row in lots)
        yield verdicts, int(rng.integers(0, 90))


# --- the tasks as figures ----------------------------------------------------------------------------------------


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], width: float = 6.4):
    """A table as a figure, its last column in colour."""
    figure, (ax,) = plots.panels(width=width, height=0.35 + 0.29 * len(rows))
    ax.set_axis_off()
    drawn = ax.table([list(row) for row in rows], colLabels=list(columns), loc="center", cellLoc="left", edges="horizontal")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1, 1.35)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_edgecolor("0.8")
        cell.set_text_props(weight="bold" if row == 0 else "normal", color=plots.CHOSEN if row and column == len(columns) - 1 else "0.1")
    return figure


def _draw_turns():
    return _table(("", "now", "wanted", "turns to"), (
        ("pose", "upright", "tilted", "tilted"), ("view", "side", "side", "None: it keeps its own"),
        ("(pose)", "upright", "(nothing said)", "None"), ("(colour)", "blue", "red", "is no turn")))  # fmt: skip


def _draw_wished():
    return _table(("attribute", "CLIP is sure of", "the source names", "the change", "wished"), (
        ("colour", "white 0.99", "blue", "red", "red: the change"), ("view", "side 0.97", "", "", "side: CLIP is sure"),
        ("pose", "upright 0.45", "", "", "(left out)"), ("colour", "white 0.99", "blue", "", "blue: the source")), 7.4)  # fmt: skip


def _draw_outside():
    from ..world import scenes

    scene = scenes.make_scene(81)
    image = scenes.render(scene)
    edited = scenes.ideal_edit(scene, 0, {"view": "front"})
    from ..mask import build_mask

    mask = build_mask(image.size, scenes.boxes(scene)[0])
    figure, axes = plots.panels(1, 3, width=2.3, height=2.8)
    plots.mask_overlay(image, mask, "before, and the mask", axes[0])
    plots.show(edited, "after", axes[1])
    count, most = changed_outside(*(np.asarray(v) for v in (image, edited, mask)))
    plots.difference_map(image, edited, mask, f"outside: {count} pixels,\nby up to {most}", axes[2])
    return figure


def _draw_palette():
    figure, axes = plots.panels(1, 2, width=3.2, height=2.6)
    hues = [name for name in COLOURS if name not in ("white", "black")]
    from ..world.oracle import _hue

    for name in hues:
        angle = np.radians(_hue(np.array(COLOUR_RGB[name])))
        axes[0].plot(np.cos(angle), np.sin(angle), "o", color=np.array(COLOUR_RGB[name]) / 255, markersize=13)
        axes[0].text(1.33 * np.cos(angle), 1.33 * np.sin(angle), name, ha="center", va="center", fontsize=8)
    axes[0].set(xlim=(-1.8, 1.8), ylim=(-1.6, 1.6), aspect="equal", title="vivid: the nearest hue, around the circle")
    axes[0].set_axis_off()
    axes[1].imshow(np.linspace(0, 1, 256)[None], cmap="gray", aspect="auto", vmin=0, vmax=1, extent=(0, 1, 0, 1))
    for at, name, ink in ((0.21, "black", "white"), (0.56, "grey", "black"), (0.85, "white", "black")):
        axes[1].text(at, 0.5, name, ha="center", color=ink, fontsize=9)
    for edge in (0.42, 0.7):
        axes[1].axvline(edge, color=plots.CHOSEN, linewidth=2)
    axes[1].set(yticks=(), xticks=(0, 0.42, 0.7, 1), title="pale: by the largest channel")
    for ax in axes:
        ax.title.set_fontsize(9)
    return figure


def _draw_loop():
    figure, (ax,) = plots.panels(width=6.4, height=2.5)
    ranks = ((0.35,), (0.55, 0.42), (0.5, 1.45, 0.3, 1.2))
    seed = 0
    for r, row in enumerate(ranks):
        for rank in row:
            best = rank == 1.45
            ax.plot(seed, rank, "o", color=plots.CHOSEN if best else plots.OTHER, markersize=11 if best else 8)
            seed += 1
        ax.axvline(seed - 0.5, color="0.7", linestyle=":")
        ax.text(seed - 0.5 - len(row) / 2, 1.75, f"round {r}", ha="center", fontsize=9)
    ax.axhspan(1, 1.7, color="#2b8a3e", alpha=0.1)
    ax.text(-0.4, 1.05, "verified", color="#2b8a3e", fontsize=9)
    ax.set(xlim=(-0.5, 8.9), ylim=(0, 1.95), xlabel="seed", ylabel="rank", xticks=range(7))
    ax.text(6.7, 0.9, "no round 3:\nthe best is verified", fontsize=9)
    return figure


EXERCISES = (
    Exercise("5.1", "What turns", 2, "turns", _turnings, _reference(_run_turns, turns), _draw_turns, run=_run_turns),
    Exercise("5.2", "Is the rest untouched?", 3, "changed_outside", _edits, changed_outside, _draw_outside),
    Exercise("5.3", "What is wished", 4, "wished", _wishings, _reference(_run_wished, wished), _draw_wished, run=_run_wished),
    Exercise("5.4", "Colours by their hue", 4, "palette_shares", _pictures, palette_shares, _draw_palette),
    Exercise("5.5", "Until the edit is complete", 5, "until_complete", _loops, _reference(_run_loop, until_complete), _draw_loop,
             run=_run_loop),
)  # fmt: skip
