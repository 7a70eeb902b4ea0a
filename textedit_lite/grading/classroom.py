"""Grades a class: many submissions in parallel, each once; if it was stopped, it goes on from there."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..check import all_exercises
from ..errors import SettingsError
from ..images import check_output, make_folder, write_text
from .course import Course, load_course
from .marks import Mark, Result, mark
from .report import write_all
from .sandbox import LIMITS, Limits, Package
from .submission import Submission, find


def grade(paths: Iterable[Path | str], out: Path | str = "grades.csv", pages: Path | str | None = None, jobs: int | None = None,
          limits: Limits = LIMITS, full: bool = False, folder: Path | None = None,
          progress: Callable[[Iterable, int], Iterable] | None = None, package: Package | None = None) -> list[Result]:  # fmt: skip
    """Grade notebooks, and folders of them, and write the table, the JSON beside it, and a page for each student.

    out: the CSV. pages: a folder for HTML. jobs: how many at a time (default: the number of cores). full: also run the rest
    of the course's notebook. folder: of the course's notebooks (default: those of the package). progress(results, total):
    passes an iterable on, for a bar. Finished grades are kept in a folder beside `out`, and the same call goes on from them.
    Raises SettingsError where nothing can be graded, as on Windows; OutputError, before grading, where `out` cannot be written.
    """
    if sys.platform == "win32":
        raise SettingsError("Grading needs Linux or macOS: on Windows, grade in the Windows Subsystem for Linux, or in a container.")
    course = load_course(folder)
    all_exercises()  # imported before any answer runs
    package = package or Package()
    submissions = find(paths, course)
    if not submissions:
        raise SettingsError("There is no notebook to grade: give .ipynb files, or folders that hold them.")
    out = Path(out).expanduser()
    make_folder(out.parent)
    check_output(out, ".csv")
    check_output(out.with_suffix(".json"), ".json")
    if pages:
        pages = make_folder(Path(pages).expanduser())
    desk = Desk(out.with_suffix(".parts"), course, package, limits, full)
    jobs = jobs or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else jobs or os.cpu_count() or 1
    results = desk.grade_all(submissions, max(1, jobs), progress or (lambda results, total: results))
    write_all(results, out, pages, {one.digest: one for one in submissions})
    return results


class Desk:
    """Where a class is graded: finished results lie in a folder, and what is altered in the package is put back."""

    def __init__(self, folder: Path, course: dict[int, Course], package: Package, limits: Limits, full: bool):
        self.folder, self.course, self.package, self.limits, self.full = folder, course, package, limits, full
        folder.mkdir(parents=True, exist_ok=True)
        self.secret = self._secret()
        # A result is valid as long as the course, the package and the limits stay the same.
        parts = [course[number].stubs for number in sorted(course)], sorted(asdict(limits).items()), full
        sources = [content for _, content in sorted(package.files.items())]
        self.state = hashlib.sha256(repr(parts).encode() + b"".join(sources)).hexdigest()
        self.stopped = threading.Event()
        self.lock, self.running, self.suspects = threading.Lock(), set(), set()

    def grade_all(self, submissions: list[Submission], jobs: int, progress: Callable[[Iterable, int], Iterable]) -> list[Result]:
        """A result for each submission, in order; identical submissions are graded once."""
        done = {one.digest: self._stored(one.digest) for one in submissions}
        todo = {one.digest: one for one in submissions if done[one.digest] is None}
        with ThreadPoolExecutor(jobs) as pool:
            futures = {pool.submit(self._one, one): digest for digest, one in todo.items()}
            try:
                for future in progress(as_completed(futures), len(futures)):
                    done[futures[future]] = future.result()
            except BaseException:
                self.stopped.set()  # every run ends within a moment
                pool.shutdown(cancel_futures=True)
                raise
        for digest in sorted(self.suspects):  # one at a time, to find out which one it is
            done[digest] = self._alone(todo[digest])
        for result in done.values():
            self._store(result)  # stored again, in case an answer has got at the first copy
        return [replace(done[one.digest], student=one.student, path=one.path) for one in submissions]

    def _one(self, submission: Submission) -> Result:
        if submission.problem:
            return Result(submission.student, submission.path, submission.digest, "", problem=submission.problem)
        with self.lock:
            self.running.add(submission.digest)
        result = mark(submission, self.course[submission.number], self.package, self._seed(submission.digest), self.limits,
                      self.full, self.stopped.is_set)  # fmt: skip
        with self.lock:
            if self._put_back():
                self.suspects |= self.running
            self.running.discard(submission.digest)
            if submission.digest not in self.suspects:
                self._store(result)
        return result

    def _alone(self, submission: Submission) -> Result:
        """Grades again, alone, one that ran while the package was altered; no points if it was this one that did it."""
        course = self.course[submission.number]
        result = mark(submission, course, self.package, self._seed(submission.digest), self.limits, self.full, self.stopped.is_set)
        if altered := self._put_back():
            said = f"it altered the installed package ({', '.join(map(str, altered[:3]))}), which was put back: no points."
            marks = tuple(replace(one, points=0, message=f"{one.title}: {said}") for one in result.marks)
            return replace(result, marks=marks, problem=said[0].upper() + said[1:])
        return result

    def _put_back(self) -> list[Path]:
        """Puts back what was altered in the package, where no fence keeps answers from it; returns what that was."""
        return [] if self.limits.fenced else self.package.restore(self.folder / "altered")

    def _secret(self) -> str:
        path = self.folder / "secret"
        if not path.exists() or not path.read_text():
            part = path.with_suffix(".part")
            part.touch(mode=0o600)  # before there is anything to read in it
            part.write_text(secrets.token_hex(16))
            part.replace(path)
        return path.read_text()

    def _seed(self, digest: str) -> int:
        """The seed of a submission's inputs: a changed submission gets others, so that inputs once seen are of no use."""
        return int.from_bytes(hashlib.sha256(f"{self.secret} {digest}".encode()).digest()[:6], "big")

    def _stored(self, digest: str) -> Result | None:
        try:
            kept = json.loads((self.folder / f"{digest}.json").read_text(encoding="utf-8"))
            return as_result(kept["result"]) if kept["state"] == self.state else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _store(self, result: Result) -> None:
        if result.whole:
            write_text(self.folder / f"{result.digest}.json", json.dumps({"state": self.state, "result": asdict(result)}))


def as_result(kept: dict[str, Any]) -> Result:
    """A result, restored from its JSON."""
    return Result(**{**kept, "marks": tuple(Mark(**one) for one in kept["marks"])})
