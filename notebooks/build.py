"""Builds the notebooks from their text: `python notebooks/build.py [NN ...]` runs each and stores what it shows.

`text/NN_name.py` (jupytext's percent format) is what people edit and review; `NN_name.ipynb`, which GitHub shows and
Colab opens, is made from it and never edited by hand. --to-text writes a changed notebook back into its text. For each
notebook, the time and the memory that it takes are printed, and --write puts them into its header; --measure prints them
and stores no notebook. --points counts the exercises' points anew for the syllabus, README.md; --map lists, at the end of
each text, the functions that say "Taught in notebook NN.", with links to their files.
"""

from __future__ import annotations

import argparse
import ast
import base64
import io
import re
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent
TEXT = HERE / "text"
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def from_text(path: Path) -> nbformat.NotebookNode:
    """The notebook that a text describes, not run yet; the cells' ids are counted up, so that they stay when other cells change."""
    notebook = jupytext.read(path, fmt="py:percent")
    number = path.name[:2]
    for index, cell in enumerate(notebook.cells):
        named = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell["id"] = named or f"{number}-{index:03d}"
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook: nbformat.NotebookNode, timeout: int = 900) -> nbformat.NotebookNode:
    """The notebook after a run from top to bottom in its own folder, with its outputs; an error stops it."""
    return measured(notebook, timeout)[0]


# What a kernel and the processes that it started have used: seconds of a processor, and peak memory in bytes.
USED = """
import resource, sys
every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print(sum(one.ru_utime + one.ru_stime for one in every))
print(max(one.ru_maxrss for one in every) * (1 if sys.platform == "darwin" else 1024))
"""


@dataclass(frozen=True)
class Used:
    """What one run of a notebook took. On an idle core, `processor` and `seconds` are about the same."""

    seconds: float  # by the clock
    processor: float  # seconds of one core
    memory: float  # at most, in bytes

    @property
    def figures(self) -> str:
        """The figures, rounded, as a notebook's header gives them."""
        nearest = 5 if self.processor > 20 else 1
        return f"to run: {max(round(self.processor / nearest), 1) * nearest} seconds of one core, {self.memory / 1e9:.1f} GB."


def measured(notebook: nbformat.NotebookNode, timeout: int = 900) -> tuple[nbformat.NotebookNode, Used]:
    """Runs a notebook as `execute` does, and also returns what it took, including the start of the kernel."""
    start = time.perf_counter()
    notebook.cells.append(nbformat.v4.new_code_cell(USED))
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(HERE)}}).execute()
    used = Used(time.perf_counter() - start, *map(float, notebook.cells.pop().outputs[0].text.split()))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":  # nbval runs cells without numbering them
                output["execution_count"] = cell.execution_count
    notebook.metadata = nbformat.from_dict(METADATA)  # the widgets' state goes: with it GitHub refuses to show the notebook
    make_small(notebook)
    return notebook, used


MOST = 700 * 1024  # bytes of a notebook


