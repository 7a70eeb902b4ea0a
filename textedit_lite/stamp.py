"""Stamps the course with the address of its repository, so that the badges of a fork open the fork.

The address stands in one place, pyproject.toml: `Repository` under [project.urls], and `ref` under [tool.textedit-lite].
Each notebook repeats it twice, in its badge (Open in Colab) and in its first cell, which installs the package on Colab.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import SettingsError
from .images import write_text

# What the package imports and Colab does not bring. The first cell installs these, and nothing that Colab has.
COLAB_LACKS = ("torchmetrics", "lightning-utilities")

BADGE = re.compile(r"(?<=colab\.research\.google\.com/github/)([\w.-]+/[\w.-]+)/blob/([^\s)\"]+?)(?=/notebooks/)")
ARCHIVE = re.compile(r"(?<=https://github\.com/)([\w.-]+/[\w.-]+)/archive/([^\s)\"]+?)(?=\.zip)")
REPOSITORY = re.compile(r'(?m)(?<=^Repository = "https://github\.com/)[^"]+(?="\r?$)')  # git on Windows may put \r before \n
REF = re.compile(r'(?m)(?<=^ref = ")[^"]+(?=")')


@dataclass(frozen=True)
class Address:
    """Where the course is published: a repository on GitHub, "owner/name", and the tag (or branch) that Colab takes."""

    repo: str
    ref: str

    def badge(self, name: str) -> str:
        """The badge of a notebook, e.g. "01_detr_detection", as Markdown."""
        image = "https://colab.research.google.com/assets/colab-badge.svg"
        return f"[![Open in Colab]({image})](https://colab.research.google.com/github/{self.repo}/blob/{self.ref}/notebooks/{name}.ipynb)"

    def first_cell(self) -> str:
        """The first code cell of every notebook: the installation on Colab, and the doctor everywhere."""
        return FIRST_CELL.format(repo=self.repo, ref=self.ref, lacking=" ".join(COLAB_LACKS))


FIRST_CELL = """\
# NBVAL_IGNORE_OUTPUT
import sys
from pathlib import Path

if "google.colab" in sys.modules:  # torch, numpy and ipywidgets stay as they are
    release = "https://github.com/{repo}/archive/{ref}.zip"
    wheels = sorted(str(wheel) for wheel in Path().glob("textedit_lite-*.whl"))
    package = wheels[-1] if wheels else release
    %pip install --quiet --no-deps {{package}} {lacking}

from textedit_lite.doctor import doctor

notes = [check for check in doctor(show=None) if check.status != "OK"]
print(*notes or ["This machine has all that the notebook needs."], sep="\\n")"""


def address(root: Path) -> Address:
    """The address in a checkout's pyproject.toml. Raises SettingsError where `root` is no checkout of this course."""
    try:
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        found = re.fullmatch(r"https://github\.com/([^/]+/[^/]+)", project["project"]["urls"]["Repository"])
        return Address(found[1], project["tool"]["textedit-lite"]["ref"])
    except (OSError, LookupError, TypeError, tomllib.TOMLDecodeError) as error:
        message = f"{root.resolve()} is no checkout of this course: run it in the folder that holds pyproject.toml and notebooks/."
        raise SettingsError(message) from error


def stamp(root: Path, repo: str | None = None, ref: str | None = None) -> list[Path]:
    """Write another address into pyproject.toml, CITATION.cff, the notebooks, their texts and the READMEs; returns the changed files.

    repo: "owner/name" on GitHub; ref: a tag, branch or commit. What is None stays as pyproject.toml has it, so that without
    both, everything is brought into line with it. Raises SettingsError for a name that GitHub could not have, and where
    `root` is no checkout of this course. notebooks/README.md says when to use it.
    """
    now = address(root)
    new = Address(now.repo if repo is None else repo, now.ref if ref is None else ref)
    if not re.fullmatch(r"[A-Za-z0-9-]+/[\w.-]+", new.repo):
        raise SettingsError(f"{new.repo!r} is no repository on GitHub: give it as OWNER/NAME.")
    if not re.fullmatch(r"\w[\w./-]*", new.ref) or ".." in new.ref:
        raise SettingsError(f"{new.ref!r} is no tag or branch of a repository: give one as v0.1.0.")
    return [path for path in stamped_files(root) if _rewritten(path, now, new)]


def stamped_files(root: Path) -> list[Path]:
    """All files of a checkout that may repeat the address."""
    notebooks = root / "notebooks"
    files = [root / "README.md", root / "CITATION.cff", notebooks / "README.md"]
    files += [*sorted((notebooks / "text").glob("*.py")), *sorted(notebooks.glob("*.ipynb"))]
    files.append(root / "pyproject.toml")  # last: a stamping that was interrupted finds the old address in it
    return [path for path in files if path.is_file()]


def disagreements(root: Path) -> list[str]:
    """A sentence for each badge and first cell that gives another address than pyproject.toml does."""
    right, found = address(root), []
    for path in stamped_files(root):
        text = path.read_text(encoding="utf-8")
        for kind, pattern in (("badge", BADGE), ("first cell", ARCHIVE)):
            for repo, ref in pattern.findall(text):
                if Address(repo, ref) != right:
                    place = path.relative_to(root).as_posix()
                    found.append(f"the {kind} in {place} says {repo} at {ref}, pyproject.toml {right.repo} at {right.ref}")
    return found


def _rewritten(path: Path, now: Address, new: Address) -> bool:
    """Write the new address into a file, where it has one, and say whether that changed it."""
    before = path.read_bytes().decode("utf-8")
    after = BADGE.sub(f"{new.repo}/blob/{new.ref}", before)
    after = ARCHIVE.sub(f"{new.repo}/archive/{new.ref}", after)
    if path.name == "pyproject.toml":
        after = REF.sub(new.ref, REPOSITORY.sub(new.repo, after))
    elif path.suffix in (".md", ".cff"):
        after = re.sub(rf"(?<=https://github\.com/){re.escape(now.repo)}(?![\w-])", new.repo, after)
    if after == before:
        return False
    write_text(path, after)
    return True
