"""The run: killed, shared among processes, refused, failing edit by edit, and always with the same rows at the end."""

from __future__ import annotations

import json
import operator
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from textedit_lite.boxes import square_crop
from textedit_lite.editor import METADATA, Editor, EditResult, replay
from textedit_lite.errors import OutputError, SettingsError, WeightsError
from textedit_lite.evaluation import editors
from textedit_lite.evaluation import rows as kept
from textedit_lite.evaluation import run as running
from textedit_lite.evaluation.cases import choose_cases
from textedit_lite.evaluation.editors import ABLATED, EDITORS, IN_WORDS, Request, attempt, check_editor, make_editor
from textedit_lite.evaluation.manifest import read_manifest, weights_of
from textedit_lite.evaluation.measure import make_rows, mask_iou, request_of
from textedit_lite.evaluation.metrics import clip_measures
from textedit_lite.evaluation.run import evaluate, process
from textedit_lite.evaluation.sets import open_set
from textedit_lite.evaluation.setwise import set_of
from textedit_lite.images import save_png
from textedit_lite.mask import build_mask
from textedit_lite.resources import data_path
from textedit_lite.rivals import plain_edit
from textedit_lite.settings import make_settings
from textedit_lite.vocabulary import describe
from textedit_lite.world.coco import write_set
from textedit_lite.world.scenes import ideal_edit

# Small, and every block with a neighbour: 3 pictures, 2 tasks, 1 round, 3 blocks of 2.
SETTINGS = {"data": "world", "tasks": ["color", "updown"], "images": 3, "seed": 1, "ablate": "rounds", "block": 2}
COMMAND = [sys.executable, "-m", "textedit_lite", "evaluate", "--tasks", "color,updown", "--images", "3", "--seed", "1",
           "--ablate", "rounds", "--block", "2", "--device", "cpu", "--out"]  # fmt: skip


def run(out: Path, models, **changes) -> Path:
    return evaluate(**{**SETTINGS, **changes}, out=out, models=models, progress=False)


