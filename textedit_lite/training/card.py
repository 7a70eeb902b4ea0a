"""Writes what is to be known of a trained model beside it: README.md (the model card) and results.json."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .loop import Run


def machine() -> str:
    """The processor that trains here, how many threads of it torch uses, and torch's version."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()}, torch {torch.__version__}"
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
        command: what made these weights, and `data`: what it saw, with its seeds.
        run: what `loop.run` returned.
        results: measure -> value; nested dicts become dotted rows. `targets`: measure -> what was aimed at.
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
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            text += f"| {path.relative_to(folder)} | {path.stat().st_size:,} | `{digest}` |\n"
    (folder / "README.md").write_text(text, encoding="utf-8")
    (folder / "results.json").write_text(json.dumps({"results": results, "training": facts}, indent=2) + "\n")


def _flat(results: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for key, value in results.items():
        rows += _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else [(f"{prefix}{key}", value)]
    return rows


def _show(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
