"""The package as a package: quick to import, its names alive, its floors kept, its data found and shipped."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
import types
import zipfile
from pathlib import Path

import pytest

import textedit_lite

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HEAVY = ("torch", "transformers", "diffusers", "matplotlib", "numpy", "PIL", "scipy", "skimage")


def run(*command: object, cwd: Path = ROOT, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], cwd=cwd, capture_output=True, text=True, **options)


@pytest.mark.parametrize("statement", ["import textedit_lite", "import textedit_lite.cli; textedit_lite.__version__"])
def test_importing_loads_nothing_heavy(statement):
    shown = run(sys.executable, "-c", f"{statement}; import sys; print([m for m in {HEAVY} if m in sys.modules])")
    assert shown.stdout.strip() == "[]", shown.stdout + shown.stderr


@pytest.mark.parametrize("name", textedit_lite.__all__)
def test_every_public_name_is_there(name):
    assert name in dir(textedit_lite)
    assert not isinstance(getattr(textedit_lite, name), types.ModuleType)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = textedit_lite.nonsense


def test_a_stage_stays_a_function_when_its_file_is_imported_first():
    code = "import textedit_lite.detect; from textedit_lite import detect; print(callable(detect))"
    assert run(sys.executable, "-c", code).stdout.strip() == "True"


def test_the_editor_and_the_trainers_do_without_torchvision():
    code = "import textedit_lite.editor, textedit_lite.training.score, sys; print('torchvision' in sys.modules)"
    assert run(sys.executable, "-c", code).stdout.strip() == "False"


def test_the_floors_are_kept():
    checked = run(Path(sys.executable).with_name("lint-imports"), "--no-cache")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_citation_is_of_this_version():
    cited = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    project = PROJECT["project"]
    assert f"version: {project['version']}\n" in cited and f"license: {project['license']}\n" in cited
    assert project["urls"]["Repository"] in cited


def test_a_checkout_has_the_same_bytes_on_every_system():
    """Git for Windows makes other ends of lines, unless it is told not to."""
    assert "* text=auto eol=lf" in (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()


def test_every_folder_of_code_is_in_the_wheel():
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "textedit_lite").rglob("*.py")}
    packages = {".".join(folder.parts) for folder in folders}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages | {"textedit_lite.data", "textedit_lite.notebooks"}


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory) -> Path:
    """A wheel, built from a copy of the tree so that nothing is left behind in it, and unpacked."""
    work = tmp_path_factory.mktemp("wheel")
    source = work / "source"
    for folder in ("textedit_lite", "data", "notebooks"):
        shutil.copytree(ROOT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    built = run(sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", work, source)
    assert built.returncode == 0, built.stderr
    zipfile.ZipFile(next(work.glob("*.whl"))).extractall(work / "unpacked")
    return work / "unpacked"


def test_the_wheel_carries_the_models_and_the_samples(unpacked):
    shipped = [path.relative_to(textedit_lite.data_path()) for path in textedit_lite.data_path().rglob("*.*")]
    assert shipped
    assert [path for path in shipped if not (unpacked / "textedit_lite" / "data" / path).exists()] == []


def test_the_wheel_finds_its_own_data_from_an_empty_folder(unpacked, tmp_path):
    code = "import textedit_lite; print(textedit_lite.data_path('models'))"
    shown = run(sys.executable, "-c", code, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(unpacked)})
    assert shown.stdout.strip() == str(unpacked / "textedit_lite" / "data" / "models"), shown.stderr


def test_the_wheel_carries_the_notebooks_for_grading(unpacked):
    names = {path.name for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert names and {path.name for path in (unpacked / "textedit_lite" / "notebooks").glob("*.ipynb")} == names


def test_the_dependencies_have_lower_bounds_only():
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    assert [line for line in wanted if not re.fullmatch(r"[\w-]+>=[\d.]+", line)] == []


def test_the_constraints_pin_every_dependency_exactly():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["dev"]]
    assert {line.split(">=")[0] for line in wanted} <= pinned
    assert "torchvision" not in pinned
