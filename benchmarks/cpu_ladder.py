"""The speed ladder of a processor with the lite models, and what an edit costs by picture, by objects and by batch.

    python benchmarks/cpu_ladder.py --write docs/speed.md

goes from the plain way on one thread to batches of edits. Each rung adds one thing, on the same unseen scenes of the four
tasks; it takes six to ten minutes on two quiet cores. Every edit here is painted in one round, however it turns out, so that
all rungs do the same work; `make benchmark` measures how edits turn out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from ladder import (
    Peak,
    Rung,
    climb,
    compared,
    finished,
    ladder_table,
    options,
    quiet,
    show,
    table,
    threads,
    timed,
    under,
    versions,
)

from textedit_lite.editor import Editor
from textedit_lite.models import Models, load_models
from textedit_lite.prompt import task_prompt
from textedit_lite.rivals import plain_edit
from textedit_lite.training.card import machine
from textedit_lite.training.score_editor import scene_cases
from textedit_lite.vocabulary import COLOURS, TASKS
from textedit_lite.world.scenes import Scene, make_scene, render

FEWEST = len(TASKS)  # edits, one of each task
# Megapixels -> width and height of such a picture, in a camera's 4:3.
SIZES = {0.25: (576, 432), 1: (1152, 864), 3: (2000, 1500), 6: (2828, 2121), 12: (4000, 3000), 24: (5656, 4242)}
SMALL, LARGE, AIM = 0.25, 12, 1.3
OBJECTS = (1, 2, 3, 4, 5, 6)
BATCHES = (1, 2, 4, 8, 16, 32)
COST_TURNS = 2  # measurements of each cost, at most: the minutes are for the rungs
STAGES = ("detect", "match", "mask", "inpaint", "verify")


@dataclass(frozen=True)
class Edit:
    """One edit to make: the picture, the prompt, the painter's seed, and whether it can start from a sketch."""

    image: Any
    prompt: str
    seed: int
    sketched: bool


