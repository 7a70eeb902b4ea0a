"""The notebooks as documents: executed, without errors, linked to what exists, and in step with the docstrings.

Whether they run, and print what is stored, is what nbval tests.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
NUMBERS = [path.name[:2] for path in NOTEBOOKS]

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=NUMBERS)


def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(path: Path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def taught() -> dict[str, set[str]]:
    """Number of a notebook -> names of the functions, methods and classes that say they are taught there."""
    names = defaultdict(set)
    for source in (ROOT / "textedit_lite").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                for number in re.findall(r"Taught in notebook (\d\d)", ast.get_docstring(node) or ""):
                    names[number].add(node.name)
    return names


def test_the_five_walks_exist():
    assert {"01", "02", "03", "04", "05"} <= set(NUMBERS)


@every_notebook
def test_valid_and_small(path):
    nbformat.validate(read(path))
    assert path.stat().st_size < 1_500_000


@every_notebook
def test_every_code_cell_was_executed_in_order(path):
    # nbval compares no cell without an execution count, and says nothing about it.
    assert [cell.execution_count for cell in code_cells(path)] == list(range(1, len(code_cells(path)) + 1))


@every_notebook
def test_no_errors_and_nothing_on_stderr_are_stored(path):
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.get("text")


@every_notebook
def test_metadata_is_plain(path):
    metadata = read(path).metadata
    assert "widgets" not in metadata  # without their state GitHub refuses to show the notebook
    assert metadata.kernelspec.name == "python3"
    assert set(metadata) == {"kernelspec", "language_info"}


@every_notebook
def test_cells_are_short(path):
    lines = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert max(lines) <= 25
    assert sorted(lines)[len(lines) // 2] <= 9


@every_notebook
def test_only_core_widgets_that_nbval_and_colab_have(path):
    source = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"\binteract\b|\binteractive\b|widgets\.Output|clear_output|plt\.show", source)


@every_notebook
def test_no_paths_of_one_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(?:home|root|Users|work|tmp|content)/", text)


@every_notebook
def test_opens_with_goals_and_time(path):
    first = read(path).cells[0].source
    assert first.startswith(f"# {path.name[:2]} ") and "**Time:**" in first and "you can" in first


@every_notebook
def test_starts_with_the_installation_on_colab(path):
    first = code_cells(path)[0]
    assert '"google.colab" in sys.modules' in first.source and "--no-deps" in first.source
    assert not first.outputs


@every_notebook
def test_links_lead_to_files(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for target in re.findall(r"\]\(([^)#\s]+)", cell.source):
                assert target.startswith("https://") or (path.parent / target).exists(), target


@every_notebook
def test_imports_exist(path):
    import importlib

    for cell in code_cells(path):
        plain = "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith("%"))
        for node in ast.walk(ast.parse(plain if "google.colab" not in plain else "")):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("textedit_lite"):
                module = importlib.import_module(node.module)
                for name in node.names:
                    if not hasattr(module, name.name):
                        importlib.import_module(f"{node.module}.{name.name}")


@every_notebook
def test_mentions_everything_that_says_it_is_taught_here(path):
    text = "\n".join(cell.source for cell in read(path).cells)
    missing = {name for name in taught()[path.name[:2]] if not re.search(rf"\b{name}\b", text)}
    assert not missing


def test_docstrings_point_to_notebooks_of_the_course():
    assert set(taught()) <= {f"{number:02d}" for number in range(1, 10)}
