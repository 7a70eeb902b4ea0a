"""Measures the rungs of a speed ladder in turns, and writes them down: a table in Markdown, JSON, a figure."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import platform
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from textedit_lite.errors import OutputError, SettingsError, TextEditError
from textedit_lite.images import make_folder, write_text
from textedit_lite.memory import is_out_of_memory
from textedit_lite.plots import save

STAGES_1_TO_3 = ("detect", "match", "mask")
LIBRARIES = ("textedit-lite", "torch", "transformers", "diffusers")


@dataclass(frozen=True)
class Rung:
    """One way to edit: `run(steps)` makes edits, as EditResults; with `steps` None it takes its own, and a few to warm up.

    over: the name of the rung that it adds one thing to; state: what must hold while it runs; optional: it is no error if
    it cannot run on a machine; more: what else the table should say about it.
    """

    name: str
    run: Callable[[int | None], Sequence[Any]]
    over: str | None = None
    state: Callable[[], contextlib.AbstractContextManager] = contextlib.nullcontext
    optional: bool = False
    more: dict[str, Any] = field(default_factory=dict)


# --- measuring ---------------------------------------------------------------------------------------------------


def synchronise(device: str) -> None:
    """Wait until a device has done all that it was asked: a call to a GPU only tells it what to do, and returns."""
    import torch

    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    elif device.startswith("mps"):
        torch.mps.synchronize()


def timed(function: Callable[[], Any], device: str) -> tuple[Any, float]:
    """What a function returns, and the seconds until the device has done it."""
    synchronise(device)
    began = time.perf_counter()
    value = function()
    synchronise(device)
    return value, time.perf_counter() - began


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device's memory is full, by itself or through what it was raised from."""
    return any(is_out_of_memory(one) for one in (error, error.__cause__) if one is not None)


def release(device: str) -> None:
    """Free memory that nothing holds any more; call it outside of an `except` clause, as an error holds all that it passed."""
    import torch

    gc.collect()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


def fitted(function: Callable[[], Any], device: str) -> Any:
    """What a function returns, or None where the memory has no room for it; the memory is then as before."""
    try:
        return function()
    except Exception as error:
        if not out_of_memory(error):
            raise
    release(device)
    return None


class Peak:
    """The most memory in use since `start`, in bytes, or None where it cannot be told.

    On CUDA it is all that torch had allocated; elsewhere what the process had of the machine's memory, a count that only
    Linux can start anew.
    """

    def __init__(self, device: str):
        self.device, self.known = device, True

    def start(self) -> None:
        import torch

        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.reset_peak_memory_stats(self.device)
            return
        with contextlib.suppress(OSError, AttributeError):  # with glibc, what was freed first goes back to the machine
            ctypes.CDLL(None).malloc_trim(0)
        try:
            Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self.known = False

    def bytes(self) -> int | None:
        import torch

        if self.device.startswith("cuda"):
            return torch.cuda.max_memory_allocated(self.device)
        if not self.known:
            return None
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
        return 1024 * int(found[1]) if found else None


def climb(rungs: Sequence[Rung], device: str, repeats: int, seconds: float, progress: bool = True) -> list[dict[str, Any]]:
    """Warm up every rung, then measure it `repeats` times in turns, so that whatever else the machine does affects all alike.

    After `seconds`, nothing is measured a second time; after half as much again, nothing is measured a first time, and what
    is left says that it was not measured. Returns one row per rung: `seconds` per edit (median), `best`, `turns`, `edits`,
    `share` of stages 1 to 3, `peak` in bytes, `without` (edits that brought no picture), or `failed`, a sentence.
    """
    from tqdm import tqdm

    rows = [{"name": rung.name, "over": rung.over, "taken": [], "warm": False, "failed": None, **rung.more} for rung in rungs]
    began = time.perf_counter()
    with tqdm(total=len(rungs) * (1 + repeats), desc="climbing", unit="rung", disable=None if progress else True) as bar:
        for turn in range(-1, repeats):  # the very first turn warms up: kernels are chosen, graphs compiled
            for rung, row in zip(rungs, rows, strict=True):
                bar.set_postfix_str(rung.name[:40])
                left = seconds - (time.perf_counter() - began)
                due = turn < 0 or row["warm"]
                if row["failed"] is None and due and (left > 0 or (turn == 0 and left > -seconds / 2)):
                    _measure(rung, row, device, warm=turn < 0)
                bar.update()
    for row in rows:
        taken, _ = row.pop("taken"), row.pop("warm")
        row["turns"] = len(taken)
        if taken:
            row["seconds"], row["best"] = float(np.median(taken)), float(min(taken))
        elif row["failed"] is None:
            row["failed"] = "not measured: the time was up"
    return rows


