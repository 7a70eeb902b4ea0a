"""Measures what fewer steps, less guidance and other schedulers cost the editor, on the same unseen scenes.

    python benchmarks/steps_and_schedulers.py --count 25 --out runs/steps
    python benchmarks/steps_and_schedulers.py --count 25 --out runs/steps --lcm

edits 25 test scenes for each of the four tasks in every way (scheduler, steps, guidance); all ways edit some scenes before
the next scenes follow. It writes one row per edit into --out/rows.jsonl, and the table and its figure beside it. If it was
stopped, the same command goes on; with another --count, or with --lcm (the painter with the LoRA of `textedit-lite train
lcm`), it adds what is missing. The oracle of the small world says what succeeded; the editor does not know it.

A scheduler can replace the painter's own if it also ends in pure noise (zero terminal SNR) and lets the painter predict
velocity. DDIM and LCM do so as they are, since with velocities nothing is divided by the signal, which is 0 there;
DPM-Solver++, UniPC and Euler set it to 2^-24. Heun, DEIS, LMS, PNDM and the singlestep DPM-Solver ignore
`rescale_betas_zero_snr` and start where 7 % of the signal is left, for which the painter has not been trained. These are
refused.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from textedit_lite.editor import Editor
from textedit_lite.errors import SettingsError, TextEditError
from textedit_lite.evaluation.metrics import clustered_interval
from textedit_lite.images import make_folder, write_text
from textedit_lite.models import LCM, Models, load_models
from textedit_lite.plots import panels, save
from textedit_lite.training.card import machine
from textedit_lite.training.score_editor import SceneCase, measure, scene_cases
from textedit_lite.vocabulary import TASKS
from textedit_lite.world.scenes import render

SCHEDULERS = {
    "ddim": "DDIMScheduler", "dpm++": "DPMSolverMultistepScheduler", "unipc": "UniPCMultistepScheduler",
    "euler": "EulerDiscreteScheduler", "heun": "HeunDiscreteScheduler", "deis": "DEISMultistepScheduler",
    "lms": "LMSDiscreteScheduler", "singlestep": "DPMSolverSinglestepScheduler", "pndm": "PNDMScheduler",
}  # fmt: skip
STUDENT = "lcm"  # the few-step painter, with the scheduler that it was made for
USUAL = "ddim,dpm++,unipc"
LOSES_AT_MOST = 0.02  # of the success: what the fastest way that is named at the end may lose
SCENES_AT_ONCE = 2


class Way(NamedTuple):
    """How the painter paints."""

    scheduler: str
    steps: int
    guidance: float


# --- schedulers --------------------------------------------------------------------------------------------------


def scheduler_named(name: str, own) -> Any:
    """Another scheduler over a painter's own noise schedule. Raises SettingsError, with the reason, where it cannot replace it."""
    import diffusers

    if name not in SCHEDULERS:
        raise SettingsError(f"There is no scheduler {name!r} here: choose of {', '.join(SCHEDULERS)}.")
    other = getattr(diffusers, SCHEDULERS[name]).from_config(own.config)
    left = float(other.alphas_cumprod[-1]) ** 0.5
    if abs(left - float(own.alphas_cumprod[-1]) ** 0.5) > 0.001:
        raise SettingsError(f"{SCHEDULERS[name]} starts from noise with {left:.1%} of signal, which this painter has not been trained "
                            "to: leave it out.")  # fmt: skip
    return other


# --- edits -------------------------------------------------------------------------------------------------------


def sweep(ways: list[Way], models: dict[str, Models], count: int, seed: int, out: Path) -> list[dict[str, Any]]:
    """One row for each way, task and scene; rows that are in `out`/rows.jsonl already are not made again.

    models: by the scheduler's name.
    """
    from tqdm import tqdm

    path = out / "rows.jsonl"
    rows = {key(row): row for row in read_rows(path)}
    todo = [(way, some) for some in together(count, seed) for way in ways]
    missing = [(way, left) for way, some in todo if (left := [case for case in some if place(way, case) not in rows])]
    with tqdm(missing, desc="editing", unit="batch", disable=None) as bar, path.open("a", encoding="utf-8") as file:
        for way, some in bar:
            made = edits(way, some, models[way.scheduler])
            file.writelines(json.dumps(row) + "\n" for row in made)
            file.flush()
            rows |= {key(row): row for row in made}
    return [rows[place(way, case)] for way, some in todo for case in some]


