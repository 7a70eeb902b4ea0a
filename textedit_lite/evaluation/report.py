"""Puts finished runs side by side: the tables, what can and cannot be compared, and the figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import SettingsError, TextEditError
from ..images import make_folder, open_image, write_text
from ..models import Models, load_clip, split_lcm
from . import figures as drawn
from .editors import ABLE, IN_WORDS, trouble_named
from .manifest import read_manifest
from .rows import edit_file, read_cases, read_rows
from .setwise import Load, set_measures, set_of
from .table import DISTANCES, TABLES, as_csv, as_latex, as_markdown, figures, grid

NO_FID = (
    "The FID over Inception is lacking: it needs `pip install torch-fidelity`, beside a torchvision that is made for your torch, and "
    "`textedit-lite fetch inception` (96 MB); the next `textedit-lite report` of these runs then adds it."
)


@dataclass
class Run:
    """A run as a report sees it: its folder, its name in the table, its settings, its rows, and the distances of its sets.

    lacking: why there are no distances, where they could not be computed.
    """

    folder: Path
    name: str
    settings: dict[str, Any]
    rows: list[dict[str, Any]]
    planned: int
    distances: dict[str, dict[str, Any]]
    lacking: str = ""

    def lines(self) -> list[tuple[str, str, dict[str, Any]]]:
        """(task, editor, figures) for each task, and for all of them together where there are several."""
        tasks = self.settings["tasks"]
        parts = {task: [row for row in self.rows if row["task"] == task] for task in tasks}
        if len(tasks) > 1:
            parts["all"] = self.rows
        return [(task.upper() if task != "all" else task, self.name, figures(rows, self.distances.get(task)))
                for task, rows in parts.items() if rows]  # fmt: skip


def read_run(folder: Path | str, models: Models | None = None, load: Load = load_clip) -> Run:
    """A run from its folder, with the distances of its sets; raises SettingsError for a folder that holds none.

    models: those of the run; without them `load` gets its CLIP (`set_measures`). If its pictures or its weights are gone,
    what its rows say is still reported. Taught in notebook 06.
    """
    folder = Path(folder)
    settings = read_manifest(folder)["settings"]
    rows = read_rows(folder)
    if not rows:
        raise SettingsError(f"The run in {folder} has no edits yet: give `textedit-lite evaluate` the time to make some.")
    name = settings["editor"] + (f", {IN_WORDS[settings['ablate']]}" if settings["ablate"] else "")
    run = Run(folder, name, settings, rows, len(read_cases(folder)), {})
    try:
        with trouble_named():
            run.distances = set_measures(folder, models, load)
    except TextEditError as error:
        run.lacking = f" No distances of its sets: {error}"
    return run


def report(folders: Sequence[Path | str], out: Path | str | None = None, models: Models | None = None) -> str:
    """The report of runs as Markdown; `out` gets it as report.md, with report.csv, report.tex and the figures beside it.

    models: those of the runs, if they are loaded already; else the CLIP that they need is loaded, once for all runs with
    the same weights.
    Raises SettingsError for folders without a run, OutputError where `out` cannot be written. Taught in notebook 06.
    """
    if not folders:
        raise SettingsError("There is no run to report: give the folders that `textedit-lite evaluate` wrote.")
    load = cache(load_clip)
    runs = [read_run(folder, models, load) for folder in folders]
    _name_apart(runs)
    lines = sorted((line for run in runs for line in run.lines()), key=_task_first(runs))
    tables = {title: cells for title, columns in TABLES.items() if (cells := grid(lines, columns))}
    parts = [f"## {title}\n\n{as_markdown(cells)}" for title, cells in tables.items()]
    text = "\n".join(["# Report\n", _about(runs), *parts, _notes(runs), _failures(runs)])
    if out is not None:
        out = make_folder(out)
        write_text(out / "report.csv", as_csv(lines))
        titles = {title: " ".join([f"{title}.", *(_captions(runs) if TABLES[title] is DISTANCES else [])]) for title in tables}
        write_text(out / "report.tex", "\n".join(as_latex(cells, titles[title]) for title, cells in tables.items()))
        text += _draw(runs, out)
        write_text(out / "report.md", text)
    return text


# --- words -------------------------------------------------------------------------------------------------------


def _about(runs: Sequence[Run]) -> str:
    lines = []
    for run in runs:
        s = run.settings
        done = f"{len(run.rows)} edits" if len(run.rows) == run.planned else f"{len(run.rows)} of {run.planned} edits so far"
        versions = len(read_manifest(run.folder)["started"])
        mixed = f" Begun and continued under {versions} versions or machines (run.json)." if versions > 1 else ""
        lines.append(f"- **{run.name}**: {done}, set {s['data']}, at most {s['images']} images a task, seed {s['seed']}, "
                     f"{s['weights']} weights, {s['device']}.{mixed}{run.lacking}")  # fmt: skip
    return "\n".join(lines) + "\n"


def _notes(runs: Sequence[Run]) -> str:
    """What is and what is not comparable."""
    worlds = [run.settings["data"] == "world" or any("oracle" in row for row in run.rows) for run in runs]
    notes = [
        "In brackets are 95 % bootstrap intervals, which draw pictures, each with all of its edits. An interval without any width in "
        "the digits shown, as of 4 out of 4, is left out, and is no certainty. A measure of pixels counts only edits that came back.",
        '"A picture came back" is what the paper counts as success. "Success" asks whether the change is there and the object is '
        "still that object: by the oracle where the scene is known, else by colour histogram, DETR and CLIP.",
        '"Right of itself": of the edits that came back, those in which the editor\'s own verdict ("editor says so") agrees with '
        '"success". An editor that does not look at what it made has no verdict.',
        '"Outside" means outside the place where the edit may happen. This place is the true box, grown as our editor grows its '
        "own, and is the same for every editor. The PSNR of an exact background is capped at 100 dB.",
        "The paper's row is 1,000 images of COCO val2017, four tasks, full-size models, on an RTX A5000. Runs on `coco` with `full` "
        "weights and --images 1000 compare with it in the share that came back and, as far as the paper's SSIM has these settings, in "
        "the SSIM at 512x512. Seconds compare only on its GPU, and its FID only with an FID over Inception, not with distances over "
        "CLIP.",
        "A distance between sets says nothing without its features, its N and its pairing, which end this list. The edits are "
        "compared with their own originals, so an editor that does nothing is best in it.",
        "Success by DETR, CLIP and colour is judged with the models that the editors themselves use. For a turn or a new view it asks "
        "only that CLIP's features moved in the direction of the words: on the small world it passes about half of the edits that "
        "turned nothing. So on photographs it tells only roughly which editor did more of TILT, FRONT and UPDOWN.",
    ]
    if any(worlds):
        notes.append("The small world is no photograph: its figures compare with each other, not with the paper's.")
    if not all(worlds) and any(split_lcm(run.settings["weights"])[0] == "lite" for run in runs):
        notes.append("The lite models have never seen a photograph: on such a set their scores mean nothing, they show that it runs.")
    if len({tuple((row["key"], row["prompt"]) for row in run.rows) for run in runs}) > 1:
        notes.append("These runs did not make the same edits, so their lines compare only as far as the sets are alike.")
    if any("fid" not in task for run in runs for task in run.distances.values()):
        notes.append(NO_FID)
    notes += _captions(runs)
    return "\n".join(f"- {note}" for note in notes) + "\n"


def _captions(runs: Sequence[Run]) -> list[str]:
    """What the distances of sets are measured over: features, N, pairing, and the set that they compare with."""
    return sorted({caption for run in runs for task in run.distances.values() for caption in task["captions"].values()})


def _failures(runs: Sequence[Run]) -> str:
    """How the edits ended, and the most frequent reasons why edits did not come back."""
    lines = ["## How they ended\n"]
    for run in runs:
        ends = Counter(row["status"] for row in run.rows)
        lines.append(f"- **{run.name}**: " + ", ".join(f"{count} {status}" for status, count in ends.most_common()))
        reasons = Counter(row["message"].split(":")[0] for row in run.rows if not row["returned"])
        lines += [f"  - {count} times: {reason}" for reason, count in reasons.most_common(5)]
    return "\n".join(lines) + "\n"


def _name_apart(runs: Sequence[Run]) -> None:
    """Adds their folders' names to runs of the same editor, with as many parent folders as it takes to tell them apart."""
    for name in {run.name for run in runs}:
        alike = [run for run in runs if run.name == name]
        paths = [run.folder.resolve().parts for run in alike]
        depth = next((n for n in range(1, max(map(len, paths))) if len({path[-n:] for path in paths}) == len(set(paths))), 1)
        for run, path in zip(alike, paths):
            run.name += f" ({'/'.join(path[-depth:])})" if len(alike) > 1 else ""


