"""Compares our editor with the plain way, on the same unseen scenes in one run: time, success, untouched background.

    python benchmarks/edit_speed.py --count 20

edits 20 test scenes for each of the four tasks both ways, one edit at a time, and prints a table in Markdown (or, with
--json, one JSON object). The oracle of the small world says what succeeded; neither way knows it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np

from textedit_lite.editor import Editor
from textedit_lite.errors import TextEditError
from textedit_lite.evaluation.verdict import background_share
from textedit_lite.models import load_models
from textedit_lite.rivals import plain_edit
from textedit_lite.training.card import machine
from textedit_lite.training.score_editor import SceneCase, measure, scene_cases
from textedit_lite.vocabulary import TASKS
from textedit_lite.world.scenes import render

WAYS = {"ours": "our editor", "plain": "the plain way"}


def edited(way: str, case: SceneCase, image, models) -> tuple[Any, float]:
    """One edit, and the seconds that it took; a new editor each time, so that nothing is remembered."""
    began = time.perf_counter()
    if way == "ours":
        result = Editor(models).edit(image, case.prompt, seed=case.seed)
    else:
        result = plain_edit(image, case.prompt, models, seed=case.seed)
    return result, time.perf_counter() - began


def one_row(way: str, case: SceneCase, models) -> dict[str, Any]:
    """The measures of one edit, by the oracle and by counting pixels."""
    image = render(case.scene)
    result, seconds = edited(way, case, image, models)
    row = measure(case, image, result)
    return {
        "way": way, "task": case.task, "scene": case.scene.index, "seconds": seconds, "status": result.status,
        "success": row["success"], "claimed": result.status == "edited", "target": row["target"],
        "background": background_share(image, row["edited"], result.mask),
    }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The figures of one way, computed from its rows."""
    seconds = [row["seconds"] for row in rows]
    by_task = {task: [row["success"] for row in rows if row["task"] == task] for task in TASKS}
    return {
        "edits": len(rows),
        "seconds_median": float(np.median(seconds)),
        "seconds_mean": float(np.mean(seconds)),
        "success": float(np.mean([row["success"] for row in rows])),
        **{f"success_{task}": float(np.mean(some)) for task, some in by_task.items()},
        "claimed": float(np.mean([row["claimed"] for row in rows])),
        "claimed_wrongly": float(np.mean([row["claimed"] and not row["success"] for row in rows])),
        "right_object": float(np.mean([row["target"] for row in rows])),
        "background_changed": float(np.mean([row["background"] for row in rows])),
    }


def compare(count: int, seed: int, weights: str, device: str | None = None) -> dict[str, Any]:
    """Run both ways on the same scenes, in turns, so that whatever else the machine does affects both alike."""
    from tqdm import tqdm

    models = load_models(weights, device)
    todo = [case for four in zip(*(scene_cases(count, seed, task) for task in TASKS), strict=True) for case in four]
    for way in WAYS:  # to warm up, as the first call of everything is slower
        edited(way, todo[0], render(todo[0].scene), models)
    rows = []
    with tqdm(todo, desc="editing both ways", unit="scene", disable=None) as bar:
        for case in bar:
            rows += [one_row(way, case, models) for way in WAYS]
    figures = {way: summary([row for row in rows if row["way"] == way]) for way in WAYS}
    return {
        **figures,
        "times_faster": figures["plain"]["seconds_median"] / figures["ours"]["seconds_median"],
        "machine": machine(models.device),
        "versions": {name: version(name) for name in ("textedit-lite", "torch", "transformers", "diffusers")}
        | {"python": platform.python_version()},
        "settings": {"count": count, "seed": seed, "weights": weights, "device": models.device},
    }


def as_markdown(figures: dict[str, Any]) -> str:
    """The comparison as a table, with the machine and the versions underneath."""
    rows = [
        ("seconds an edit, median", "seconds_median", "{:.2f}"),
        ("seconds an edit, mean", "seconds_mean", "{:.2f}"),
        ("success, by the oracle", "success", "{:.1%}"),
        *((f"success in {task.upper()}", f"success_{task}", "{:.1%}") for task in TASKS),
        ("says that it succeeded", "claimed", "{:.1%}"),
        ("says so wrongly", "claimed_wrongly", "{:.1%}"),
        ("the right object", "right_object", "{:.1%}"),
        ("background pixels changed", "background_changed", "{:.1%}"),
    ]
    lines = [f"| | {' | '.join(WAYS.values())} |", f"|---|{'---|' * len(WAYS)}"]
    lines += [f"| {name} | {' | '.join(form.format(figures[way][key]) for way in WAYS)} |" for name, key, form in rows]
    settings, versions = figures["settings"], figures["versions"]
    lines += [
        "",
        f"{figures['ours']['edits']} edits each way ({settings['count']} unseen scenes of seed {settings['seed']} for each "
        f"of {len(TASKS)} tasks), one at a time, {settings['weights']} weights on {settings['device']}: "
        f"ours is {figures['times_faster']:.1f} times as fast.",
        f"{figures['machine']}; {', '.join(f'{name} {value}' for name, value in versions.items())}.",
    ]
    return "\n".join(lines)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Our editor against the plain way, on the same unseen scenes.")
    parser.add_argument("--count", metavar="N", type=int, default=20, help="scenes for each of the four tasks (default: 20)")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="of the test scenes (default: 0)")
    parser.add_argument("--weights", metavar="lite|full|DIR", default="lite", help="(default: lite)")
    parser.add_argument("--device", metavar="cpu|cuda|mps", help="(default: the best that is there, for lite the CPU)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    args = parser.parse_args(argv)
    if args.count < 1:
        parser.error("--count must be at least 1")
    try:
        figures = compare(args.count, args.seed, args.weights, args.device)
    except TextEditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(json.dumps(figures) if args.json else as_markdown(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