def make_small(notebook: nbformat.NotebookNode) -> None:
    """Store the figures with a palette: of 256 colours, or fewer where the notebook would be too large."""
    figures = [output.data for cell in notebook.cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    pictures = [Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB") for data in figures]
    for colours in (256, 128, 64):
        for data, picture in zip(figures, pictures, strict=True):
            data["image/png"] = with_palette(picture, colours)
        if len(nbformat.writes(notebook).encode()) <= MOST:
            return


def with_palette(picture: Image.Image, colours: int) -> str:
    """A picture as a PNG (base64) with `colours` colours. They cover all that it has: a thin red line stays red."""
    data = io.BytesIO()
    palette = picture.quantize(colours, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE)
    palette.save(data, "PNG", optimize=True)
    return base64.b64encode(data.getvalue()).decode()


def to_text(path: Path) -> None:
    """Write a notebook's cells back to its text."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    notebook.metadata = nbformat.from_dict({"jupytext": {"notebook_metadata_filter": "-all", "cell_metadata_filter": "nbgrader,tags"}})
    text = jupytext.writes(notebook, fmt="py:percent")
    text = re.sub(r"\A# ---\n.*?# ---\n+", "", text, flags=re.S)
    (TEXT / f"{path.stem}.py").write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the notebooks out of their text.")
    parser.add_argument("numbers", nargs="*", metavar="NN", help="01, 02, ... (default: all)")
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: notebooks/)")
    parser.add_argument("--measure", action="store_true", help="say what each takes to run, and store nothing")
    parser.add_argument("--write", action="store_true", help="write what each took into its header")
    parser.add_argument("--points", action="store_true", help="only count the points anew that README.md tells")
    parser.add_argument("--map", action="store_true", help="only list anew, at each text's end, what it teaches")
    parser.add_argument("--to-text", action="store_true", help="the other way round: take over a changed .ipynb")
    args = parser.parse_args()
    if unknown := set(args.numbers) - {path.name[:2] for path in TEXT.glob("[0-9][0-9]_*.py")}:
        parser.error(f"there is no notebook {', '.join(sorted(unknown))}: give 01, 02, ...")
    if args.to_text:
        for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb")):
            if not args.numbers or path.name[:2] in args.numbers:
                to_text(path)
        return
    texts = [path for path in sorted(TEXT.glob("[0-9][0-9]_*.py")) if not args.numbers or path.name[:2] in args.numbers]
    if args.points:
        write_points()
    if args.map:
        for path in texts:
            write_map(path)
    if args.points or args.map:
        return
    print(f"{'':28} {'clock':>7} {'one core':>9} {'memory':>8} {'file':>9}")
    total = 0
    for path in texts:
        notebook, used = measured(from_text(path))
        if args.write:
            notebook.cells[0].source = with_figures(notebook.cells[0].source, used)
            path.write_text(with_figures(path.read_text("utf-8"), used), encoding="utf-8")
        written, total = nbformat.writes(notebook) + "\n", total + used.processor
        row = f"{used.seconds:5.0f} s {used.processor:7.0f} s {used.memory / 1e9:5.1f} GB {len(written.encode()) / 1024:5.0f} KiB"
        print(f"{path.stem:28} {row}", flush=True)
        if not args.measure:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"{path.stem}.ipynb").write_text(written, encoding="utf-8")
    print(f"{'all':28} {'':7} {total:7.0f} s")


def with_figures(text: str, used: Used) -> str:
    """A notebook's header, or its whole text, with the figures of a run in place of the old ones."""
    return re.sub(r"(?<=\*\*Time:\*\* )(\d+ minutes).*?\.(?= \*\*)", rf"\1; {used.figures}", text, count=1)


@cache
def documented() -> list[tuple[str, str, str]]:
    """(file, name, docstring) of all functions, classes and methods of the package."""
    found = []
    for source in sorted((HERE.parent / "textedit_lite").rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.append((source.relative_to(HERE.parent).as_posix(), node.name, ast.get_docstring(node) or ""))
    return found


def taught(number: str) -> dict[str, list[str]]:
    """File of the package -> the functions, classes and methods whose docstrings say they are taught in a notebook."""
    found = {}
    for file, name, words in documented():
        if number in re.findall(r"Taught in notebook (\d\d)", words):
            found.setdefault(file, []).append(name)
    return found


def map_of(number: str) -> str:
    """The last cell of a notebook: the functions that it teaches, and the files where they are."""
    rows = []
    for file, names in taught(number).items():
        link = f"[`{file.removeprefix('textedit_lite/')}`](../{file})"
        rows.append(f"| {link} | {', '.join(f'`{name}`' for name in names)} |")
    return "\n".join([MAP, "", "| file | taught here |", "|---|---|", *rows])


MAP = "**The code of this notebook**"


def write_map(path: Path) -> None:
    """Put the map at the end of a text, in place of the old one."""
    text = path.read_text("utf-8")
    head = text.split(f"# %% [markdown]\n# {MAP}\n")[0].rstrip("\n")
    lines = "\n".join(f"# {line}".rstrip() for line in map_of(path.name[:2]).splitlines())
    path.write_text(f"{head}\n\n# %% [markdown]\n{lines}\n", encoding="utf-8")


def write_points() -> None:
    """Count the points of each notebook, and of all together, for the syllabus."""
    from textedit_lite.check import all_exercises

    exercises = all_exercises().values()
    points = {f"{number:02d}": sum(one.points for one in exercises if one.number.startswith(f"{number}.")) for number in range(1, 10)}
    syllabus = HERE / "README.md"
    text = re.sub(r"(?m)^(\| \d+ \| \[(\d\d).*\|) \d+ \|$", lambda row: f"{row[1]} {points[row[2]]} |", syllabus.read_text("utf-8"))
    text = re.sub(r"\d+ exercises, \d+ points", f"{len(exercises)} exercises, {sum(points.values())} points", text)
    syllabus.write_text(text, encoding="utf-8")
    print(", ".join(f"{number}: {sum_}" for number, sum_ in points.items() if sum_), "| in all", sum(points.values()))


if __name__ == "__main__":
    main()