def _task_first(runs: Sequence[Run]):
    tasks = [*dict.fromkeys(task.upper() for run in runs for task in run.settings["tasks"]), "all"]
    return lambda line: tasks.index(line[0])


# --- figures -----------------------------------------------------------------------------------------------------


def _draw(runs: Sequence[Run], out: Path) -> str:
    """Write the figures; returns the Markdown that shows them. A run whose set has gone has no sheet."""
    from ..plots import save

    named, lines = {run.name: run.rows for run in runs}, ["\n## Figures\n"]
    for number, run in enumerate(runs):
        try:
            figure = sheet_of(run)
        except TextEditError as error:
            lines.append(f"No sheet of {run.name}: {error}\n")
            continue
        if figure is not None:
            name = f"sheet-{number}.png"
            save(figure, out / name, dpi=110)
            lines.append(f"![Best, median and worst edits of {run.name}]({name})\n")
    fused = {run.name: run.rows for run in runs if run.settings["editor"] in ABLE}  # plain's margin is of cosines
    points = {name: drawn.success_and_harm(rows) for name, rows in named.items()}
    drawings = (
        ("trade_off.png", drawn.trade_off(points), "Success against harm"),
        ("reliability.png", drawn.reliability(fused), "Right choices by the margin"), ("cost.png", drawn.cost(named), "Cost"),
    )  # fmt: skip
    for name, ax, title in drawings:
        save(ax, out / name, dpi=110)
        lines.append(f"![{title}]({name})\n")
    return "\n".join(lines)


def sheet_of(run: Run):
    """The sheet of best, median and worst edits of a run, or None where too few came back. Taught in notebook 06."""
    from ..world.scenes import ideal_edit

    parts = drawn.picked(run.rows)
    if not parts:
        return None
    source = set_of(run.folder)
    shown: dict[str, list] = {}
    for name, some in parts.items():
        for row in some:
            picture = source.picture(row["image_id"])
            pictures = [source.open(picture), open_image(edit_file(run.folder, row["key"]))]
            if scene := source.scene(picture):
                pictures.append(ideal_edit(scene, picture.objects[row["index"]].attributes["order"], row["change"]))
            shown.setdefault(name, []).append((row, pictures))
    return drawn.sheet(shown, f"{run.name}: best, median and worst")
