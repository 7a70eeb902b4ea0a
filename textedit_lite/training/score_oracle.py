"""Measures the oracle itself: what it says of good, spoiled, wrong and empty edits for which the truth is known."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

from ..errors import SettingsError
from ..evaluation.cases import asked_change, targets
from ..evaluation.table import as_markdown
from ..vocabulary import TASKS
from ..world.oracle import judge
from ..world.scenes import ideal_edit, make_scene
from .spoil import EMPTY, SPOILED, VALUES, wrong_edits

SHARE = 3  # each scene is spoiled, and emptied, in a third of the ways


def confusion(count: int = 500, seed: int = 0, progress: bool = True) -> tuple[dict[str, dict], dict[str, Counter]]:
    """What the oracle says of one object in each of `count` test scenes, under each kind of edit.

    Returns (kinds, tables). kinds: kind of edit -> {"edits", "category", "colour", "view", "pose": shares read correctly
    (for an empty place: read as nothing), "all", "success", "changed": shares judged so}. tables: attribute -> counts
    of (true value, judged value or "nothing") over "ideal", "unedited" and the wrong edits.
    """
    from tqdm import tqdm

    if count < 1:
        raise SettingsError(f"The oracle cannot be measured on {count} scenes: give --count 1 or more.")
    rows: dict[str, list[tuple]] = {}
    tables: dict[str, Counter] = {name: Counter() for name in VALUES}

    def note(kind, scene, index, change, picture, shown):
        found = judge(scene, index, change, picture)
        right = {name: getattr(found, name) == shown.get(name) for name in VALUES}
        rows.setdefault(kind, []).append((*right.values(), all(right.values()), found.success, found.changed))
        if kind not in SPOILED and kind not in EMPTY:
            for name, table in tables.items():
                table[shown[name], getattr(found, name) or "nothing"] += 1

    for number in tqdm(range(count), desc="scoring the oracle", unit="scene", disable=not progress):
        scene = make_scene(number, "test", seed)
        rng = np.random.default_rng([seed, number, 3])
        task = list(TASKS)[number % len(TASKS)]
        if not (possible := targets(scene, task)):
            continue
        index = int(rng.choice(possible))
        change = asked_change(task, scene.objects[index], rng)
        truth = {name: getattr(scene.objects[index], name) for name in VALUES}
        note("ideal", scene, index, change, ideal_edit(scene, index, change), {**truth, **change})
        for kind, done in wrong_edits(scene, index, change, rng).items():
            note(kind, scene, index, change, ideal_edit(scene, index, done), {**truth, **done})
        for kind, make in list(SPOILED.items())[number % SHARE :: SHARE]:
            note(kind, scene, index, change, make(scene, index, change, rng), {**truth, **change})
        for kind, make in list(EMPTY.items())[number % SHARE :: SHARE]:
            note(kind, scene, index, change, make(scene, index, change, rng), {})
    names = (*VALUES, "all", "success", "changed")
    order = [kind for kind in rows if kind not in SPOILED and kind not in EMPTY] + [*SPOILED, *EMPTY]
    kinds = {}
    for kind in sorted(rows, key=order.index):
        shares = np.mean(rows[kind], 0).round(4).tolist()
        kinds[kind] = {"edits": len(rows[kind]), **dict(zip(names, shares, strict=True))}
    return kinds, tables


def score_oracle(count: int = 500, seed: int = 0, progress: bool = True) -> dict:
    """How far the oracle can be trusted, on `count` unseen test scenes; prints its tables on stderr.

    Returns shares: `ideal` (of ideal edits, those with all four attributes read correctly or those called a success,
    whichever are fewer), `unedited` (not called changed), `wrong` (of wrong edits, those read correctly or those not called a
    success, whichever are fewer), `empty` (read as nothing), `spoiled` (good edits, blurred, moved, ..., that are still called
    a success), and `kinds`, the shares for each kind of edit. Taught in notebook 05.
    """
    kinds, tables = confusion(count, seed, progress)
    print(as_text(kinds, tables), file=sys.stderr)  # stdout is for the figures, which may be JSON

    def share(chosen, value):
        edits = sum(kinds[kind]["edits"] for kind in chosen)
        return round(sum(kinds[kind]["edits"] * value(kinds[kind]) for kind in chosen) / max(edits, 1), 4)

    wrong = [kind for kind in kinds if kind not in {"ideal", "unedited", *SPOILED, *EMPTY}]
    return {
        "ideal": share(kinds.keys() & {"ideal"}, lambda row: min(row["all"], row["success"])),
        "unedited": share(kinds.keys() & {"unedited"}, lambda row: 1 - row["changed"]),
        "wrong": share(wrong, lambda row: min(row["all"], 1 - row["success"])),
        "empty": share(kinds.keys() & EMPTY.keys(), lambda row: row["all"]),
        "spoiled": share(kinds.keys() & SPOILED.keys(), lambda row: row["success"]),
        "kinds": kinds,
    }


def as_text(kinds: dict[str, dict], tables: dict[str, Counter]) -> str:
    """The measured tables in Markdown; a row of a confusion table is the truth, a column what the oracle said."""
    columns = ("edits", *VALUES, "all", "success", "changed")
    rows = [[kind, str(row["edits"]), *(f"{100 * row[name]:.1f} %" for name in columns[1:])] for kind, row in kinds.items()]
    parts = [as_markdown([["edit", *columns], *rows])]
    for name, table in tables.items():
        said = [*VALUES[name], "nothing"]
        parts.append(as_markdown([[name, *said], *([true, *(str(table[true, value]) for value in said)] for true in VALUES[name])]))
    return "\n".join(parts).rstrip("\n")
