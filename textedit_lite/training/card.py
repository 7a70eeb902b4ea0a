"""Writes down beside a trained model what one must know about it: README.md (the model card) and results.json."""

from __future__ import annotations

import json
import os
import platform
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checksums import sha256_of

if TYPE_CHECKING:
    from .loop import Run

POINTS = 60  # points of a training curve that are kept with the model


def machine(device: str | None = None) -> str:
    """The hardware of a device, for a processor its threads, and torch's version.

    device: by default the GPU if there is one, as in training.
    """
    import torch

    if torch.cuda.is_available() and (device is None or device.startswith("cuda")):
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {torch.get_num_threads()} of {os.cpu_count()} cores, torch {torch.__version__}"


def write_card(
    folder: str | Path,
    *,
    title: str,
    what: str,
    command: str,
    data: str,
    run: Run,
    results: dict[str, Any],
    limits: str,
    targets: dict[str, str] | None = None,
    more: str = "",
) -> None:
    """Write `README.md` and `results.json` into the folder of a saved model, every number from the run itself.

    Args:
        title, what: the heading, and a paragraph on what the model is and does.
        command: what made these weights. `data`: what the model saw, with its seeds.
        run: what `loop.run` returned.
        results: measure -> value; nested dicts become dotted rows. `targets`: measure -> the value aimed at.
        limits: what it cannot do. `more`: anything else, in Markdown.
    """
    folder = Path(folder)
    facts = {
        "command": command, "data": data, "steps": run.steps, "minutes": round(run.minutes, 2),
        "machine": machine(), "settings": run.settings, "losses": {k: round(v, 5) for k, v in run.losses.items()},
    }  # fmt: skip
    rows = [f"| {key} | {_show(value)} | {(targets or {}).get(key, '')} |" for key, value in _flat(results)]
    parameters = sum(parameter.numel() for parameter in run.model.parameters())
    settings = ", ".join(f"{key} {value}" for key, value in run.settings.items())
    text = f"""# {title}

{what}

## Results

| measure | value | target |
|---|---|---|
{chr(10).join(rows)}

## How it was made

| | |
|---|---|
| command | `{command}` |
| data | {data} |
| parameters | {parameters:,} |
| steps | {run.steps:,} |
| minutes | {run.minutes:.1f} |
| machine | {facts["machine"]} |
| settings | {settings} |
| losses at the end | {", ".join(f"{key} {value:.4g}" for key, value in run.losses.items())} |

## Limits

{limits}
{f"{chr(10)}{more}{chr(10)}" if more else ""}
## Files

| file | bytes | sha256 |
|---|---|---|
"""
    for path in sorted(folder.rglob("*.safetensors")):
        if not path.name.startswith((".", "checkpoint")):
            text += f"| {path.relative_to(folder)} | {path.stat().st_size:,} | `{sha256_of(path)}` |\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "results.json").write_text(json.dumps({"results": results, "training": facts}, indent=2) + "\n")
    add_curves(folder)


def add_curves(folder: str | Path, training: str | Path | None = None, note: str = "") -> dict[str, dict[str, list[float]]]:
    """Put the curves of a run into the `results.json` of its folder, under "curves", and return them.

    training: the folder of the run's logs, by default `folder`/training. note: what a reader must know about that run if it
    is not the one that made the model; it is written beside the curves as "curves_note". A run of one phase has the curve
    "all"; a run of several phases (the detector's) has one curve per phase, in order. Without any log nothing is written.
    Each curve holds at most 60 points of `step`, `minutes`, `loss` and its parts, as lists. Taught in notebook 09.
    """
    folder, training = Path(folder), Path(training or Path(folder) / "training")
    logs = sorted(training.rglob("log.jsonl"), key=lambda path: path.stat().st_mtime)
    found = {"all" if path.parent == training else path.parent.name: _thinned(path) for path in logs}
    found = {phase: curve for phase, curve in found.items() if curve}
    if found:
        path = folder / "results.json"
        facts = json.loads(path.read_text(encoding="utf-8")) | ({"curves_note": note} if note else {}) | {"curves": found}
        text = re.sub(r"\[[^\[\]{}]*\]", lambda part: re.sub(r"\s+", " ", part[0]), json.dumps(facts, indent=2))
        path.write_text(text + "\n", encoding="utf-8")
    return found


def _thinned(log: Path) -> dict[str, list[float]]:
    """A log as columns; neighbouring lines are averaged, so that at most POINTS are left."""
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
    parts = np.array_split(np.arange(len(lines)), max(1, min(POINTS, len(lines))))
    curve: dict[str, list[float]] = {}
    for key in [key for key in lines[0] if key != "lr"] if lines else ():
        values = [[lines[i][key] for i in part] for part in parts]
        curve[key] = [row[-1] if key in ("step", "minutes") else float(np.mean(row)) for row in values]
    return {key: [float(f"{value:.4g}") if key != "step" else int(value) for value in column] for key, column in curve.items()}


def _flat(results: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in results.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
