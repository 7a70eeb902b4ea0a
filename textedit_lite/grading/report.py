"""Writes grades down: a table for the teacher, JSON for programs, and a page that a student can read."""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import json
import re
from pathlib import Path

from ..images import write_text
from .marks import Mark, Result
from .submission import Submission

STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#212529}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #dee2e6;padding:.5rem;text-align:left;vertical-align:top}
.all{color:#2b8a3e}.none{color:#c92a2a}.open{color:#868e96}td.points{white-space:nowrap}
pre{background:#f8f9fa;padding:.75rem;overflow-x:auto;font-size:14px}"""


def write_all(results: list[Result], out: Path, pages: Path | None, submissions: dict[str, Submission]) -> None:
    """Write the CSV, the JSON of the same name and, if there is a folder for them, the pages; the folders must exist."""
    write_text(out, table(results))
    plain = [{**dataclasses.asdict(one), "points": one.points, "of": one.of} for one in results]
    write_text(out.with_suffix(".json"), json.dumps(plain, indent=1))
    if pages:
        names = file_names(results)
        for result, name in zip(results, names):
            answers = submissions[result.digest].answers
            write_text(pages / name, page(result, answers))
        write_text(pages / "index.html", index(results, names))


def table(results: list[Result]) -> str:
    """One row per submission: points in all, points for each exercise by its grade_id, and what a person should look at."""
    columns = sorted({mark.grade_id for one in results for mark in one.marks}, key=_by_number)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["student", "notebook", "points", "of", *columns, "problem", "look_at", "file"])
    for one in results:
        points = {mark.grade_id: mark.points for mark in one.marks}
        look = "; ".join(f"{mark.number}: {mark.look}" for mark in one.marks if mark.look)
        row = [one.student, one.notebook, one.points, one.of, *(points.get(name, "") for name in columns), one.problem, look, one.path]
        writer.writerow([_harmless(value) for value in row])
    return text.getvalue()


def page(result: Result, answers: dict[str, str]) -> str:
    """A student's page: points, and for each exercise what was wrong, on which input, and the answer that was graded."""
    title = f"{result.student} · {result.notebook or 'not graded'}"
    problem = f"<p class=none>{html.escape(result.problem)}</p>" if result.problem else ""
    rows = "".join(_row(mark) for mark in result.marks)
    graded = f"<table><tr><th>exercise<th>points<th>what was found</tr>{rows}</table>" if rows else ""
    shown = "".join(f"<h3>{html.escape(number)}</h3><pre>{html.escape(text)}</pre>" for number, text in answers.items())
    answered = f"<h2>The answers that were graded</h2>{shown}" if shown else ""
    return _document(title, f"<p><b>{result.points} of {result.of} points</b></p>{problem}{graded}{answered}")


def index(results: list[Result], names: list[str]) -> str:
    """The class on one page."""
    rows = "".join(
        f"<tr><td><a href='{html.escape(name)}'>{html.escape(one.student)}</a><td>{html.escape(one.notebook)}"
        f"<td class=points>{one.points} of {one.of}<td class=none>{html.escape(one.problem)}</tr>"
        for one, name in zip(results, names)
    )
    return _document("Grades", f"<table><tr><th>student<th>notebook<th>points<th></tr>{rows}</table>")


def file_names(results: list[Result]) -> list[str]:
    """A page name for each result, in plain letters, no two the same."""
    names: list[str] = []
    for one in results:
        plain = re.sub(r"[^\w-]+", "_", f"{one.student}-{one.notebook or 'not-graded'}") or "page"
        name, count = plain, 1
        while f"{name}.html".lower() in {taken.lower() for taken in names} | {"index.html"}:
            count += 1
            name = f"{plain}-{count}"
        names.append(f"{name}.html")
    return names


def _row(mark: Mark) -> str:
    kind = "all" if mark.points == mark.of else "open" if "not solved yet" in mark.message else "none"
    found = mark.message.removeprefix(f"{mark.title} ({mark.of} point{'s' * (mark.of != 1)}): ")
    head = f"<td>{html.escape(mark.number)} {html.escape(mark.title)}<td class=points>{mark.points} of {mark.of}"
    return f"<tr>{head}<td class={kind}>{html.escape(found)}</tr>"


def _document(title: str, body: str) -> str:
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{html.escape(title)}</title>"
    return f"<!doctype html><html lang=en>{head}<style>{STYLE}</style><h1>{html.escape(title)}</h1>{body}</html>\n"


def _by_number(grade_id: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", grade_id)]


def _harmless(value: object) -> object:
    """A value for a cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
