"""Reads what students hand in: finds the answers in notebooks that were reordered, re-saved or cut up."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import SettingsError
from ..exercises.exercise import Exercise
from .course import ANEW, Course

MARKER = re.compile(r"\s*#+\s*EXERCISE\s+(\d+\.\d+)\b", re.I)  # the first line of a cell
MAGIC = re.compile(r"^[%!].*", re.M)  # what IPython reads and Python does not
LARGEST = 50_000_000  # bytes of a notebook; one full of pictures has some 5 million
OURS = "textedit_lite"
CHECKS = ("check", "exercises", "grading")
TAUGHT = {(f"{OURS}.check", "check"), (f"{OURS}.check", "plugged_in")}  # what the notebooks themselves import from them
# A person should see what these words are used for; none of them costs a point.
CURIOUS = frozenset("__import__ importlib exec eval compile _getframe f_back gc inspect ctypes environ getenv modules globals "
                    "subprocess socket os sys setattr __class__ __globals__ builtins".split())  # fmt: skip


@dataclass(frozen=True)
class Submission:
    """One notebook of one student. `answers`: number of an exercise -> source; `problem`: why there is nothing to grade."""

    student: str
    path: str
    digest: str = ""
    number: int | None = None  # which notebook of the course it is
    answers: dict[str, str] = field(default_factory=dict)
    problem: str | None = None


def find(paths: Iterable[Path | str], course: dict[int, Course]) -> list[Submission]:
    """The submissions in files and folders, sorted. A folder may hold files, or a folder for each student.

    Raises SettingsError for a path that is not there.
    """
    found = []
    for path in map(Path, paths):
        if not path.exists():
            raise SettingsError(f'There is no file or folder "{path}": check its name.')
        if not path.is_dir():
            found.append(read(path, student_of(path, None, course), course))
            continue
        for inner in sorted(path.rglob("*.ipynb")):
            parts = inner.relative_to(path).parts
            if any(part.startswith(".") for part in parts) or not inner.is_file():
                continue
            student = student_of(inner, path, course)
            try:
                found.append(read(inner, student, course))
            except OSError as error:  # one file that cannot be read is no reason not to grade the others
                problem = f"The file cannot be read: {error.strerror or error}."
                digest = hashlib.sha256(os.fsencode(f"{inner} {problem}")).hexdigest()
                found.append(Submission(student, str(inner), digest, problem=problem))
    return found


def student_of(path: Path, folder: Path | None, course: dict[int, Course]) -> str:
    """Whose notebook it is: the folder's name, or what the file's name says besides the notebook's name."""
    parts = path.relative_to(folder).parts if folder else path.parts
    if folder and len(parts) > 1:
        return parts[0]
    name = path.stem
    for one in course.values():
        name = name.replace(one.name, "")
    return name.strip(" _-.") or path.absolute().parent.name