def timeless(folder: Path) -> list[dict]:
    """The rows without what two runs may differ in."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in kept.read_lines(folder / "rows.jsonl")]


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "edits").iterdir()}


@pytest.fixture(scope="module")
def reference(models, tmp_path_factory):
    """A run that nobody disturbed."""
    return run(tmp_path_factory.mktemp("reference"), models)


# --- one run -----------------------------------------------------------------------------------------------------


def test_a_run_writes_a_row_and_a_picture_an_edit(reference, models):
    rows, cases = kept.read_rows(reference), kept.read_cases(reference)
    assert cases == choose_cases(open_set("world", 1), SETTINGS["tasks"], 3, 1)
    assert [row["key"] for row in rows] == [case.key for case in cases]
    assert sum(row["success"] for row in rows) >= 3, "the lite models are good at these two tasks"
    for row in rows:
        assert row["returned"] == (reference / "edits" / f"{row['key']}.png").is_file()
        assert 0 <= row["mask_iou"] <= 1 and row["changed_outside_own_mask"] == 0
        assert row["success"] == row["oracle"].startswith("success")
        assert {"ssim_512", "ssim_outside", "mse_ideal_inside", "clip_direction", "margin"} <= row.keys()
        assert {"detect", "match", "inpaint", "verify"} <= row["seconds"].keys()
    manifest = read_manifest(reference)
    assert manifest["settings"]["editor"] == "ours" and manifest["started"][0]["versions"]["torch"]
    assert set(manifest["settings"]["weights_sha256"]) >= {"detr/model.safetensors", "clip/model.safetensors"}


def test_what_a_block_has_freed_is_given_back(models, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(running, "give_back", lambda: given.append(True))
    run(tmp_path / "run", models, editor="copy", ablate=None)
    assert len(given) == 3


def test_what_changed_outside_of_its_own_mask_is_a_share(models):
    source = open_set("world", 1)
    case = choose_cases(source, ["color"], 1, 1)[0]
    request = request_of(source, case)
    width, height = request.image.size
    mask = Image.new("L", (width, height))
    mask.paste(255, (0, 0, width, height // 2))
    painted = request.image.copy()
    painted.paste((255, 0, 255), (0, 0, width // 4, height))  # a quarter of what lies outside, and something inside
    [row] = make_rows(source, [case], [request], [EditResult("edited", "", image=painted, mask=mask, box=request.box)], models)
    assert row["changed_outside_own_mask"] == pytest.approx(0.25)


def test_an_ideal_edit_has_the_best_row_and_each_measure_is_of_its_own_place(models):
    source = open_set("world", 1)
    case = choose_cases(source, ["color"], 1, 1)[0]
    picture, request = source.picture(case.image_id), request_of(source, case)
    thing = picture.objects[case.index]
    ideal = ideal_edit(source.scene(picture), thing.attributes["order"], case.change)

    def row(image, mask=None, box=request.box, chooses=True):
        done = EditResult("edited", "", image=image, mask=mask, box=box)
        return make_rows(source, [case], [request], [done], models, chooses)[0]

    best = row(ideal)
    assert best["returned"] and best["target"] and best["success"] and best["success_by_models"] and best["all_kept"]
    assert best["mse_ideal_whole"] == best["changed_outside"] == 0 and best["sharpness"] == 1
    words = describe(case.category, colour=thing.colour), describe(case.category, **case.change)
    crops = [square_crop(image, np.array(request.box, np.float32)) for image in (request.image, ideal)]
    measured = clip_measures(*crops, *words, models)
    assert measured["clip_direction"] > 0.3 and {name: best[name] for name in measured} == pytest.approx(measured, abs=1e-5)
    turned = request.image.point(lambda value: 255 - value)
    everywhere = row(turned, mask=Image.new("L", turned.size, 255))
    assert everywhere["changed_outside_own_mask"] == 0
    assert everywhere["changed_outside"] == (np.asarray(request.place) == 0).sum(), "outside of the place, which is the same for all"
    black = row(Image.new("RGB", ideal.size))
    assert not black["returned"] and not black["success"]
    whole, wrong = row(ideal, box=None, chooses=False), row(ideal, box=(0, 0, 5, 5))
    assert whole["target"] is None and whole["kept"], "who sees the whole picture is asked, too, what it kept"
    assert wrong["target"] is False and "kept" not in wrong, "of an object that was not touched, all is kept"


def test_an_editor_that_chooses_nothing_misses_no_object_where_it_fails(models, tmp_path, monkeypatch):
    folder = write_set(tmp_path / "set", 3, seed=1)
    next(iter(sorted((folder / "images").iterdir()))).write_bytes(b"no picture")
    told = {}
    for editor in ("copy", "plain"):
        out = run(tmp_path / editor, models, data=str(folder), tasks=["color"], editor=editor, ablate=None)
        told[editor] = {row["status"]: row["target"] for row in kept.read_rows(out)}
    assert told["copy"] == {"failed": None, "edited": None} and told["plain"]["failed"] is False


def test_edits_that_another_version_chose_are_not_gone_on_with(models, tmp_path):
    out = run(tmp_path / "run", models, editor="copy", ablate=None)
    (out / "distances.json").write_text("{}")
    run(out, models, editor="copy", ablate=None)
    assert (out / "distances.json").exists(), "nothing was edited anew"
    (out / "parts" / "0000.jsonl").write_text("")
    run(out, models, editor="copy", ablate=None)
    assert not (out / "distances.json").exists(), "they were of other edits"
    text = (out / "cases.jsonl").read_text()
    (out / "cases.jsonl").write_text(text.replace("red", "blue", 1) if "red" in text else text[: text.rindex("{")])
    with pytest.raises(SettingsError, match="another version chose"):
        run(out, models, editor="copy", ablate=None)


def test_a_run_that_goes_on_under_other_versions_says_so(models, tmp_path):
    out = run(tmp_path / "run", models, editor="copy", ablate=None)
    run(out, models, editor="copy", ablate=None)
    manifest = read_manifest(out)
    [now] = manifest["started"]
    before = {**now, "versions": now["versions"] | {"torch": "1.0"}}
    (out / "run.json").write_text(json.dumps(manifest | {"started": [before]}))
    run(out, models, editor="copy", ablate=None)
    assert read_manifest(out) == manifest | {"started": [before, now]}


def test_a_set_that_was_annotated_anew_is_another_one(models, tmp_path):
    data = write_set(tmp_path / "set", 3, seed=1)
    out = run(tmp_path / "run", models, data=str(data), tasks=["color"], editor="copy", ablate=None)
    assert set_of(out).path == data
    instances = json.loads((data / "instances.json").read_text())
    (data / "instances.json").write_text(json.dumps(instances | {"info": {"version": "2"}}))
    with pytest.raises(SettingsError, match="with data_sha256 .*another --out"):
        run(out, models, data=str(data), tasks=["color"], editor="copy", ablate=None)
    with pytest.raises(SettingsError, match="put the old one back"):
        set_of(out)


def test_the_whole_run_goes_through_on_real_photographs(coco_val, models, tmp_path):
    out = run(tmp_path / "run", models, data=str(coco_val), tasks=["color", "front"], images=30, editor="copy", ablate=None, block=8)
    rows = kept.read_rows(out)
    assert len(rows) == 60 and {row["status"] for row in rows} <= {"edited", "failed"}
    assert all(row["ssim_512"] == 1 and not row["success"] for row in rows if row["returned"])


def test_a_row_can_be_made_again_from_what_it_says(reference, models):
    row = kept.read_rows(reference)[0]
    source = open_set("world", 1)
    image = source.open(source.picture(row["image_id"]))
    again = Editor(models).edit(image, row["prompt"], seed=row["seed"], rounds=1)
    with Image.open(reference / "edits" / f"{row['key']}.png") as picture:
        off = np.abs(np.asarray(again.image, int) - np.asarray(picture.convert("RGB"), int))
    assert off.max() <= 2, "alone or beside another edit, only the last digits differ"


def test_a_finished_run_is_not_made_again(reference, models):
    before = {path: path.stat().st_mtime_ns for path in (reference / "edits").iterdir()}
    rows = kept.read_lines(reference / "rows.jsonl")
    run(reference, models)
    assert kept.read_lines(reference / "rows.jsonl") == rows
    assert {path: path.stat().st_mtime_ns for path in (reference / "edits").iterdir()} == before


@pytest.mark.parametrize("change", [{"seed": 2}, {"editor": "copy", "ablate": None}, {"images": 4}, {"tasks": ["color"]}, {"block": 3},
                                    {"ablate": None}])  # fmt: skip
def test_another_run_in_the_same_folder_is_refused(change, reference, models):
    text = (reference / "run.json").read_text()
    with pytest.raises(SettingsError, match="another --out"):
        run(reference, models, **change)
    assert (reference / "run.json").read_text() == text


@pytest.fixture
def named(tmp_path) -> Path:
    """A weights file that names the lite models, of which the detector lies in a folder where it may be exchanged."""
    lite = data_path("models", "lite")
    shutil.copytree(lite / "detr", tmp_path / "mine")
    path = tmp_path / "weights.toml"
    path.write_text('detr = "mine"\n' + "".join(f"{part} = {json.dumps(str(lite / part))}\n" for part in ("clip", "inpaint")))
    return path


def test_the_weights_of_a_weights_file_are_known_by_their_sums(named):
    sums = weights_of("lite")
    assert weights_of(str(named)).keys() == sums.keys() - {"sam/model.safetensors"} and len(sums) == 6
    with open(named, "a", encoding="utf-8") as file:
        file.write(f"sam = {json.dumps(str(data_path('models', 'lite') / 'sam'))}\n")
    assert weights_of(str(named)) == sums
    listed = (data_path("models", "lite") / "SHA256SUMS").read_text().splitlines()
    assert sums.items() <= {name: digest for digest, name in (line.split(maxsplit=1) for line in listed)}.items()


def test_a_run_with_exchanged_weights_is_refused(named, models, tmp_path):
    own = replace(models, name=str(named))
    run(tmp_path / "run", own, editor="copy", ablate=None)
    run(tmp_path / "run", own, editor="copy", ablate=None)
    with open(tmp_path / "mine" / "model.safetensors", "ab") as file:
        file.write(b"!")
    with pytest.raises(SettingsError, match="with weights_sha256 .*another --out"):
        run(tmp_path / "run", own, editor="copy", ablate=None)


# --- killed, and shared ------------------------------------------------------------------------------------------


def started(out: Path, **environment: str) -> subprocess.Popen:
    return subprocess.Popen([*COMMAND, str(out)], env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def test_a_run_that_was_killed_ends_as_if_it_had_not_been(reference, models, tmp_path):
    child = started(tmp_path)
    part = kept.part_file(tmp_path, 0)
    while child.poll() is None and not (part.exists() and part.stat().st_size):
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    done = kept.read_lines(part)
    assert 0 < len(done) < 6 and not (tmp_path / "rows.jsonl").exists()
    with open(part, "ab") as file:  # the last line, half-written
        file.write(json.dumps(done[-1] | {"key": "half"}).encode()[:200])
    run(tmp_path, models)
    assert kept.read_lines(part)[: len(done)] == done, "what was done is not done again"
    assert timeless(tmp_path) == timeless(reference)
    assert pictures(tmp_path) == pictures(reference)


def test_two_processes_make_the_same_rows_as_one(reference, models, tmp_path, monkeypatch):
    other = started(tmp_path, RANK="1", WORLD_SIZE="2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    run(tmp_path, models)
    assert other.wait() == 0, other.stderr.read()
    other.stderr.close()
    shares = [[row["key"] for row in kept.read_lines(kept.part_file(tmp_path, rank))] for rank in (0, 1)]
    assert [len(share) for share in shares] == [4, 2] and not set(shares[0]) & set(shares[1])
    assert timeless(tmp_path) == timeless(reference)
    assert pictures(tmp_path) == pictures(reference)


def test_a_process_that_died_is_missed(reference, models, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("textedit_lite.evaluation.run.PATIENCE", 0.1)
    with pytest.raises(OutputError, match="2 edits of .* the same command again"):
        run(tmp_path, models, editor="copy", ablate=None)
    monkeypatch.undo()
    run(tmp_path, models, editor="copy", ablate=None)
    assert len(kept.read_rows(tmp_path)) == 6


@pytest.mark.parametrize("working", [True, False])
def test_a_process_that_works_on_a_long_block_is_waited_for(working, reference, tmp_path, monkeypatch):
    rows, cases, part = kept.read_rows(reference), kept.read_cases(reference), kept.part_file(tmp_path, 1)
    part.parent.mkdir()
    part.touch()
    clock = [0.0]

    def sleep(seconds):  # a quarter of an hour each time, and after three hours the block is done
        clock[0] += 900
        if clock[0] > 10_800:
            part.write_text("".join(json.dumps(row) + "\n" for row in rows))
        elif working:
            os.utime(part, (clock[0], clock[0]))

    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    if working:
        running._wait(tmp_path, cases, 2)
    else:
        with pytest.raises(OutputError, match="a process has stopped"):
            running._wait(tmp_path, cases, 2)


def test_who_lives_and_edits_nothing_is_named(reference, tmp_path, monkeypatch, capsys):
    rows, cases = kept.read_rows(reference), kept.read_cases(reference)
    shares = [kept.part_file(tmp_path, rank) for rank in (0, 1)]
    shares[0].parent.mkdir()
    clock, told = [0.0], []

    def write(rank, some):
        shares[rank].write_text("".join(json.dumps(row) + "\n" for row in some))

    write(0, [*rows[:2], *rows[4:]])
    write(1, [])

    def sleep(seconds):  # four minutes each time: a row after 20, and the other after 40
        clock[0] += 240
        os.utime(shares[1], (clock[0], clock[0]))
        told.append(capsys.readouterr().err)
        if clock[0] in (1200, 2400):
            write(1, rows[2 : 2 + int(clock[0] // 1200)])

    monkeypatch.setattr(running, "time", SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep))
    running._wait(tmp_path, cases, 2, block=2)
    lines = [(4 * at, line) for at, line in enumerate(told) if line]
    assert [minutes for minutes, _ in lines] == [12, 32]
    assert all("10 minutes" in line and "process 1 (RANK)" in line and "same command again" in line for _, line in lines)


def test_a_process_gives_a_sign_of_life_while_it_edits(tmp_path, monkeypatch):
    beaten = threading.Event()
    monkeypatch.setattr(running, "BEAT", 0.001)
    monkeypatch.setattr(running.os, "utime", lambda path: beaten.set() if path == tmp_path else None)
    with running._alive(tmp_path):
        assert beaten.wait(60)
        [beat] = [thread for thread in threading.enumerate() if thread.name == str(tmp_path)]
    assert not beat.is_alive(), "and none when it is done"


def test_a_run_is_alive_while_it_edits(models, tmp_path, monkeypatch):
    marks = []

    @contextmanager
    def alive(path):
        marks.append(path)
        yield
        marks.append(len(kept.read_lines(path)))

    monkeypatch.setattr(running, "_alive", alive)
    run(tmp_path, models, editor="copy", ablate=None)
    assert marks == [kept.part_file(tmp_path, 0), 6]


def test_a_helper_that_was_given_another_run_is_refused_at_its_first_start(models, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setattr("textedit_lite.evaluation.run.PATIENCE", 0.1)
    with pytest.raises(OutputError, match="has not begun"):
        run(tmp_path, models, editor="copy", ablate=None)

    def chosen(*arguments):  # while this one chooses, the first begins another run
        (tmp_path / "run.json").write_text(json.dumps({"settings": {"data": "world", "seed": 2}, "started": [{}]}))
        return choose_cases(*arguments)

    monkeypatch.setattr(running, "choose_cases", chosen)
    with pytest.raises(SettingsError, match="another --out"):
        run(tmp_path, models, editor="copy", ablate=None)
    assert not kept.read_rows(tmp_path)


@pytest.mark.parametrize(("rank", "size"), [("2", "2"), ("-1", "2"), ("one", "2")])
def test_a_rank_that_is_none_is_refused(rank, size, monkeypatch):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", size)
    with pytest.raises(SettingsError, match="accelerate launch"):
        process()


def test_damage_inside_of_a_file_is_not_passed_over(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"key": "a"}\n{"key": \n{"key": "b"}\n{"half')
    with pytest.raises(OutputError, match="damaged"):
        kept.read_lines(path)


# --- failures ----------------------------------------------------------------------------------------------------


def test_what_fails_is_a_row_with_its_reason(models, tmp_path):
    folder = write_set(tmp_path / "set", 4, seed=1)
    instances = json.loads((folder / "instances.json").read_text())
    found = choose_cases(open_set(str(folder)), ["color"], 9, 0)
    strange, damaged = found[0], found[1]
    for row in instances["annotations"]:
        if row["image_id"] == strange.image_id and row["id"] == strange.object_id:
            row["category_id"] = 18
    (folder / "recipe.json").unlink()  # as if nobody knew the scenes
    instances["categories"].append({"id": 18, "name": "dog"})
    (folder / "instances.json").write_text(json.dumps(instances))
    name = next(image["file_name"] for image in instances["images"] if image["id"] == damaged.image_id)
    (folder / "images" / name).write_bytes(b"no picture")
    out = evaluate(str(folder), tasks=["color"], images=9, ablate="rounds", out=tmp_path / "run", models=models, progress=False)
    rows = {row["image_id"]: row for row in kept.read_rows(out)}
    assert len(rows) == len(found)
    for image_id, reason in ((strange.image_id, '"dog"'), (damaged.image_id, name)):
        row = rows.pop(image_id)
        assert row["status"] == "failed" and reason in row["message"]
        assert not row["returned"] and not row["success"] and not row["target"] and "ssim_512" not in row
    assert rows and all(row["returned"] and "oracle" not in row for row in rows.values())
    assert [row["success"] for row in rows.values()] == [row["success_by_models"] for row in rows.values()]


def requests(count: int) -> list[Request]:
    image, pixels = Image.new("RGB", (64, 64)), np.ones((64, 64), bool)
    return [Request(image, f"the car changes to a {colour} car", 0, {"colour": colour}, (8, 8, 56, 56), pixels)
            for colour in ("red", "blue", "green", "black")[:count]]  # fmt: skip


def test_one_that_fails_leaves_the_others_alone():
    def way(some):
        if any("blue" in request.prompt for request in some):
            raise RuntimeError("of another\nshape")
        return [EditResult("edited", str(len(some)), image=request.image) for request in some]

    results = attempt(way, requests(3))
    assert [result.status for result in results] == ["edited", "failed", "edited"]
    assert results[1].message == "RuntimeError: of another shape"


def test_unknown_words_do_not_break_up_a_batch():
    def way(some):
        return [EditResult("edited", str(len(some))) for _ in some]

    results = attempt(way, requests(3), words=["car", "red", "green"])
    assert [result.status for result in results] == ["edited", "failed", "edited"]
    assert results[0].message == "2", "the two others stayed together"


@pytest.mark.parametrize(("raised", "seen"), [
    (KeyboardInterrupt(), KeyboardInterrupt), (OSError(28, "No space left on device"), OutputError),
    (WeightsError("gone"), WeightsError), (MemoryError(), WeightsError), (torch.OutOfMemoryError("CUDA out of memory"), WeightsError),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), WeightsError),
    (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), WeightsError),
    (torch.AcceleratorError("CUDA error: an illegal memory access was encountered", 700), WeightsError),
    (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling cublasSgemm"), WeightsError),
])  # fmt: skip
def test_an_interruption_and_trouble_of_the_machine_go_through(raised, seen):
    def way(some):
        raise raised

    with pytest.raises(seen):
        attempt(way, requests(2))


@pytest.mark.parametrize(("name", "raised", "seen"), [
    ("make_rows", MemoryError(), WeightsError), ("save_png", OutputError("no room"), OutputError),
    ("rows.append", OSError(28, "No space left on device"), OutputError),
])  # fmt: skip
def test_a_run_stops_at_trouble_of_the_machine_and_goes_on(name, raised, seen, models, tmp_path, monkeypatch):
    before, calls = operator.attrgetter(name)(running), []

    def third(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise raised
        return before(*arguments)

    monkeypatch.setattr(f"textedit_lite.evaluation.run.{name}", third)
    with pytest.raises(seen):
        run(tmp_path, models, editor="copy", ablate=None)
    assert not (tmp_path / "rows.jsonl").exists() and len(kept.read_rows(tmp_path)) < 6
    monkeypatch.undo()
    run(tmp_path, models, editor="copy", ablate=None)
    assert [row["returned"] for row in kept.read_rows(tmp_path)] == [True] * 6


def test_a_batch_that_the_memory_cannot_hold_is_made_one_by_one():
    def way(some):
        if len(some) > 1:
            raise MemoryError
        return [EditResult("edited", "", image=some[0].image)]

    assert [result.status for result in attempt(way, requests(3))] == ["edited"] * 3


# --- editors -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked():
    """(a case of COLOR, its request), (a case of TILT, its request)"""
    source = open_set("world", 4)
    cases = choose_cases(source, ["color", "tilt"], 1, 4)
    return [(case, request_of(source, case)) for case in cases]


def test_copy_returns_the_input(asked, models):
    _, request = asked[0]
    result = make_editor("copy", models)([request])[0]
    assert np.array_equal(result.image, request.image) and not result.verified and result.box is None


def test_oracle_mask_repaints_what_is_true(asked, models):
    for case, request in asked:
        result = make_editor("oracle-mask", models, "rounds")([request])[0]
        if case.task == "color":
            assert np.array_equal(np.asarray(result.mask) > 0, request.pixels)
            assert mask_iou(result.mask, request.pixels) == 1
        else:
            assert np.array_equal(result.mask, build_mask(request.image.size, request.box, "tilted"))
        assert result.box == pytest.approx(request.box) and "detect" not in result.timings_ms, "nothing need be found"
        assert result.settings.sketch is True


@pytest.mark.parametrize("name", ["plain", "sdedit"])
def test_each_edit_of_a_batch_has_its_own_seed(name, asked, models, monkeypatch):
    monkeypatch.setattr(editors, "plain_edit", partial(plain_edit, steps=2))  # which is enough here
    _, request = asked[0]
    some = [replace(request, seed=seed) for seed in (5, 6)]
    one, other = make_editor(name, models)(some)
    assert [one.settings.seed, other.settings.seed] == [5, 6] and not np.array_equal(one.image, other.image)


def test_every_editor_and_every_ablation_is_there(asked, models):
    _, request = asked[0]
    for name in EDITORS:
        check_editor(name)
    for name, options in ABLATED.items():
        settings = make_settings(models, request.prompt, **options)
        assert settings != make_settings(models, request.prompt), f"{name} changes nothing"
    assert IN_WORDS.keys() == ABLATED.keys()


def test_the_help_names_every_ablation(capsys):
    from textedit_lite.cli import main

    with pytest.raises(SystemExit):
        main(["evaluate", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    listed = re.search(r"do without (.+?) --block", said)[1]
    assert set(re.split(r", | or ", listed)) == set(ABLATED)


@pytest.mark.parametrize(("editor", "ablate", "words"), [("theirs", None, "no editor"), ("ours", "magic", "no ablation"),
                                                         ("copy", "rounds", "nothing to switch off")])  # fmt: skip
def test_what_is_no_editor_is_refused(editor, ablate, words):
    with pytest.raises(SettingsError, match=words):
        check_editor(editor, ablate)


def test_ablations_reach_the_painter(asked, models):
    _, request = asked[0]
    editor = Editor(models)
    whole = editor.edit(request.image, request.prompt, rounds=1)
    for name in ("crop", "refine"):
        less = editor.edit(request.image, request.prompt, rounds=1, ablate=name)
        assert not np.array_equal(less.image, whole.image), f"without {name} the picture is another"
        assert less.mask.tobytes() == whole.mask.tobytes()
    without = editor.edit(request.image, request.prompt, rounds=1, ablate="fusion")
    chosen = without.candidates[without.index]
    assert chosen.score == pytest.approx(chosen.clip_score)
    with pytest.raises(SettingsError, match="cannot do without"):
        editor.edit(request.image, request.prompt, ablate="magic")


def test_an_edit_with_a_switch_is_replayed_and_one_without_the_new_settings_too(models, tmp_path):
    street, prompt = data_path("samples", "street.png"), "the left car changes to a red car"
    for options in ({"ablate": "crop"}, {"sketch": False}, {}):
        done = Editor(models).edit(street, prompt, rounds=1, **options)
        settings = {k: v for k, v in done.settings.__dict__.items() if options or k not in ("sketch", "ablate", "feather")}
        save_png(done.image, tmp_path / "out.png", {METADATA: json.dumps(settings)})
        assert replay(tmp_path / "out.png", models).image.tobytes() == done.image.tobytes()


def test_a_case_survives_its_line():
    case = choose_cases(open_set("world", 0), ["tilt"], 1, 0)[0]
    assert type(case)(**json.loads(json.dumps(case.to_dict()))) == case
    assert replace(case, seed=1) != case
