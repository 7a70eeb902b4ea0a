"""Builds the notebooks out of their text: `python notebooks/build.py [NN ...]` runs each and stores what it shows.

`text/NN_name.py` (jupytext's percent format) is what people edit and review; `NN_name.ipynb`, which GitHub shows and
Colab opens, is made from it and never edited by hand. A changed notebook goes back into its text with --to-text.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

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
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(HERE)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of day
        for output in cell.get("outputs", []):
            if output.output_type == "execute_result":  # nbval runs cells without numbering them
                output["execution_count"] = cell.execution_count
    notebook.metadata = nbformat.from_dict(METADATA)  # without the widgets' state GitHub refuses to show it
    return notebook


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
    parser.add_argument("--to-text", action="store_true", help="the other way round: take over a changed .ipynb")
    args = parser.parse_args()
    if args.to_text:
        for path in sorted(HERE.glob("[0-9][0-9]_*.ipynb")):
            if not args.numbers or path.name[:2] in args.numbers:
                to_text(path)
        return
    args.out.mkdir(parents=True, exist_ok=True)
    for path in sorted(TEXT.glob("[0-9][0-9]_*.py")):
        if not args.numbers or path.name[:2] in args.numbers:
            print(path.stem, end=" ", flush=True)
            notebook = execute(from_text(path))
            nbformat.write(notebook, args.out / f"{path.stem}.ipynb")
            print(f"{(args.out / f'{path.stem}.ipynb').stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
