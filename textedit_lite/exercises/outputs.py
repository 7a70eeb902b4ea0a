"""Carries what answers return from a student's process to the grader's, as plain arrays and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ..training.files import whole


def write_outputs(folder: Path | str, number: str, outputs: list[Any]) -> None:
    """Write what an answer returned, a case each, to `folder`/NUMBER.npz; what is no plain data becomes None."""
    arrays: list[np.ndarray] = []
    tree = [_pack(value, arrays) for value in outputs]
    with whole(Path(folder) / f"{number}.npz") as half:
        np.savez(half, tree=np.array(json.dumps(tree)), **{f"a{i}": value for i, value in enumerate(arrays)})


def read_outputs(folder: Path | str, number: str) -> list[Any]:
    """What `write_outputs` wrote. Raises OSError or ValueError where nothing, or something else, lies there."""
    with np.load(Path(folder) / f"{number}.npz", allow_pickle=False) as stored:
        return [_unpack(value, stored) for value in json.loads(str(stored["tree"]))]


def _pack(value: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(value, (list, tuple)):
        return {"list" if isinstance(value, list) else "tuple": [_pack(item, arrays) for item in value]}
    if isinstance(value, str):
        return {"text": value}
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):
        return None
    if value is None or array.dtype.kind not in "biuf":
        return None
    arrays.append(array)
    return {"array": len(arrays) - 1}


def _unpack(value: Any, stored) -> Any:
    if value is None:
        return None
    (kind, content), = value.items()
    if kind in ("list", "tuple"):
        items = [_unpack(item, stored) for item in content]
        return items if kind == "list" else tuple(items)
    return content if kind == "text" else stored[f"a{content}"][()]