def edits(way: Way, some: list[SceneCase], models: Models) -> list[dict[str, Any]]:
    """The rows of some edits, made in one batch by a new editor, so that nothing is remembered from another way."""
    images = [render(case.scene) for case in some]
    results = Editor(models).edit_batch(
        images, [case.prompt for case in some], [case.seed for case in some], steps=way.steps, guidance=way.guidance
    )
    rows = []
    for case, image, result in zip(some, images, results, strict=True):
        row = measure(case, image, result)
        kept = {name: row[name] for name in ("task", "scene", "success", "verified", "status")}
        rows.append(way._asdict() | kept | {"rounds": result.rounds, "seconds": round(sum(result.timings_ms.values()) / 1000, 4)})
    return rows


def together(count: int, seed: int) -> list[list[SceneCase]]:
    """The cases that are edited in one batch: SCENES_AT_ONCE of each task."""
    by_task = [scene_cases(count, seed, task) for task in TASKS]
    return [[case for one in by_task for case in one[at : at + SCENES_AT_ONCE]] for at in range(0, count, SCENES_AT_ONCE)]


def place(way: Way, case: SceneCase) -> tuple:
    return *way, case.task, case.scene.index


def key(row: dict[str, Any]) -> tuple:
    return *(row[name] for name in Way._fields), row["task"], row["scene"]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file; a last one that was cut short is removed from it."""
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    whole = [line for line in lines if line.endswith("}\n")]
    if len(whole) < len(lines):
        write_text(path, "".join(whole))
    return [json.loads(line) for line in whole]


# --- the table ---------------------------------------------------------------------------------------------------


def summary(rows: list[dict[str, Any]], usual: Way) -> list[dict[str, Any]]:
    """For each way: success by the oracle, in all and by task, with 95 % bootstrap intervals; `verified`; `seconds` per edit.

    loses: how much less success it has than the usual way, on the same edits, with its interval. The bootstrap draws
    scenes, as the four edits of one scene succeed or fail together.
    """
    by_way: dict[Way, dict[tuple, dict]] = {}
    for row in rows:
        by_way.setdefault(Way(*key(row)[:3]), {})[key(row)[3:]] = row
    figures = []
    for way, some in by_way.items():
        scenes = [row["scene"] for row in some.values()]
        success = [row["success"] for row in some.values()]
        loses = [float(by_way[usual][at]["success"]) - row["success"] for at, row in some.items()]
        figures.append(way._asdict() | {
            "edits": len(some), "success": float(np.mean(success)), "interval": clustered_interval(success, scenes),
            **{task: float(np.mean([row["success"] for row in some.values() if row["task"] == task])) for task in TASKS},
            "verified": float(np.mean([row["verified"] for row in some.values()])),
            "loses": float(np.mean(loses)), "loses_interval": clustered_interval(loses, scenes),
            "seconds": float(np.mean([row["seconds"] for row in some.values()])),
            "front_seconds": float(np.mean([row["seconds"] for row in some.values() if row["task"] == "front"])),
        })  # fmt: skip
    return figures


def fastest(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the ways that lose at most LOSES_AT_MOST against the usual one, the one with the fewest seconds per edit."""
    return min((one for one in figures if one["loses"] <= LOSES_AT_MOST + 1e-9), key=lambda one: one["seconds"])


def as_markdown(figures: list[dict[str, Any]], usual: Way, seed: int, device: str = "cpu") -> str:
    """The table, the fastest way that keeps the success, and the machine."""
    names = ("scheduler", "steps", "guidance", "success", *(task.upper() for task in TASKS), "verified", "loses", "seconds", "FRONT")
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for one in figures:
        low, high = one["interval"]
        less, more = one["loses_interval"]
        tasks = " | ".join(f"{one[task]:.0%}" for task in TASKS)
        lines.append(
            f"| {one['scheduler']} | {one['steps']} | {one['guidance']:g} | {one['success']:.1%} ({low:.0%} to {high:.0%}) | {tasks} "
            f"| {one['verified']:.0%} | {100 * one['loses']:+.1f} ({100 * less:+.0f} to {100 * more:+.0f}) | {one['seconds']:.2f} "
            f"| {one['front_seconds']:.2f} |"
        )
    best = fastest(figures)
    return "\n".join([
        *lines, "",
        f"{figures[0]['edits']} edits each way, on unseen scenes of seed {seed}; 95 % bootstrap intervals; `loses`, in points: against "
        f"{usual.scheduler} with {usual.steps} steps and guidance {usual.guidance:g}, on the same edits; seconds an edit, and of "
        "FRONT, which is painted from noise.",
        f"The fastest that loses at most {100 * LOSES_AT_MOST:.0f} points: {best['scheduler']}, {best['steps']} steps, guidance "
        f"{best['guidance']:g}: {best['seconds']:.2f} s. {machine(device)}.",
    ])  # fmt: skip


