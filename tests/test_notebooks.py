"""The notebooks as documents: built from their texts, executed, short, linked, and in step with the docstrings.

Whether they run, and print what is stored, is what nbval tests. TEXTEDIT_NOTEBOOKS names another folder to look at, as
`python notebooks/build.py --out DIR` makes it.
"""

from __future__ import annotations

import ast
import base64
import importlib
import inspect
import io
import os
import re
import sys
import textwrap
import types
from collections import defaultdict
from functools import cache
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from textedit_lite.check import all_exercises, judge
from textedit_lite.stamp import address

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / "notebooks"
NOTEBOOKS = sorted(Path(os.environ.get("TEXTEDIT_NOTEBOOKS") or HOME).glob("[0-9][0-9]_*.ipynb"))
TEXTS = sorted((HOME / "text").glob("[0-9][0-9]_*.py"))
PLANNED = [f"{number:02d}" for number in range(1, 10)]
SYLLABUS = HOME / "README.md"

sys.path.insert(0, str(HOME))
build = importlib.import_module("build")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.name[:2] for path in NOTEBOOKS])


@cache
def read(path: Path):
    return nbformat.read(path, as_version=4)


def code_cells(path: Path):
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def prose(path: Path) -> str:
    return "\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def texts_of(output) -> str:
    """What an output says in words."""
    data = output.get("data", {})
    return "\n".join([output.get("text", ""), data.get("text/plain", ""), data.get("text/html", "")])


def compared(path: Path):
    """The code cells whose outputs nbval compares."""
    return [cell for cell in code_cells(path) if not re.search(r"NBVAL_(IGNORE_OUTPUT|SKIP)", cell.source)]


def plain(cell) -> str:
    """A cell's Python, without its magics."""
    return "\n".join(line if not line.lstrip().startswith("%") else re.sub(r"%.*", "pass", line) for line in cell.source.splitlines())


# ------------------------------------------------------------------------------------------------- made from text


def test_every_text_has_its_notebook_and_every_notebook_its_text():
    assert [path.stem for path in NOTEBOOKS] == [path.stem for path in TEXTS]
    assert {"01", "02", "03", "04", "05"} <= {path.name[:2] for path in TEXTS} <= set(PLANNED)


@every_notebook
def test_text_and_notebook_agree_cell_by_cell(path):
    text, stored = build.from_text(HOME / "text" / f"{path.stem}.py"), read(path)
    advice = f"`python notebooks/build.py {path.name[:2]}` makes it anew from its text"
    for here, there in zip(text.cells, stored.cells):
        assert (here.cell_type, here.source, here.metadata) == (there.cell_type, there.source, there.metadata), advice
        assert here.id == there.id, advice
    assert len(text.cells) == len(stored.cells), advice
    assert stored.metadata == build.METADATA  # with "widgets" among it, GitHub refuses to show the notebook


def test_a_header_takes_the_figures_of_the_last_run():
    header = "**Time:** 40 minutes. **Next:** [02](02.ipynb). Say 3 seconds."
    once = build.with_figures(header, build.Used(seconds=60, processor=33.4, memory=0.84e9))
    assert once == "**Time:** 40 minutes; to run: 35 seconds of one core, 0.8 GB. **Next:** [02](02.ipynb). Say 3 seconds."
    assert "to run: 8 seconds of one core, 1.2 GB. **Next" in build.with_figures(once, build.Used(9, 7.6, 1.25e9))


@pytest.mark.parametrize("colours", [256, 64])
def test_a_small_figure_keeps_the_colour_of_a_thin_line(colours):
    shades = np.linspace(120, 200, 256)[None, :, None] + np.arange(100)[:, None, None] / 3 + np.array([0, 20, 40])
    picture = shades.clip(0, 255).astype(np.uint8)
    picture[50, 20:60] = (232, 89, 12)
    stored = Image.open(io.BytesIO(base64.b64decode(build.with_palette(Image.fromarray(picture), colours)))).convert("RGB")
    off = np.abs(np.asarray(stored, int) - picture).max(-1)
    assert off[50, 20:60].max() < 16 and off.mean() < 8