def _measure(rung: Rung, row: dict[str, Any], device: str, warm: bool) -> None:
    """Measure one turn of one rung, and add it to its row."""
    peak = Peak(device)
    try:
        with rung.state():
            if warm:
                rung.run(2)
                row["warm"] = True
                return
            peak.start()
            results, took = timed(lambda: rung.run(None), device)
            row["peak"] = peak.bytes()
    except Exception as error:
        if out_of_memory(error):
            row["failed"] = "does not fit into the memory"
        elif rung.optional:
            row["failed"] = f"does not run here ({' '.join(str(error).split())[:80]})"
        else:
            raise
    if row["failed"]:
        release(device)
        return
    row["taken"].append(took / len(results))
    row["edits"] = len(results)
    spent = [result.timings_ms for result in results]
    whole = sum(sum(one.values()) for one in spent)
    row["share"] = sum(one.get(stage, 0.0) for one in spent for stage in STAGES_1_TO_3) / max(whole, 1e-9)
    row["without"] = sum(result.image is None for result in results)


def compared(rows: Sequence[dict[str, Any]], base: str) -> list[dict[str, Any]]:
    """The rows with `times_base`, how many times as fast as the rung `base` each is, and `times_over`, as the rung it adds to."""
    seconds = {row["name"]: row.get("seconds") for row in rows}

    def times(row, other):
        return seconds[other] / row["seconds"] if other and seconds.get(other) and row.get("seconds") else None

    return [row | {"times_base": times(row, base), "times_over": times(row, row["over"])} for row in rows]


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Sets torch to `count` threads, and then back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quiet() -> None:
    """Keeps the libraries' messages while they load and cast off the terminal."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    for log in (diffusers_log, transformers_log):
        log.set_verbosity_error()


# --- writing down ------------------------------------------------------------------------------------------------


def versions() -> dict[str, str]:
    """The versions that the figures were measured with."""
    return {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()}


def show(value: float | None, form: str = "{:.3g}") -> str:
    """A number for a table: three digits and no exponent unless told otherwise, a dash where there is none."""
    if value is None:
        return "–"
    text = form.format(value)
    return f"{value:.0f}" if "e" in text and abs(value) >= 1 else text


def table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """A table in Markdown: the first `words` columns are text, the others are numbers."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * words}{'---:|' * (len(head) - words)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def ladder_table(rows: Sequence[dict[str, Any]], base: str, floor: bool = False) -> str:
    """The ladder in Markdown; floor: adds what the device could do at best, where the rows know it."""
    names = {row["name"]: number for number, row in enumerate(rows, 1)}
    head = ["", "rung", "s an edit", "edits/s", f"times {base}", "times rung", *(["floor, s", "times floor"] if floor else []),
            "stages 1-3", "peak, GB"]  # fmt: skip
    lines = []
    for row in rows:
        if row["failed"]:
            lines.append([str(names[row["name"]]), f"{row['name']}: {row['failed']}", *["–"] * (len(head) - 2)])
            continue
        over = f"{show(row['times_over'], '{:.2f}')} ({names[row['over']]})" if row["times_over"] else "–"
        lowest = [show(row.get("floor")), show(row.get("times_floor"), "{:.2f}")] if floor else []
        peak = row.get("peak")
        lines.append([
            str(names[row["name"]]), row["name"], show(row["seconds"]), show(1 / row["seconds"]),
            show(row["times_base"], "{:.2f}"), over, *lowest, f"{row['share']:.1%}", show(peak and peak / 1e9, "{:.2f}"),
        ])  # fmt: skip
    return table(head, lines, words=2)


