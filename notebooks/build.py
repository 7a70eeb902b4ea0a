"""Builds the notebooks out of their text: `python notebooks/build.py [NN ...]` runs each and stores what it shows.

`text/NN_name.py` (jupytext's percent format) is what people edit and review; `NN_name.ipynb`, which GitHub shows and
Colab opens, is made from it and never edited by hand. A changed notebook goes back into its text with --to-text. How
long each takes, and how much memory, is printed with it; --measure prints that alone, as a table, and writes nothing.
"""

from __future__ import annotations

import argparse
import base64
import io
import re
import time
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
    """The notebook that a text describes, not run yet; the cells' ids count, so that they stay when others change."""
    notebook = jupytext.read(path, fmt="py:percent")
    number = path.name[:2]
    for index, cell in enumerate(notebook.cells):
        named = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell["id"] = named or f"{number}-{index:03d}"
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def execute(notebook: nbformat.NotebookNode, timeout: int = 300) -> nbformat.NotebookNode:
    """The notebook run from top to bottom in its own folder, its outputs stored; an error stops it."""
    return measured(notebook, timeout)[0]


# The most memory that a kernel, or a process that it started, has held, in MB.
PEAK = """
import resource, sys
most = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
print(most / (2**20 if sys.platform == "darwin" else 2**10))
"""


def measured(notebook: nbformat.NotebookNode, timeout: int = 300) -> tuple[nbformat.NotebookNode, float, float]:
    """As `execute`, and the seconds that it took, from the start of the kernel on, and the kernel's peak memory in MB."""
    start = time.perf_counter()
    notebook.cells.append(nbformat.v4.new_code_cell(PEAK))
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(HERE)}}).execute()
    peak = float(notebook.cells.pop().outputs[0].text)
    seconds = time.perf_counter() - start
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":  # nbval runs cells without numbering them
                output["execution_count"] = cell.execution_count
            if png := output.get("data", {}).get("image/png"):
                output.data["image/png"] = smaller(png)
    notebook.metadata = nbformat.from_dict(METADATA)  # without the widgets' state GitHub refuses to show it
    return notebook, seconds, peak


def smaller(png: str) -> str:
    """A figure (base64) with a palette of 256 colours: a third of the bytes, and nobody sees the difference."""
    data, picture = io.BytesIO(), Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    picture.quantize(256, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(data, "PNG", optimize=True)
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
    parser.add_argument("--measure", action="store_true", help="only say how long each takes and how much memory")
    parser.add_argument("--to-text", action="store_true", help="the other way round: take over a changed .ipynb")
    args = parser.parse_args()
    if args.to_text:
        for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb")):
            if not args.numbers or path.name[:2] in args.numbers:
                to_text(path)
        return
    texts = [path for path in sorted(TEXT.glob("[0-9][0-9]_*.py")) if not args.numbers or path.name[:2] in args.numbers]
    rows = []
    for path in texts:
        notebook, seconds, peak = measured(from_text(path))
        written = nbformat.writes(notebook) + "\n"
        rows.append((path.stem, seconds, peak))
        print(f"{path.stem:28} {seconds:5.0f} s {peak / 1000:5.1f} GB {len(written) / 1024:5.0f} KiB", flush=True)
        if not args.measure:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / f"{path.stem}.ipynb").write_text(written, encoding="utf-8")
    if len(rows) > 1:
        print(f"{'all of them':28} {sum(row[1] for row in rows):5.0f} s {max(row[2] for row in rows) / 1000:5.1f} GB at most")


if __name__ == "__main__":
    main()