def draw(figures: list[dict[str, Any]]):
    """Plots success against steps, one panel per guidance scale and one line per scheduler, with intervals; returns the Figure."""
    scales, names = sorted({one["guidance"] for one in figures}), dict.fromkeys(one["scheduler"] for one in figures)
    apart = max(one["steps"] for one in figures) / 50  # alike as they are, lines at the same steps would hide each other
    figure, axes = panels(1, len(scales), 3.4, 2.8)
    for ax, scale in zip(axes, scales, strict=True):
        for place, name in enumerate(names):
            some = sorted((one for one in figures if (one["scheduler"], one["guidance"]) == (name, scale)), key=lambda one: one["steps"])
            success = np.array([one["success"] for one in some])
            ends = np.array([one["interval"] for one in some]).reshape(-1, 2).T
            steps = np.array([one["steps"] for one in some]) + apart * (place - (len(names) - 1) / 2)
            ax.errorbar(steps, success, np.abs(ends - success), marker="o", markersize=4, capsize=2, label=name)
        ax.set_title(f"guidance {scale:g}", fontsize=9)
        ax.set_xlabel("steps")
        ax.set_ylim(max(0.0, min(one["interval"][0] for one in figures) - 0.1), 1.02)
    axes[0].set_ylabel("success, by the oracle")
    axes[-1].legend(fontsize=8, loc="lower right")
    return figure


# --- the command -------------------------------------------------------------------------------------------------


def run(args: argparse.Namespace) -> str:
    """Make what is missing, write the table and the figure, and return the table."""
    make_folder(args.out)
    about, settings = args.out / "run.json", {"seed": args.seed, "weights": args.weights}
    before = json.loads(about.read_text(encoding="utf-8")) if about.exists() else {}
    if any(before.get(name, value) != value for name, value in settings.items()):
        raise SettingsError(f"{args.out} holds edits with {before}: give the same, or another folder.")
    names = args.schedulers.split(",")
    models = {}
    for name in names:
        models[name] = load_models(args.weights)
        models[name].painter.scheduler = scheduler_named(name, models[name].painter.scheduler)
    usual = Way(names[0], models[names[0]].steps, float(models[names[0]].guidance))
    ways = [Way(*way) for way in product(names, args.steps, args.guidance)]
    ways += [usual] * (usual not in ways)
    if args.lcm:
        models[STUDENT] = load_models(args.weights + LCM)
        few = [steps for steps in args.steps if steps <= 8]
        if not few:
            raise SettingsError("The few-step painter takes up to 8 steps: give some in --steps, as 2,4,8, or leave --lcm out.")
        ways += [Way(STUDENT, steps, models[STUDENT].guidance) for steps in few]
    write_text(about, json.dumps(before | settings) + "\n")
    figures = summary(sweep(ways, models, args.count, args.seed, args.out), usual)
    table = as_markdown(figures, usual, args.seed, models[names[0]].device)
    write_text(args.out / "table.md", table + "\n")
    save(draw(figures), args.out / "steps.png", dpi=150)
    return table


def numbers(kind):
    """A parser of numbers separated by commas, each once, in order."""

    def listed(text: str) -> list:
        return sorted({kind(part) for part in text.split(",")})

    return listed


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Success and seconds of the editor by scheduler, steps and guidance.")
    parser.add_argument("--count", metavar="N", type=int, default=25, help="scenes for each of the four tasks (default: 25)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the test scenes (default: 0)")
    parser.add_argument("--schedulers", metavar="NAME,...", default=USUAL, help=f"of {', '.join(SCHEDULERS)} (default: {USUAL}); "
                        "the first is the one that the others are measured against")  # fmt: skip
    parser.add_argument("--steps", metavar="N,...", type=numbers(int), default=[2, 4, 8, 12, 20], help="(default: 2,4,8,12,20)")
    parser.add_argument("--guidance", metavar="G,...", type=numbers(float), default=[1.0, 2.0, 3.0], help="(default: 1,2,3)")
    parser.add_argument("--weights", metavar="lite|DIR", default="lite", help="(default: lite)")
    parser.add_argument("--lcm", action="store_true", help="measure the weights' few-step painter as well")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="folder for rows, table and figure")
    args = parser.parse_args(argv)
    if args.count < 1:
        parser.error("--count must be at least 1")
    try:
        print(run(args))
    except TextEditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("Stopped: the same command goes on from here.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