def edits(count: int, size: tuple[int, int] | int = 256) -> list[Edit]:
    """`count` edits of unseen scenes, the four tasks in turn, drawn at a size (width, height)."""
    found = [case for four in zip(*(scene_cases(-(-count // len(TASKS)), 0, task) for task in TASKS)) for case in four][:count]
    width, height = (size, size) if isinstance(size, int) else size
    scenes = [replace(case.scene, width=width, height=height) for case in found]
    return [Edit(render(scene), case.prompt, case.seed, case.task != "front") for scene, case in zip(scenes, found)]


def ours(models: Models, some: Sequence[Edit], batch: int, steps: int | None = None, **settings) -> list[Any]:
    """Edits made in one round each, `batch` at a time, by a new editor each time, so that nothing is remembered."""
    results = []
    for at in range(0, len(some), batch):
        part = some[at : at + batch]
        images, prompts, seeds = ([getattr(one, name) for one in part] for name in ("image", "prompt", "seed"))
        results += Editor(models).edit_batch(images, prompts, seeds, steps=steps, rounds=1, **settings)
    return results


def plain(models: Models, some: Sequence[Edit], steps: int) -> list[Any]:
    return [plain_edit(one.image, one.prompt, models, seed=one.seed, steps=steps) for one in some]


# --- the rungs ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """How edits are made: the ways in which one rung of the ladder differs from another."""

    name: str
    over: str | None = None
    plain: bool = False
    all_threads: bool = True
    steps: int | None = 40  # None: the models' own; below 0: one in so many of them
    settings: dict[str, Any] = field(default_factory=dict)
    channels_last: bool = False
    half: bool = False
    compiled: bool = False
    batch: int = 1


def ways(steps: int, batches: Sequence[int], compiled: bool) -> list[Way]:
    """The ladder, with one thing more on each rung, and what was tried but is not the default; `steps` are the plain way's."""
    slow = Way(f"plain, steps: {steps}, 1 thread", plain=True, all_threads=False, steps=steps)
    base = replace(slow, name=f"plain, steps: {steps}, all threads", over=slow.name, all_threads=True)
    # Ours: on a crop, with CLIP in one call, the boundary refined, and the result looked at; here painted once, from noise.
    once = {"sketch": False, "ablate": "temperature"}
    bare = Way(f"ours, from noise, once, steps: {steps}", base.name, steps=steps, settings=once)
    few = replace(bare, name="+ the models' own number of steps", over=bare.name, steps=None)
    own = replace(few, name="+ sketches; cold noise where there is none", over=few.name, settings={})
    last = replace(own, name="+ channels_last", over=own.name, channels_last=True)
    batched = [replace(own, name=f"batches of {batch}", over=own.name, batch=batch) for batch in batches]
    found = [slow, base, bare, few, own, replace(own, name="the same on 1 thread", over=own.name, all_threads=False), last, *batched]
    first = batched[0]
    found.append(replace(first, name=f"batches of {first.batch}, half the steps", over=first.name, steps=-2))
    found.append(replace(first, name=f"batches of {first.batch}, bf16", over=first.name, half=True))
    if compiled:
        found.append(replace(first, name=f"batches of {first.batch}, torch.compile", over=first.name, compiled=True))
    return found


@dataclass
class Bench:
    """The models in both precisions, and the edits; turns ways into rungs."""

    models: Models
    half: Models
    todo: list[Edit]
    least: int  # edits per rung
    cores: int
    graphs: dict[int, Callable] = field(default_factory=dict)

    def edit(self, way: Way, steps: int | None = None) -> list[Any]:
        """The way's edits: one of each task by the plain way, else `least`, or a batch; to warm up, one batch."""
        models = self.half if way.half else self.models
        count = way.batch if steps else max(self.least, way.batch)
        own = models.steps // -way.steps if way.steps is not None and way.steps < 0 else way.steps
        if way.plain:
            return plain(models, self.todo[: 1 if steps else FEWEST], steps or way.steps)
        return ours(models, self.todo[:count], way.batch, steps or own, **way.settings)

    @contextlib.contextmanager
    def state(self, way: Way) -> Iterator[None]:
        """Sets threads and painter as the way needs them, and then back."""
        import torch

        painter = (self.half if way.half else self.models).painter
        unet = painter.unet
        with threads(self.cores if way.all_threads else 1):
            if way.compiled:
                unet.forward = self.graphs.setdefault(id(unet), torch.compile(unet.forward, dynamic=True))
            for part in (unet, painter.vae):
                part.to(memory_format=torch.channels_last if way.channels_last else torch.contiguous_format)
            try:
                yield
            finally:
                unet.__dict__.pop("forward", None)

    def rung(self, way: Way) -> Rung:
        return Rung(
            way.name, partial(self.edit, way), way.over, lambda: self.state(way), optional=way.compiled, more={"batch": way.batch}
        )


# --- what an edit costs by what it is made of ----------------------------------------------------------------------


def cost(some: Sequence[Edit], turns: int, run: Callable[..., list[Any]], batch: int = 1) -> dict[str, Any]:
    """Seconds per edit (median of `turns`, after a batch to warm up), milliseconds per stage (of the last turn), peak memory."""
    run = partial(run, batch=batch)
    run(some[:batch])
    taken, peak = [], Peak("cpu")
    for _ in range(turns):
        peak.start()
        results, seconds = timed(partial(run, some), "cpu")
        taken.append(seconds / len(results))
    stages = {name: float(np.mean([result.timings_ms.get(name, 0.0) for result in results])) for name in STAGES}
    return {"seconds": float(np.median(taken)), "stages_ms": stages, "peak": peak.bytes()}


def by_size(models: Models, sizes: Sequence[float], turns: int, bar) -> list[dict[str, Any]]:
    """The same edits of the same scenes, drawn at each size: with a sketch, and from noise, as photographs are painted."""
    rows = []
    for size in sizes:
        some = edits(FEWEST, SIZES[size])
        row: dict[str, Any] = {"megapixels": size, "size": SIZES[size]}
        for kind, part in (("sketched", [one for one in some if one.sketched]), ("noise", [one for one in some if not one.sketched])):
            row[kind] = cost(part, turns, partial(ours, models))
        sketched, noise = (row[kind]["seconds"] for kind in ("sketched", "noise"))
        row["seconds"] = ((FEWEST - 1) * sketched + noise) / FEWEST
        row["peak"] = max(filter(None, (row[kind]["peak"] for kind in ("sketched", "noise"))), default=None)
        rows.append(row)
        bar.update()
    return rows


def with_objects(count: int) -> list[Edit]:
    """Edits of unseen scenes with `count` objects: the foremost gets another colour."""
    found: list[Edit] = []
    number = 0
    while len(found) < FEWEST:
        scene: Scene = make_scene(number)
        if len(scene.objects) == count:
            thing = scene.objects[-1]
            colour = next(name for name in COLOURS if name != thing.colour)
            found.append(Edit(render(scene), task_prompt("color", thing.category, colour), number, True))
        number += 1
    return found


def by_objects(models: Models, counts: Sequence[int], turns: int, bar) -> list[dict[str, Any]]:
    rows = []
    for count in counts:
        rows.append({"objects": count, **cost(with_objects(count), turns, partial(ours, models, select="best"))})
        bar.update()
    return rows


def by_batch(models: Models, batches: Sequence[int], todo: Sequence[Edit], least: int, turns: int, bar) -> list[dict[str, Any]]:
    rows = []
    for batch in batches:
        rows.append({"batch": batch, **cost(todo[: max(least, batch)], turns, partial(ours, models), batch)})
        bar.update()
    return rows


# --- the whole ---------------------------------------------------------------------------------------------------


def measured(args) -> dict[str, Any]:
    """The whole ladder and the three costs."""
    import torch
    from tqdm import tqdm

    from textedit_lite.training.loop import has_half_precision

    began = time.perf_counter()
    quiet()
    models, half = load_models(args.weights, "cpu"), load_models(args.weights, "cpu")
    half.painter.to(torch.bfloat16)
    batches = [batch for batch in BATCHES if batch <= args.most]
    todo = edits(max(args.edits, args.most))
    bench = Bench(models, half, todo, args.edits, args.threads)
    ladder = [way for way in ways(args.steps, sorted({min(8, args.most), args.most}), args.compile)
              if not way.half or has_half_precision("cpu")]  # fmt: skip
    with threads(args.threads):
        costs, turns = len(args.sizes) + len(args.objects) + len(batches), min(COST_TURNS, args.turns)
        with tqdm(total=costs, desc="costs", unit="point", disable=True if args.quiet else None) as bar:
            sizes = by_size(models, args.sizes, turns, bar)
            objects = by_objects(models, args.objects, turns, bar)
            by_batches = by_batch(models, batches, todo, args.edits, turns, bar)
        left = max(1.0, 60 * args.minutes - (time.perf_counter() - began))
        where = machine("cpu")
        rows = climb([bench.rung(way) for way in ladder], "cpu", args.turns, left, progress=not args.quiet)
    base = ladder[1].name
    return {
        "rows": compared(rows, base), "base": base, "sizes": sizes, "objects": objects, "batches": by_batches,
        "larger": larger(sizes), "cost_turns": turns, "machine": where, "versions": versions(), "seconds": time.perf_counter() - began,
        "settings": {key: getattr(args, key) for key in ("weights", "threads", "steps", "edits", "most", "turns", "minutes", "compile")},
    }  # fmt: skip


def larger(sizes: Sequence[dict[str, Any]]) -> dict[str, float] | None:
    """How many times as much an edit of 12 megapixels costs as one of 0.25: in the mean of the tasks, with a sketch, from noise."""
    found = {row["megapixels"]: row for row in sizes}
    if not {SMALL, LARGE} <= found.keys():
        return None
    small, large = found[SMALL], found[LARGE]
    kinds = {kind: large[kind]["seconds"] / small[kind]["seconds"] for kind in ("sketched", "noise")}
    return {"mean": large["seconds"] / small["seconds"], **kinds}


def as_markdown(figures: dict[str, Any]) -> str:
    """The ladder and the three costs as tables, with the machine underneath."""

    def stages(row) -> list[str]:
        return [f"{row['stages_ms'][name]:.0f}" for name in STAGES]

    def memory(row) -> str:
        return show(row["peak"] and row["peak"] / 1e9, "{:.2f}")

    def by_kind(row) -> list[str]:
        pairs = [(one["seconds"], first["seconds"]) for one, first in zip(kinds(row), kinds(sizes[0]))]
        return [text for mine, least in pairs for text in (show(mine), show(mine / least, "{:.2f}"))]

    def kinds(row):
        return row, row["sketched"], row["noise"]

    sizes, objects, batches, more = figures["sizes"], figures["objects"], figures["batches"], figures["larger"]
    times, turns = "times smallest", f"{figures['cost_turns']} turn{'s' * (figures['cost_turns'] > 1)}"
    lines = [
        ladder_table(figures["rows"], "plain"),
        "",
        f"Scenes of 256x256, {figures['settings']['weights']} weights; \"times plain\" is over {figures['base']}; "
        "the number in brackets is the rung that it adds one thing to.",
        *under(figures["machine"], figures["rows"]),
        *([] if any("bf16" in row["name"] for row in figures["rows"]) else ["This processor does not multiply bf16 itself: left out."]),
        "", f"Below, s an edit: the median of {turns} after a batch to warm up; a stage's ms: those of the last.",
        "", "By the size of the picture, one edit at a time:", "",
        table(["megapixels", "s an edit", times, "with a sketch, s", times, "from noise, s", times, "peak, GB"],
              [[show(row["megapixels"]), *by_kind(row), memory(row)] for row in sizes]),
    ]  # fmt: skip
    if more:
        verdict = "met" if more["mean"] < AIM else "not met"
        lines += ["", f"An edit of {LARGE} megapixels costs {more['mean']:.2f} times one of {SMALL} in the mean of the four tasks (aim: "
                  f"under {AIM}, {verdict}); {more['sketched']:.2f} times where it starts from a sketch, {more['noise']:.2f} times from "
                  "noise, as a photograph's does."]  # fmt: skip
    lines += [
        "", "By the number of objects, a new colour, one edit at a time:", "",
        table(["objects", "s an edit", *(f"{name}, ms" for name in STAGES)],
              [[str(row["objects"]), show(row["seconds"]), *stages(row)] for row in objects]),
        "", "By the batch, the four tasks in turn:", "",
        table(["edits at a time", "s an edit", "edits/s", *(f"{name}, ms" for name in STAGES), "peak, GB"],
              [[str(row["batch"]), show(row["seconds"]), show(1 / row["seconds"]), *stages(row), memory(row)] for row in batches]),
    ]  # fmt: skip
    return "\n".join(lines)


def cores() -> int:
    """The cores that this process may use: more threads than that wait for each other."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def numbers(kind: Callable[[str], Any], allowed: Sequence[Any]) -> Callable[[str], tuple]:
    def parsed(text: str) -> tuple:
        found = tuple(sorted({kind(part) for part in text.split(",")}))
        if not set(found) <= set(allowed):
            raise argparse.ArgumentTypeError(f"choose from {', '.join(map(str, allowed))}")
        return found

    return parsed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The speed ladder of a processor, and what an edit costs by what it is made of.")
    parser.add_argument("--weights", metavar="lite|DIR", default="lite", help="(default: lite)")
    parser.add_argument("--threads", metavar="N", type=int, default=cores(), help="(default: as many as it may use cores)")
    parser.add_argument("--steps", metavar="N", type=int, default=40, help="of the plain way (default: 40)")
    parser.add_argument("--edits", metavar="N", type=int, default=8, help="on each rung, at least (default: 8)")
    parser.add_argument("--most", metavar="N", type=int, default=32, help="edits in the largest batch (default: 32)")
    parser.add_argument("--sizes", type=numbers(float, list(SIZES)), default=tuple(SIZES), metavar="MP,MP", help="pictures, in megapixels")
    parser.add_argument("--objects", type=numbers(int, OBJECTS), default=OBJECTS, metavar="N,N", help="in a picture")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    parser.add_argument("--minutes", metavar="M", type=float, default=5, help="after which nothing is measured again (default: 5)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options(parser)
    args = parser.parse_args(argv)
    if args.most < 1 or args.threads < 1 or args.edits < FEWEST or args.steps < 2:
        parser.error(f"--most and --threads must be at least 1, --steps 2, --edits {FEWEST}")
    return finished(args, "cpu ladder", measured, as_markdown, "An edit of 256x256")


if __name__ == "__main__":
    sys.exit(main())