# ------------------------------------------------------------------------------------------------ what is stored


@every_notebook
def test_valid_and_small(path):
    nbformat.validate(read(path))
    assert path.stat().st_size <= 720 * 1024


@every_notebook
def test_every_code_cell_was_executed_in_order(path):
    # nbval compares no cell without an execution count, and says nothing about it.
    assert [cell.execution_count for cell in code_cells(path)] == list(range(1, len(code_cells(path)) + 1))


@every_notebook
def test_no_errors_and_nothing_on_stderr_are_stored(path):
    # Not even the exercises' stubs leave one: `check` takes their NotImplementedError for "not solved yet".
    for cell in code_cells(path):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.get("text")


@every_notebook
def test_no_time_and_no_address_is_compared(path):
    spoken = r"\d(?:[.,]\d+)?\s?(?:ms|[µu]s|s|sec|seconds?|min|minutes?|it/s|s/it)\b|\b0x[0-9a-f]{6,}"
    for cell in compared(path):
        for output in cell.outputs:
            found = re.search(spoken, texts_of(output))
            assert not found, f"{found[0]!r} differs from run to run: mark the cell NBVAL_IGNORE_OUTPUT\n{cell.source}"


@every_notebook
def test_no_paths_of_one_machine(path):
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.:/])/(?:home|root|Users|work|tmp|content)/", text)


# ------------------------------------------------------------------------------------------------------ the cells


@every_notebook
def test_opens_with_a_badge_goals_time_and_memory(path):
    first = read(path).cells[0].source
    assert first.startswith(f"# {path.name[:2]} ") and "you can\n- " in first
    assert address(ROOT).badge(path.stem) in first
    assert re.search(r"\*\*Time:\*\* \d+ minutes; to run: \d+ seconds of one core, \d+\.\d GB\.", first)


@every_notebook
def test_starts_with_the_installation_on_colab_and_the_doctor(path):
    assert code_cells(path)[0].source == address(ROOT).first_cell()