def under(machine: str, rows: Sequence[dict[str, Any]]) -> list[str]:
    """The notes under a ladder: how it was measured, where, and what is odd about it."""
    turns = [row["turns"] for row in rows if row["turns"]]
    many = " to ".join(map(str, sorted({min(turns), max(turns)}))) if turns else ""
    lines = [f"Medians of {many} turns after a warm-up, all rungs in one run." if turns else "Nothing was measured."]
    if black := sum(row.get("without", 0) for row in rows):
        lines.append(f"{black} edits brought no picture (black, or not a number): they were timed up to there.")
    return [*lines, f"{machine}; {', '.join(f'{name} {value}' for name, value in versions().items())}."]


def figure(rows: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw the ladder as bars, one per rung: seconds per edit on a logarithmic axis, and a mark where the floor is."""
    from matplotlib.figure import Figure

    there = [row for row in rows if not row["failed"]]
    drawn = Figure(figsize=(9, 0.4 * len(there) + 1.4), layout="constrained")
    axes = drawn.add_subplot()
    axes.barh(range(len(there)), [row["seconds"] for row in there], color="tab:blue")
    for y, row in enumerate(there):
        axes.annotate(f" {show(row['seconds'])} s", (row["seconds"], y), va="center", fontsize=8)
        if row.get("floor"):
            axes.plot([row["floor"]] * 2, [y - 0.4, y + 0.4], color="black")
    axes.set(yticks=range(len(there)), yticklabels=[row["name"] for row in there], xscale="log", xlabel="seconds an edit", title=title)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    save(drawn, path, dpi=120)


def around(path: Path, name: str) -> tuple[str, str]:
    """The text of a file up to `<!-- NAME -->` and from `<!-- end of NAME -->` on, with both marks included.

    Raises OutputError where the file cannot be read, or has no such place.
    """
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    try:
        before, rest = path.read_text(encoding="utf-8").split(begin)
        _, after = rest.split(end)
    except (OSError, ValueError) as error:
        raise OutputError(f'"{path}" has no one place for the figures: put {begin} and {end} into it, each once.') from error
    return before + begin, end + after


def write_into(path: Path, name: str, text: str) -> None:
    """Put a text into a file, in place of what stands between its two marks; raises OutputError as `around` does."""
    before, after = around(path, name)
    write_text(path, f"{before}\n{text}\n{after}")


def options(parser) -> None:
    """Adds the arguments that all ladders have in common."""
    parser.add_argument("--turns", metavar="N", type=int, default=3, help="measurements of each rung, at most (default: 3)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", metavar="DIR", type=Path, help="write the table, the figures and the numbers into a folder too")
    parser.add_argument("--write", metavar="FILE", type=Path, help="put the table into a Markdown file, in place of its last one")


def checked(args, name: str) -> None:
    """Raises SettingsError or OutputError, before anything is measured, for what would otherwise be noticed only afterwards."""
    if args.turns < 1 or not args.minutes > 0:
        raise SettingsError("A ladder needs at least one turn and some minutes: give --turns 1 or more, --minutes above 0.")
    if args.write and not args.write.is_file():
        raise SettingsError(f'There is no file "{args.write}": name one that has a place for the table, as docs/speed.md.')
    if args.write:
        around(args.write, name)
    if args.out:
        make_folder(args.out)


def hand_over(args, name: str, figures: dict[str, Any], text: str, title: str) -> None:
    """Print, write and draw what was measured, as the arguments say."""
    print(json.dumps(figures) if args.json else text)
    if args.write:
        write_into(args.write, name, text)
    if args.out:
        stem = name.replace(" ", "_")
        write_text(args.out / f"{stem}.md", text + "\n")
        write_text(args.out / f"{stem}.json", json.dumps(figures, indent=2) + "\n")
        if any(not row["failed"] for row in figures["rows"]):
            figure(figures["rows"], args.out / f"{stem}.png", title)


def finished(args, name: str, measured: Callable, as_markdown: Callable, what: str) -> int:
    """Measure, and hand over what was found; returns the exit status, after one sentence where it cannot be done."""
    try:
        checked(args, name)
        figures = measured(args)
        hand_over(args, name, figures, as_markdown(figures), f"{what}: {figures['machine']}")
    except TextEditError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0