def read(path: Path, student: str, course: dict[int, Course]) -> Submission:
    """One notebook file. Content that cannot be read gives a submission with a `problem`; raises OSError for no file."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    try:
        cells = code_cells(data)
    except (ValueError, RecursionError) as error:
        return Submission(student, str(path), digest, problem=f"The file is no notebook that can be read: {error}.")
    exercises = {number: one for part in course.values() for number, one in part.exercises.items()}
    stubs = {number: text for part in course.values() for number, text in part.stubs.items()}
    answers = find_answers(cells, exercises, stubs)
    number = whose(answers, path, course)
    if number is None:
        return Submission(student, str(path), digest, problem="No answer cell was found in it, and its name is none of the course's.")
    wanted = course[number].exercises
    digest = hashlib.sha256(data + b"%d" % number).hexdigest()
    return Submission(student, str(path), digest, number, {one: answers[one] for one in wanted if one in answers})


def code_cells(data: bytes) -> list[tuple[str, dict]]:
    """(source, metadata with the cell's id) of the code cells of a notebook of any version. Raises ValueError."""
    if len(data) > LARGEST:
        raise ValueError(f"it has more than {LARGEST // 1_000_000} MB")
    notebook = json.loads(data.decode("utf-8-sig"))
    if not isinstance(notebook, dict):
        raise ValueError("it is no JSON object")
    sheets = notebook.get("worksheets")  # nbformat 3
    cells = sheets[0].get("cells") if isinstance(sheets, list) and sheets and isinstance(sheets[0], dict) else notebook.get("cells")
    if not isinstance(cells, list):
        raise ValueError("it has no cells")
    found = []
    for cell in cells:
        if not isinstance(cell, dict) or cell.get("cell_type") != "code":
            continue
        source = cell.get("source", cell.get("input", ""))
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        metadata = cell.get("metadata") if isinstance(cell.get("metadata"), dict) else {}
        found.append((source.replace("\r\n", "\n"), {"id": cell.get("id"), **metadata}))
    return found


def find_answers(cells: list[tuple[str, dict]], exercises: dict[str, Exercise], stubs: dict[str, str]) -> dict[str, str]:
    """Number of an exercise -> source of its answer, by grade_id, by marker comment, by the cell's id, or by function.

    Of several cells, the last one that defines the function counts, as it does when the notebook is run from top to
    bottom. A cell that does not define it, or an untouched stub, counts only where there is nothing else. If an answer was
    cut up, those of its exercise's other cells that it uses come with it.
    """
    parts: dict[str, list[tuple[int, str]]] = {}
    by_id = {one.grade_id: number for number, one in exercises.items()}
    by_name = {one.name: number for number, one in exercises.items()}
    for source, metadata in cells:
        named = [number for number in _names(source, metadata, by_id) if number in exercises]
        bound = _bound(source)
        if named:
            # A copied cell keeps the metadata of the one that it was copied from, so what it defines decides.
            numbers = [next((one for one in named if exercises[one].name in bound), named[0])]
        else:  # a variable of that name may be anything
            numbers = [by_name[name] for name, is_function in bound.items() if is_function and name in by_name]
        for number in numbers:
            rank = 0 if untouched(source, stubs.get(number)) else 1 + (exercises[number].name in bound)
            parts.setdefault(number, []).append((rank, source))
    return {number: _whole(some) for number, some in parts.items()}


def _whole(parts: list[tuple[int, str]]) -> str:
    """The last cell of the highest rank and, in order, the other cells that bind what it uses but does not bind itself."""
    best = max(range(len(parts)), key=lambda i: (parts[i][0], i))
    taken, bound, used = {best}, {*_bound(ANEW), *_bound(parts[best][1])}, _used(parts[best][1])
    for i in reversed(range(len(parts))):
        rank, source = parts[i]
        if rank and i != best and (used - bound) & _bound(source).keys():
            taken.add(i)
            bound |= _bound(source).keys()
            used |= _used(source)
    return "\n\n".join(parts[i][1] for i in sorted(taken))


def untouched(source: str, stub: str | None) -> bool:
    """Whether a cell is the stub that was handed out, apart from comments and spaces."""
    return stub is not None and _bare(source) == _bare(stub)


def whose(answers: dict[str, str], path: Path, course: dict[int, Course]) -> int | None:
    """Which notebook of the course the answers come from: the one with the most of them; without answers, by the file's name."""
    counted = Counter(int(number.split(".")[0]) for number in answers)
    if counted:
        return counted.most_common(1)[0][0]
    return next((number for number, one in course.items() if one.name in path.stem or path.stem.startswith(one.name[:2])), None)


def forbidden(source: str, exercise: Exercise) -> str | None:
    """Why an answer is not the student's own: it takes the course's function, or looks into the checks. Else None.

    This reads only the source, so it sees what is written plainly, and no more.
    """
    names = {exercise.name, getattr(exercise.reference, "__name__", exercise.name)}
    roots = set()
    for node in _walk(source):
        if isinstance(node, ast.Import):
            taken = [(alias.name, "") for alias in node.names]
            roots |= {(alias.asname or alias.name).split(".")[0] for alias in node.names if alias.name.split(".")[0] == OURS}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            taken = [(node.module or "", alias.name) for alias in node.names]
            roots |= {alias.asname or alias.name for alias in node.names if (node.module or "").split(".")[0] == OURS}
        else:
            continue
        for module, name in taken:
            parts = [*module.split("."), name]
            if parts[0] == OURS and any(part in CHECKS for part in parts) and (module, name) not in TAUGHT:
                return "it looks into the checks: write the function with numpy."
            if parts[0] == OURS and (name in names or name == "*"):
                return f"it takes the course's own {module}.{name}: write the function yourself."
    for node in _walk(source):
        if isinstance(node, ast.Attribute) and (node.attr in names or node.attr in CHECKS) and _root(node) in roots:
            return f"it takes the course's own {node.attr}: write the function yourself."
    return None


def curious(source: str) -> str:
    """The words in an answer that a person should have a look at, e.g. "exec, sys"."""
    seen = set()
    for node in _walk(source):
        if isinstance(node, ast.Name):
            seen.add(node.id)
        elif isinstance(node, ast.Attribute):
            seen.add(node.attr)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            seen |= {part for alias in node.names for part in alias.name.split(".")}
            seen |= set((getattr(node, "module", None) or "").split("."))
    return ", ".join(sorted(seen & CURIOUS))


def _names(source: str, metadata: dict, by_id: dict[str, str]) -> list[str]:
    """Which exercises a cell says that it answers: by metadata, by its marker, by its id."""
    nbgrader = metadata.get("nbgrader")
    stored = nbgrader.get("grade_id") if isinstance(nbgrader, dict) else None
    marked = MARKER.match(source)
    names = [by_id.get(str(stored)), marked.group(1) if marked else None, by_id.get(str(metadata["id"]))]
    return [name for name in names if name]


def _bound(source: str) -> dict[str, bool]:
    """The names that a cell defines, assigns or imports at its top level, each with whether it is certainly a function."""
    names = {}
    for node in getattr(_tree(source), "body", ()):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names[node.name] = True
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {(alias.asname or alias.name).split(".")[0]: False for alias in node.names}
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            names |= {name: isinstance(node.value, ast.Lambda) for name in _set(node)}
    return names


def _used(source: str) -> set[str]:
    """The names that a cell reads, and neither sets nor takes as arguments."""
    tree = _tree(source) or ast.Module([], [])
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} - _set(tree) - arguments


def _set(node: ast.AST) -> set[str]:
    """The variables that a statement sets."""
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def _bare(source: str) -> str:
    """A cell without its comments and spaces; so a stub with or without its marker comment is the same."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(re.sub(r"NotImplementedError\(\)", "NotImplementedError", line) for line in lines if line and not line.startswith("#"))


def _tree(source: str) -> ast.AST | None:
    try:
        return ast.parse(MAGIC.sub("", source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # the run will say so


def _walk(source: str) -> Iterable[ast.AST]:
    tree = _tree(source)
    return ast.walk(tree) if tree else ()


def _root(node: ast.AST) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None
