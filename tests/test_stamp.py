"""The course's address: in one place, repeated by every badge and first cell, and set for a fork by one command."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from textedit_lite.cli import main
from textedit_lite.errors import SettingsError
from textedit_lite.images import write_text
from textedit_lite.stamp import COLAB_LACKS, Address, address, disagreements, stamp, stamped_files

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of every file that a stamp may touch."""
    for path in stamped_files(ROOT):
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return tmp_path


def test_every_badge_and_first_cell_says_the_address_of_the_project():
    assert disagreements(ROOT) == []


def test_a_fork_sets_its_address_with_one_command(checkout, capsys):
    before = {path: path.read_bytes() for path in stamped_files(checkout)}
    assert main(["stamp", "--repo", "me/my-course", "--ref", "autumn/2027", "--root", str(checkout)]) == 0
    assert "me/my-course" in capsys.readouterr().out
    assert address(checkout) == Address("me/my-course", "autumn/2027") and disagreements(checkout) == []
    texts = list((checkout / "notebooks" / "text").glob("*.py"))
    assert texts and all(Address("me/my-course", "autumn/2027").badge(path.stem) in path.read_text("utf-8") for path in texts)
    assert not any(address(ROOT).repo in path.read_text("utf-8") for path in stamped_files(checkout))

    old = address(ROOT)
    assert {path.name for path in stamp(checkout, old.repo, old.ref)} >= {path.name for path in texts}
    assert {path: path.read_bytes() for path in stamped_files(checkout)} == before  # nothing else was touched


def test_a_repository_whose_name_only_begins_alike_stays_as_it_is(checkout):
    path, here = checkout / "README.md", f"https://github.com/{address(ROOT).repo}"
    path.write_text(f"{here}-data {here}.\n", "utf-8")
    stamp(checkout, "me/my-course")
    assert path.read_text("utf-8") == f"{here}-data https://github.com/me/my-course.\n"


def test_a_checkout_with_the_ends_of_lines_of_windows_is_stamped_too(checkout):
    for path in stamped_files(checkout):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    stamp(checkout, "me/my-course", "main")
    assert address(checkout) == Address("me/my-course", "main") and disagreements(checkout) == []
    assert all(b"\n" not in path.read_bytes().replace(b"\r\n", b"") for path in stamped_files(checkout))


def test_a_stamping_that_was_interrupted_goes_on(checkout, monkeypatch):
    def interrupted(path, text, write=write_text):
        if path.name == "CITATION.cff":
            raise KeyboardInterrupt
        write(path, text)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("textedit_lite.stamp.write_text", interrupted)
        stamp(checkout, "me/my-course", "main")
    stamp(checkout, "me/my-course", "main")
    assert not any(address(ROOT).repo in path.read_text("utf-8") for path in stamped_files(checkout))


def test_a_stamped_notebook_is_still_one(checkout):
    stamp(checkout, "me/my-course", "main")
    for path in (checkout / "notebooks").glob("*.ipynb"):
        nbformat.validate(nbformat.read(path, as_version=4))


def test_one_notebook_that_disagrees_is_found_and_mended(checkout):
    path = next((checkout / "notebooks" / "text").glob("01_*.py"))
    path.write_text(path.read_text("utf-8").replace("/archive/", "/archive/old-"), "utf-8")
    (found,) = disagreements(checkout)
    assert "first cell" in found and path.name in found and "old-" in found
    assert stamp(checkout) == [path] and disagreements(checkout) == []


@pytest.mark.parametrize("repo", ["course", "a/b/c", "https://github.com/me/course", "me/my course", ""])
def test_a_name_that_no_repository_has_is_refused_and_nothing_is_written(checkout, repo):
    with pytest.raises(SettingsError, match="OWNER/NAME"):
        stamp(checkout, repo)
    assert address(checkout) == address(ROOT)


@pytest.mark.parametrize("ref", ["", "two words", "-x\n", "../main", "v0.1..v0.2"])
def test_a_name_that_no_tag_has_is_refused(checkout, ref):
    with pytest.raises(SettingsError, match="tag or branch"):
        stamp(checkout, "me/course", ref)


def test_outside_of_a_checkout_it_says_where_to_go(tmp_path, capsys):
    assert main(["stamp", "--repo", "me/course", "--root", str(tmp_path)]) == 2
    assert "no checkout" in capsys.readouterr().err


def test_the_first_cell_installs_what_colab_lacks_and_nothing_that_it_has():
    cell = address(ROOT).first_cell()
    assert "--no-deps" in cell and '"google.colab" in sys.modules' in cell
    lines = (ROOT / "constraints-colab.txt").read_text(encoding="utf-8").splitlines()
    has = {re.split("[=<>~]", line)[0].lower().replace("_", "-") for line in lines if not line.startswith("#")}
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    assert {line.split(">=")[0] for line in wanted} - has <= set(COLAB_LACKS)
    assert not has & set(COLAB_LACKS)


ON_COLAB = """
import sys, types
from IPython.core.interactiveshell import InteractiveShell

sys.modules["google.colab"] = types.ModuleType("google.colab")
shell = InteractiveShell.instance()
shell.register_magic_function(lambda line: print("pip", line), magic_name="pip")
shell.run_cell(sys.argv[1]).raise_error()
"""


@pytest.mark.parametrize("wheel", [None, "textedit_lite-0.1.0-py3-none-any.whl"])
def test_the_first_cell_takes_the_wheel_beside_it_or_else_the_release(tmp_path, wheel):
    if wheel:
        (tmp_path / wheel).touch()
    command = [sys.executable, "-c", ON_COLAB, address(ROOT).first_cell()]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stdout + shown.stderr
    here = address(ROOT)
    package = wheel or f"https://github.com/{here.repo}/archive/{here.ref}.zip"
    assert f"pip install --quiet --no-deps {package} torchmetrics lightning-utilities\n" in shown.stdout
    assert len(shown.stdout.splitlines()) > 1  # and the doctor had a word