@every_notebook
def test_cells_are_short_and_narrow(path):
    lines = [len(cell.source.splitlines()) for cell in code_cells(path)]
    assert max(lines) <= 25
    assert sorted(lines)[len(lines) // 2] <= 9
    assert [line for cell in code_cells(path) for line in cell.source.splitlines() if len(line) > 88] == []


@every_notebook
def test_only_core_widgets_that_nbval_and_colab_have(path):
    source = "\n".join(cell.source for cell in code_cells(path))
    assert not re.search(r"\binteract\b|\binteractive\b|widgets\.Output|clear_output|plt\.show", source)


@every_notebook
def test_ends_with_exercises_and_what_to_remember(path):
    # That each exercise is asked as it should be is tested on the texts, in test_exercises.py.
    titles = re.findall(r"^## (.+)$", prose(path), flags=re.M)
    assert titles[-2:] == ["Exercises", "What to remember"]
    assert any(cell.metadata.get("nbgrader", {}).get("grade") for cell in code_cells(path))


# -------------------------------------------------------------------------------------------- links and the map


@every_notebook
def test_links_lead_to_files(path):
    assert_links_lead_to_files(prose(path))


def test_the_syllabus_links_to_files():
    assert_links_lead_to_files(SYLLABUS.read_text(encoding="utf-8"))


def assert_links_lead_to_files(markdown: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)", markdown):
        assert target.startswith("https://") or (HOME / target).exists(), f"nothing is at {target}"


@every_notebook
def test_imports_exist(path):
    for _, names in imports(path):
        for module, name in names:
            assert module is not None, name


def imports(path: Path):
    """The name that each import of the package binds in a notebook's cells -> (the object, where from)."""
    for cell in code_cells(path):
        found = []
        for node in ast.walk(ast.parse(plain(cell))):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "textedit_lite":
                for alias in node.names:
                    module = importlib.import_module(node.module)
                    if not hasattr(module, alias.name):
                        importlib.import_module(f"{node.module}.{alias.name}")
                    found.append((getattr(module, alias.name), alias.asname or alias.name))
        yield cell, found


def used(path: Path) -> dict[str, types.FunctionType]:
    """The package's functions that a notebook calls: imported by name, or through an imported module."""
    modules, functions = {}, {}
    for cell, names in imports(path):
        for value, name in names:
            if isinstance(value, types.ModuleType):
                modules[name] = value
            elif inspect.isfunction(value):
                functions[name] = value
        for node in ast.walk(ast.parse(plain(cell))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
                value = getattr(modules[node.value.id], node.attr, None)
                if inspect.isfunction(value):
                    functions[f"{node.value.id}.{node.attr}"] = value
    return {name: value for name, value in functions.items() if re.match(r"textedit_lite\.(?!exercises)", value.__module__)}


@every_notebook
def test_every_function_that_is_used_says_where_it_is_taught(path):
    silent = [name for name, value in used(path).items() if "Taught in notebook" not in (inspect.getdoc(value) or "")]
    assert silent == []


@every_notebook
def test_its_last_cell_maps_everything_that_says_it_is_taught_here(path):
    assert read(path).cells[-1].source == build.map_of(path.name[:2]), "`python notebooks/build.py --map` lists it anew"


@every_notebook
def test_the_walk_itself_mentions_what_the_map_lists(path):
    walk = "\n".join(cell.source for cell in read(path).cells[:-1])
    listed = {name for names in build.taught(path.name[:2]).values() for name in names}
    assert {name for name in listed if not re.search(rf"\b{name}\b", walk)} == set()


def test_docstrings_point_to_notebooks_of_the_course():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "textedit_lite").rglob("*.py")]
    assert {number for text in sources for number in re.findall(r"Taught in notebook (\d\d)\b", text)} <= set(PLANNED)


# --------------------------------------------------------------------------------------------------- the syllabus


def test_the_syllabus_knows_every_notebook_and_its_points():
    rows = re.findall(r"^\| \d+ \| \[(\d\d)[^]]*\]\((\S+)\).*\| (\d+) \|$", SYLLABUS.read_text(encoding="utf-8"), flags=re.M)
    points = defaultdict(int)
    for one in all_exercises().values():
        points[f"{int(one.number.split('.')[0]):02d}"] += one.points
    assert {(number, target) for number, target, _ in rows} == {(path.name[:2], f"{path.stem}.ipynb") for path in TEXTS}
    assert {number: int(told) for number, _, told in rows} == {path.name[:2]: points[path.name[:2]] for path in TEXTS}


def test_the_syllabus_adds_up():
    text = SYLLABUS.read_text(encoding="utf-8")
    told = re.search(r"(\d+) exercises, (\d+) points", text)
    assert told, "it says how many exercises there are, and how many points"
    exercises = all_exercises().values()
    assert (int(told[1]), int(told[2])) == (len(exercises), sum(one.points for one in exercises))


def test_the_example_of_an_exercise_works():
    written = re.findall(r"```python\n(.*?)```", SYLLABUS.read_text(encoding="utf-8"), flags=re.S)
    exercise, answers = (textwrap.dedent(f"   {block.lstrip()}") for block in written[:2])
    names = dict(vars(importlib.import_module("textedit_lite.exercises.detection")))
    exec(exercise.replace("    ...,\n", ""), names)
    one = names["EXERCISES"][-1]
    parts = re.split(r"^# %% (reference|wrong: .+)\n", answers, flags=re.M)[1:]
    assert len(parts) == 6
    for name, source in zip(parts[::2], parts[1::2]):
        exec(source, names)
        assert judge(one, names[one.name]).solved == (name == "reference"), name
    assert f'check("{one.number}", {one.name})' in written[2] and one.grade_id in written[2]
