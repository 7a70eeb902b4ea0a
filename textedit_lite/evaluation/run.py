"""The run: edits cases block by block, keeps each row as soon as it is there, and goes on after it was killed.

A block always holds the same few cases, whichever process edits it and whenever. What is computed together decides the
last digits of a picture; with fixed blocks, one process or several, in one go or in ten, give the same rows.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..editor import METADATA, EditResult
from ..errors import ImageError, OutputError, SettingsError
from ..images import make_folder, save_png
from ..memory import give_back
from ..models import Models, best_device, load_models, split_lcm
from . import rows
from .cases import Case, check_tasks, choose_cases
from .editors import CHOOSERS, Request, Way, attempt, check_editor, make_editor, trouble_named, warm
from .manifest import MANIFEST, begin, rival_of, weights_of
from .measure import make_rows, request_of
from .sets import Folder, World, open_set

BLOCK = 8  # edits at a time
PATIENCE = 1800.0  # seconds that one process waits for a sign of life from another
BEAT = 60.0  # seconds between two of them
QUIET = 600.0  # seconds without a new edit, after which the first process says which one it waits for: it may live and yet hang


def evaluate(
    data: str, editor: str = "ours", tasks: Sequence[str] = ("color", "tilt", "front", "updown"), images: int = 1000,
    seed: int = 0, weights: str = "lite", out: Path | str = "runs/evaluate", *, ablate: str | None = None,
    block: int = BLOCK, device: str | None = None, yes: bool = False, progress: bool = True,
    models: Models | None = None, then: Callable[[Path, Models], object] | None = None,
) -> Path:  # fmt: skip
    """Edit `images` pictures for each task, grade every edit, and return the folder with rows, pictures and run.json.

    Args:
        data: "world", "coco" or a COCO folder (`open_set`); editor: one of `EDITORS`; ablate: one of `ABLATED`.
        images: for each task; where the set has fewer with an object for it, all that it has.
        out: an empty folder, or the folder of the same run, which then goes on where it was.
        block: edits at a time; yes: download without asking; models: loaded already, in place of weights and device.
        then: called with the folder and the models, by the first process, when all is done.

    As one of several processes (RANK and WORLD_SIZE in the environment, as `accelerate launch` and `torchrun` set them) it
    takes its share of the blocks; the first process waits for all and merges their rows.
    Raises SettingsError, WeightsError or OutputError before anything is edited. It raises the last two also where the memory
    or the disk is full; the same call then goes on from there. Taught in notebook 06.
    """
    check_editor(editor, ablate)
    check_tasks(tasks)
    if block < 1:
        raise SettingsError("A block holds at least 1 edit, as in --block 8.")
    rank, world_size = process()
    source = open_set(data, seed, yes, fetch=world_size == 1)
    folder = make_folder(out)
    for part in (rows.EDITS, rows.PARTS):
        make_folder(folder / part)
    models = replace(models or load_models(weights, device or own_device(weights)), text_features={})  # with nothing remembered
    settings = {
        "data": source.name, "data_sha256": source.sha256, "editor": editor, "ablate": ablate, "tasks": list(tasks),
        "images": images, "seed": seed, "weights": models.name, "weights_sha256": weights_of(models.name), "block": block,
        "device": models.device.split(":")[0], "rival": rival_of(editor, models),
    }  # fmt: skip
    where = data if data in ("world", "coco") else str(Path(data).resolve())
    begin(folder, settings, {}, write=False)  # another run is refused before an hour is spent on choosing
    cases = choose_cases(source, tasks, images, seed)
    rows.check_cases(folder, cases)
    if rank == 0:
        begin(folder, settings, {"source": where, "processes": world_size})
        rows.write_cases(folder, cases)
    else:
        _wait_for_the_first(folder)
        begin(folder, settings, {}, write=False)
    mine = [cases[at : at + block] for at in range(rank * block, len(cases), world_size * block)]
    done = rows.read_parts(folder)
    todo = [some for some in mine if any(case.key not in done for case in some)]
    if todo:
        (folder / rows.DISTANCES).unlink(missing_ok=True)  # new edits make the old distances wrong
        warm(models, [case.category for case in cases])
        way = make_editor(editor, models, ablate)
        words = None if editor == "copy" else models.known_words
        old = [done[case.key]["success"] for some in mine if some not in todo for case in some]
        bar = _bar(sum(map(len, mine)), len(old), progress and rank == 0)
        part = rows.part_file(folder, rank)
        with trouble_named(), rows.open_lines(part) as file, _alive(part), bar:
            for some in todo:
                made = _block(source, some, way, words, models, editor in CHOOSERS, folder, done)
                for row in made:
                    if row["key"] not in done:
                        rows.append(file, row)
                old += [row["success"] for row in made]
                bar.update(len(made))
                bar.set_postfix(success=f"{sum(old) / len(old):.3f}")
                give_back()  # so that memory does not grow with the number of edits
    if rank == 0:
        _wait(folder, cases, world_size, block)
        rows.merge(folder, cases)
        if then:
            then(folder, models)
    return folder


def _block(
    source: Folder | World, cases: Sequence[Case], way: Way, words, models: Models, chooses: bool, folder: Path, done
) -> list[dict[str, Any]]:
    """The rows of one block; each picture is on disk before its row is, and none is written twice."""
    requests, results = _attempted(source, cases, way, words)
    made = make_rows(source, cases, requests, results, models, chooses)
    for case, result in zip(cases, results, strict=True):
        if result.image is not None and case.key not in done:
            text = json.dumps(vars(result.settings)) if result.settings else "{}"
            save_png(result.image, rows.edit_file(folder, case.key), {METADATA: text})
    return made


def _attempted(source, cases, way, words) -> tuple[list[Request | None], list[EditResult]]:
    """The requests and their results; a picture that cannot be read fails as any other edit does."""
    requests: dict[int, Request] = {}
    results: dict[int, EditResult] = {}
    for i, case in enumerate(cases):
        try:
            requests[i] = request_of(source, case)
        except ImageError as error:
            results[i] = EditResult("failed", str(error))
    results |= zip(requests, attempt(way, list(requests.values()), words), strict=True)
    return [requests.get(i) for i in range(len(cases))], [results[i] for i in range(len(cases))]


# --- processes ---------------------------------------------------------------------------------------------------


def process() -> tuple[int, int]:
    """(number of this process, number of processes), as a launcher sets them in the environment; (0, 1) without one.

    Raises SettingsError for numbers that make no sense. Taught in notebook 06.
    """
    given = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not all(text.isdecimal() for text in given) or int(given[0]) >= int(given[1]):
        raise SettingsError(f"RANK={given[0]} of WORLD_SIZE={given[1]} is no process: start it with `torchrun` or `accelerate launch`.")
    return int(given[0]), int(given[1])


def alone_under_accelerate() -> bool:
    """Whether `accelerate launch --cpu` was asked for several processes: without MPI it starts only one, and does not say so.

    It sets an address for them to meet at, but no rank.
    """
    return os.environ.get("ACCELERATE_USE_CPU") == "True" and "MASTER_ADDR" in os.environ and "RANK" not in os.environ


def own_device(weights: str | Path) -> str | None:
    """The best device; where there are several GPUs, the one of this process.

    None for lite, so that `load_models` chooses: its rows are the same everywhere.
    """
    if split_lcm(weights)[0] == "lite":
        return None
    device = best_device()
    return f"cuda:{os.environ['LOCAL_RANK']}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def _wait_for_the_first(folder: Path) -> None:
    """Waits until the first process has said what this run is; raises OutputError where it does not."""
    since = time.monotonic()
    while not (folder / MANIFEST).exists():
        if time.monotonic() - since > PATIENCE:
            raise OutputError(f"The first process has not begun the run in {folder}: start all of them together.")
        time.sleep(0.1)


@contextmanager
def _alive(path: Path) -> Iterator[None]:
    """Touches a file again and again as a sign of life: a block of a large model may take longer than others wait."""
    done = threading.Event()

    def beat() -> None:
        while not done.wait(BEAT):
            with suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=beat, name=str(path), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def _wait(folder: Path, cases: Sequence[Case], world_size: int, block: int = BLOCK) -> None:
    """Waits until the rows of all processes are there; raises OutputError where the others have died.

    A process that lives may be at work on a long block, or may hang; only the user can tell. So if nothing has come for
    QUIET seconds, a line on stderr says which processes are waited for.
    """
    known = edits = None
    since = heard = time.monotonic()
    while missing := _missing(folder, cases):
        if (signs := rows.touched(folder)) != known:
            known, since = signs, time.monotonic()
        if len(missing) != edits:
            edits, heard = len(missing), time.monotonic()
        if world_size == 1 or time.monotonic() - since > PATIENCE:
            raise OutputError(f"{len(missing)} edits of {folder} are missing, as a process has stopped: "
                              "give the same command again.")  # fmt: skip
        if time.monotonic() - heard > QUIET:
            ranks = sorted({at // block % world_size for at in missing})
            print(f"For {QUIET / 60:.0f} minutes no edit has come of process {', '.join(map(str, ranks))} (RANK), which lives and may be "
                  "at work: if it hangs, stop all and give the same command again, and the edits that are there stay.",
                  file=sys.stderr, flush=True)  # fmt: skip
            heard = time.monotonic()
        time.sleep(1)


def _missing(folder: Path, cases: Sequence[Case]) -> list[int]:
    """The places of the cases that no process has edited yet."""
    done = rows.read_parts(folder)
    return [at for at, case in enumerate(cases) if case.key not in done]


# --- progress ----------------------------------------------------------------------------------------------------


def _bar(total: int, done: int, shown: bool):
    from tqdm import tqdm

    return tqdm(total=total, initial=done, desc="editing", unit="edit", disable=None if shown else True)

