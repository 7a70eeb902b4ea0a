"""The speed ladders: how they measure, count and write, and both of them from end to end at a small scale."""

from __future__ import annotations

import gc
import json
import sys
import time
from dataclasses import fields, replace
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import pytest

from textedit_lite import load_models

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

import cpu_ladder  # noqa: E402
import full_size  # noqa: E402
import gpu_ladder  # noqa: E402
import ladder  # noqa: E402

TINY = ["--device", "cpu", "--weights", "tiny", "--side", "96", "--steps", "4", "--batches", "2", "--no-compile", "--turns", "1", "--quiet"]


@pytest.fixture(autouse=True)
def what_stands_is_no_garbage():
    """The ladder collects garbage at every turn, which need not look through all that other tests have loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


@lru_cache
def built(size, device, dtype):
    return full_size.build(size, device, dtype)


@pytest.fixture(scope="module")
def bench():
    """The GPU ladder's bench with the tiny models, and a detector that says what is in the scene."""
    ladder.quiet()
    full, half = gpu_ladder.loaded("tiny", "cpu")
    with gpu_ladder.planted(full):
        yield gpu_ladder.Bench(full, half, gpu_ladder.pictures(2, 96), gpu_ladder.prompt())


def rung(name, seconds=0.0, log=None, **more):
    """A rung that takes so long, as two edits of which one brings no picture."""

    def run(steps):
        if log is not None:
            log.append((name, steps))
        time.sleep(seconds)
        timings = {"detect": 10.0, "match": 20.0, "inpaint": 60.0, "verify": 10.0}
        return [SimpleNamespace(timings_ms=timings, image=image) for image in (None, "a picture")]

    return ladder.Rung(name, run, **more)


# --- measuring ---------------------------------------------------------------------------------------------------


def test_rungs_are_warmed_up_and_then_measured_in_turns():
    log: list[tuple] = []
    rows = ladder.climb([rung("slow", 0.02, log), rung("fast", 0.01, log, over="slow")], "cpu", 3, 60, progress=False)
    assert log == [("slow", 2), ("fast", 2)] + 3 * [("slow", None), ("fast", None)]
    slow, fast = ladder.compared(rows, "slow")
    assert (slow["turns"], slow["edits"], slow["without"]) == (3, 2, 1)
    assert slow["share"] == pytest.approx(0.3)
    assert 0.01 <= slow["best"] <= slow["seconds"]  # of one of the two edits
    assert fast["times_base"] == fast["times_over"] == slow["seconds"] / fast["seconds"]
    assert slow["times_base"] == 1 and slow["times_over"] is None
    assert slow["peak"] is None or slow["peak"] > 1e8  # Python with torch


def test_what_there_is_no_time_for_is_not_measured_and_says_so():
    rows = ladder.climb([rung("first", 0.2), rung("second", 0.2)], "cpu", 5, 0.25, progress=False)
    assert rows[0]["turns"] <= 1 and rows[1]["turns"] == 0 and "time was up" in rows[1]["failed"]
    text = ladder.ladder_table(ladder.compared(rows, "first"), "plain")
    assert "second: not measured: the time was up" in text


def test_only_an_optional_rung_may_fail():
    def broken(steps):
        raise RuntimeError("no compiler\nhere")

    rows = ladder.climb([ladder.Rung("compiled", broken, optional=True), rung("fast")], "cpu", 1, 60, progress=False)
    assert rows[0]["failed"] == "does not run here (no compiler here)" and rows[1]["failed"] is None
    with pytest.raises(RuntimeError):
        ladder.climb([ladder.Rung("compiled", broken)], "cpu", 1, 60, progress=False)


def test_a_rung_too_large_for_the_memory_is_a_row_that_says_so():
    import torch

    def large(steps):
        raise torch.OutOfMemoryError("CUDA out of memory")

    (row,) = ladder.climb([ladder.Rung("batches of 32", large)], "cpu", 1, 60, progress=False)
    assert row["failed"] == "does not fit into the memory" and row["turns"] == 0


@pytest.mark.parametrize("error", ["CUDA error: out of memory", "cuBLAS error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"])
def test_the_memory_is_full_in_the_words_of_the_driver_too(error):
    def large(steps):
        raise RuntimeError(error)

    rows = ladder.climb([ladder.Rung("batches of 32", large), rung("fast")], "cpu", 1, 60, progress=False)
    assert [row["failed"] for row in rows] == ["does not fit into the memory", None]


def test_what_did_not_fit_is_let_go_before_the_next_rung(monkeypatch):
    import weakref

    import torch

    class Held:
        """What a rung holds when it fails, in a ring, so that counting references does not free it."""

    held, alive = [], []

    def large(steps):
        some = Held()
        some.ring = some
        held.append(weakref.ref(some))
        raise torch.OutOfMemoryError("CUDA out of memory")

    def next_one(steps):
        alive.append([one() for one in held])
        return rung("fast").run(steps)

    emptied = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append([one() for one in held]))
    gc.disable()
    try:
        ladder.climb([ladder.Rung("large", large), ladder.Rung("next", next_one)], "cpu", 1, 60, progress=False)
        assert alive == [[None], [None]]
        assert ladder.fitted(lambda: large(None), "cuda") is None and emptied == [[None, None]]
    finally:
        gc.enable()
    assert ladder.fitted(lambda: 3, "cuda") == 3
    with pytest.raises(ZeroDivisionError):
        ladder.fitted(lambda: 1 / 0, "cuda")


@pytest.mark.parametrize("kind", [OSError, LookupError])
def test_an_optional_rung_may_fail_in_any_way(kind):
    def broken(steps):
        raise kind("gcc: Python.h: no such file")

    (row,) = ladder.climb([ladder.Rung("compiled", broken, optional=True)], "cpu", 1, 60, progress=False)
    assert "Python.h" in row["failed"]


def test_the_peak_sees_what_was_held_for_a_moment():
    peak = ladder.Peak("cpu")
    peak.start()
    before = peak.bytes()
    if before is None:
        pytest.skip("this system does not count the most memory in use anew")
    held = bytearray(b"1" * 200_000_000)
    del held
    assert peak.bytes() - before > 150_000_000
    peak.start()
    assert peak.bytes() - before < 100_000_000


# --- writing down ------------------------------------------------------------------------------------------------


def test_a_table_takes_the_place_of_the_last_one(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text("before\n<!-- cpu ladder -->\nold\n<!-- end of cpu ladder -->\nafter\n")
    for _ in range(2):
        ladder.write_into(page, "cpu ladder", "| new |")
    assert page.read_text() == "before\n<!-- cpu ladder -->\n| new |\n<!-- end of cpu ladder -->\nafter\n"
    with pytest.raises(ladder.OutputError, match="no one place"):
        ladder.write_into(page, "gpu ladder", "| new |")


def test_the_page_has_a_place_for_both_tables():
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    for name in ("cpu ladder", "gpu ladder"):
        assert page.count(f"<!-- {name} -->") == page.count(f"<!-- end of {name} -->") == 1


# --- the GPU's ---------------------------------------------------------------------------------------------------


def test_the_random_models_have_the_size_of_the_real_ones():
    import torch

    from textedit_lite.models import FULL_FINDERS, FULL_PAINTER

    models = full_size.build("random", "meta", torch.float16)
    finders, painter = full_size.parameters(models)
    assert painter == FULL_PAINTER
    norms = sum(buffer.numel() for name, buffer in models.detr.named_buffers() if "position_ids" not in name)
    assert finders + norms == FULL_FINDERS
    assert models.native == 512 and models.painter.unet.dtype == torch.float16 and models.detr.dtype == torch.float32


def test_every_rung_adds_one_thing_to_the_one_that_it_names():
    ways = {way.name: way for way in gpu_ladder.ways(40, (8, 32), "fp16", compiled=True)}
    assert len(ways) == 13
    allowed = {"schedule": {"steps", "guidance"}}  # a schedule is made for a number of steps
    for way in ways.values():
        if way.over and (way.ours == ways[way.over].ours):
            differs = {f.name for f in fields(way) if getattr(way, f.name) != getattr(ways[way.over], f.name)} - {"name", "over"}
            main = differs - allowed["schedule"] if "schedule" in differs else differs
            assert len(main) == 1, (way.name, differs)


def test_a_step_of_two_calls_is_as_good_as_one_of_both(bench):
    import torch

    unet = bench.full.painter.unet
    torch.manual_seed(0)
    sample, words = torch.randn(2, 9, 8, 8), torch.randn(2, 77, 32)
    with torch.inference_mode():
        whole = unet(sample, torch.tensor(7), encoder_hidden_states=words, return_dict=False)[0]
        halves = gpu_ladder.in_halves(unet)(sample, torch.tensor(7), encoder_hidden_states=words, return_dict=False)[0]
    torch.testing.assert_close(whole, halves)


def test_flops_are_counted_in_what_runs(bench):
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        torch.nn.Linear(6, 5)(torch.ones(4, 6))
    assert counter.get_total_flops() == 2 * 4 * 6 * 5

    counted = gpu_ladder.Counted(bench)
    ours = gpu_ladder.Way("ours", steps=4, half=False)
    plain = gpu_ladder.Way("plain", steps=5, half=False, ours=False)
    assert (ours.calls, plain.calls) == (4, 4)
    for way in (ours, plain, replace(ours, schedule="LCM", guidance=1.0)):
        expected = counted.of(way)  # in half precision
        counted.warm(way)  # what is remembered of the words
        assert expected == counted.direct(way, way.steps) > counted.of(replace(way, steps=3)) > 0
    assert counted.of(replace(ours, guidance=1.0)) < counted.of(ours), "without guidance a step is one pass, not two"


@pytest.mark.parametrize("schedule", ["DDIM", "DPM-Solver++", "UniPC", "LCM"])
def test_the_painter_is_called_as_often_as_said_and_is_as_before_afterwards(bench, schedule):
    import torch

    painter = bench.full.painter
    before, calls = painter.scheduler, []
    handle = painter.unet.register_forward_hook(lambda unet, arguments, output: calls.append(len(arguments[0])))
    way = gpu_ladder.Way("ours", half=False, steps=3, schedule=schedule, fused=schedule != "DDIM", channels_last=True, batch=2)
    with bench.state(way):
        assert painter.unet.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
        results = bench.edit(way)
    handle.remove()
    assert calls == [4, 4, 4]  # both pictures, with words and without, in one call
    assert len(results) == 2  # what random networks think of it hangs on the machine
    assert all(result.image and result.status in ("edited", "unverified") for result in results)
    assert painter.scheduler is before and "forward" not in painter.unet.__dict__
    assert gpu_ladder.editing.PAINTED_AT_ONCE != 2


@pytest.mark.parametrize("most", [0, 1])
def test_a_batch_that_the_editor_had_to_cut_up_is_no_rung(bench, monkeypatch, most):
    import torch

    paint = gpu_ladder.editing.inpaint_batch

    def painted(jobs, *arguments, **options):
        if len(jobs) > most:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return paint(jobs, *arguments, **options)

    monkeypatch.setattr(gpu_ladder.editing, "inpaint_batch", painted)
    way = gpu_ladder.Way("ours", half=False, steps=1, batch=2)
    with bench.state(way), pytest.raises(torch.OutOfMemoryError):
        bench.edit(way)


def test_the_gpu_ladder_runs_from_end_to_end(tmp_path, capsys):
    page = tmp_path / "speed.md"
    page.write_text("<!-- gpu ladder -->\n<!-- end of gpu ladder -->\n")
    assert gpu_ladder.main([*TINY, "--json", "--out", str(tmp_path), "--write", str(page)]) == 0
    figures = json.loads(capsys.readouterr().out)
    rows = figures["rows"]
    assert len(rows) == 11 and not any(row["failed"] for row in rows)
    assert all(row["seconds"] > 0 < row["floor"] and row["without"] == 0 for row in rows)  # which is larger, the machine says
    assert [row["calls"] for row in rows] == [3, 3, 4, 4, 4, 4, 2, 2, 2, 1, 1]
    assert figures["base"] == rows[1]["name"] and rows[1]["times_base"] == 1
    assert rows[3]["flops"] > rows[6]["flops"] > rows[10]["flops"]
    assert figures["paper"]["floor"] == pytest.approx(rows[1]["flops"] / 111.1e12)
    text = page.read_text()
    assert "| 8 | + batches of 2 |" in text and "torch 2" in text
    assert "RTX A5000" in of_the_papers_size(figures) and "RTX A5000" not in text  # models at their smallest are not the paper's
    assert (tmp_path / "gpu_ladder.png").stat().st_size > 10_000
    assert json.loads((tmp_path / "gpu_ladder.json").read_text())["rows"] == rows


@pytest.fixture
def quick(monkeypatch):
    """The ladder with its tiny models, built once, which takes edits, operations and the rate for granted."""
    results = rung("any").run(None)[1:]
    monkeypatch.setattr(gpu_ladder, "build", built)
    monkeypatch.setattr(gpu_ladder.Bench, "edit", lambda bench, way, steps=None: time.sleep(0.001) or results * way.batch)
    monkeypatch.setattr(gpu_ladder.Counted, "direct", lambda counted, way, steps: 1000 * steps)
    monkeypatch.setattr(gpu_ladder, "matrix_rate", lambda device, dtype, side: 1e9)
    return monkeypatch


def fill(patch, where, name, when=lambda *arguments, **options: True):
    """The memory is full whenever `name` of the ladder is called so that `when` holds of its arguments."""
    import torch

    real = getattr(where, name)

    def full(*arguments, **options):
        if when(*arguments, **options):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return real(*arguments, **options)

    patch.setattr(where, name, full)


def of_the_papers_size(figures) -> str:
    """The table that the ladder would print if its models were not at their smallest."""
    return gpu_ladder.as_markdown(figures | {"settings": figures["settings"] | {"weights": "random"}})


def climbed(capsys, tmp_path):
    """The figures of the tiny ladder, and its table."""
    assert gpu_ladder.main([*TINY, "--json", "--out", str(tmp_path)]) == 0
    return json.loads(capsys.readouterr().out), (tmp_path / "gpu_ladder.md").read_text()


def test_a_card_without_room_for_float32_measures_all_else(quick, capsys, tmp_path):
    import torch

    fill(quick, gpu_ladder, "build", lambda size, device, dtype: dtype == torch.float32)
    figures, text = climbed(capsys, tmp_path)
    first, *others = figures["rows"]
    assert first["failed"] == "does not fit into the memory" and not any(row["failed"] for row in others)
    assert all(row["floor"] > 0 for row in figures["rows"]) and figures["paper"]["floor"] > 0
    assert f"| 1 | {first['name']}: does not fit into the memory |" in text


def test_a_card_without_room_to_count_has_no_floor(quick, capsys, tmp_path):
    fill(quick, gpu_ladder.Counted, "direct", lambda counted, way, steps: way.ours and way.guidance > 1)
    figures, text = climbed(capsys, tmp_path)
    assert not any(row["failed"] for row in figures["rows"])
    assert [row["floor"] is None for row in figures["rows"]] == [False] * 2 + [True] * 7 + [False] * 2
    assert figures["aims"]["times_floor"] is None and figures["aims"]["times_plain"] > 0
    assert "no room to count" in text and "not measured" in text and "RTX A5000" in of_the_papers_size(figures)


def test_a_card_without_room_to_count_the_plain_way_is_not_set_beside_the_paper(quick, capsys, tmp_path):
    fill(quick, gpu_ladder.Counted, "direct")
    figures, text = climbed(capsys, tmp_path)
    assert figures["paper"] is None and "RTX A5000" not in of_the_papers_size(figures)
    assert all(row["seconds"] > 0 for row in figures["rows"])


def test_a_card_without_room_for_a_run_goes_on_with_the_others(quick, capsys, tmp_path):
    fill(quick, gpu_ladder.Bench, "edit", lambda bench, way, steps=None: way.batch > 1 and way.schedule != "LCM")
    figures, _ = climbed(capsys, tmp_path)
    assert [row["name"] for row in figures["rows"] if row["failed"]] == ["+ batches of 2", "UniPC, steps: 2, batches of 2"]


@pytest.mark.parametrize(
    "where, name, said", [
        (gpu_ladder, "matrix_rate", "no memory for the models"), (gpu_ladder, "build", "no memory for the models"),
        (gpu_ladder.Bench, "edit", "No rung could be measured"),
    ],
)  # fmt: skip
def test_a_card_without_room_for_anything_says_so_in_a_sentence(where, name, said, quick, capsys):
    fill(quick, where, name)
    assert gpu_ladder.main(TINY) == 2
    told = capsys.readouterr()
    assert told.out == "" and said in told.err and told.err.count("\n") == 1


def test_only_the_painter_of_the_rung_at_hand_is_on_the_device(bench, monkeypatch):
    import torch

    moves = []
    for models in (bench.full, bench.half):
        monkeypatch.setattr(models.painter, "to", lambda where, name=models.painter.unet.dtype, **options: moves.append((name, where)))
    apart = replace(bench, full=replace(bench.full, device="cuda"), half=replace(bench.half, device="cuda"))
    for half, mine, other in ((False, torch.float32, torch.bfloat16), (True, torch.bfloat16, torch.float32)):
        with apart.state(gpu_ladder.Way("ours", half=half)):
            assert moves == [(other, "cpu"), (mine, "cuda")]  # off it first
        moves.clear()


def test_without_a_compiler_the_rungs_are_those_without(quick, capsys):
    import torch

    def compile(function):
        raise OSError("gcc: Python.h: no such file")

    quick.setattr(torch, "compile", compile)
    assert gpu_ladder.main([*(word for word in TINY if word != "--no-compile"), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert len(figures["rows"]) == 11 and not any(row["failed"] for row in figures["rows"])
    assert "torch.compile cannot build here" in gpu_ladder.as_markdown(figures)


def test_without_a_gpu_the_ladder_says_so(capsys):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    assert gpu_ladder.main([]) == 2
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("There is no GPU that torch can see") and told.err.count("\n") == 1


# --- the processor's ---------------------------------------------------------------------------------------------


def test_the_cpu_ladder_runs_from_end_to_end(tmp_path, capsys, monkeypatch):
    from textedit_lite.training.loop import has_half_precision

    def quick(weights, device):
        models = load_models(weights, device)
        models.painter.unet.register_to_config(sample_size=16)  # it paints smaller, and worse
        return replace(models, steps=2)

    monkeypatch.setattr(cpu_ladder, "load_models", quick)
    monkeypatch.setattr(cpu_ladder, "TASKS", ("color", "front"))  # one from a sketch, one from noise
    monkeypatch.setattr(cpu_ladder, "FEWEST", 2)
    arguments = ["--steps", "3", "--edits", "3", "--most", "2", "--sizes", "0.25", "--objects", "2", "--no-compile", "--turns", "1"]
    assert cpu_ladder.main([*arguments, "--threads", "1", "--quiet", "--json", "--out", str(tmp_path)]) == 0
    figures = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in figures["rows"]}
    assert len(rows) == 9 + has_half_precision("cpu") and not any(row["failed"] or row["without"] for row in rows.values())
    assert rows["batches of 2"]["edits"] == 3 and ("batches of 2, bf16" in rows) == has_half_precision("cpu")
    assert figures["sizes"][0]["size"] == [576, 432] and figures["larger"] is None
    assert [row["batch"] for row in figures["batches"]] == [1, 2] and figures["objects"][0]["stages_ms"]["match"] > 0
    text = (tmp_path / "cpu_ladder.md").read_text()
    assert "By the size of the picture" in text and "| 2 |" in text and "the median of 1 turn after" in text


def test_a_cost_is_measured_more_than_once_after_a_whole_batch():
    log: list[tuple] = []

    def run(some, batch):
        log.append((list(some), batch))
        return [SimpleNamespace(timings_ms={"detect": 10.0}) for _ in some]

    found = cpu_ladder.cost([1, 2, 3, 4], 2, run, batch=3)
    assert log == [([1, 2, 3], 3), ([1, 2, 3, 4], 3), ([1, 2, 3, 4], 3)]
    assert found["seconds"] >= 0 and found["stages_ms"]["detect"] == 10 and found["stages_ms"]["verify"] == 0


def test_a_large_picture_is_compared_with_a_small_one():
    rows = [{"megapixels": size, "seconds": s, "sketched": {"seconds": k}, "noise": {"seconds": n}}
            for size, s, k, n in ((0.25, 1.0, 0.5, 2.0), (12, 1.2, 1.0, 2.2))]  # fmt: skip
    assert cpu_ladder.larger(rows) == {"mean": 1.2, "sketched": 2.0, "noise": pytest.approx(1.1)}
    assert cpu_ladder.larger(rows[:1]) is None


def test_the_same_scenes_are_drawn_at_every_size():
    small, large = cpu_ladder.edits(4, (288, 216)), cpu_ladder.edits(4, (576, 432))
    assert [one.prompt for one in small] == [one.prompt for one in large] and large[0].image.size == (576, 432)
    assert [one.sketched for one in small] == [True, True, False, True]


def test_a_file_without_a_place_for_the_table_is_refused_at_once(tmp_path, capsys):
    page = tmp_path / "README.md"
    page.write_text("no place")
    assert cpu_ladder.main(["--write", str(page)]) == 2
    assert "has no one place" in capsys.readouterr().err and page.read_text() == "no place"


@pytest.mark.parametrize("arguments", [["--turns", "0"], ["--minutes", "0"], ["--minutes", "nan"], ["--write", "no/such/file.md"]])
def test_what_would_fail_at_the_end_fails_at_once(arguments, capsys):
    assert cpu_ladder.main(arguments) == 2
    assert capsys.readouterr().err.count(": give" if "--write" not in arguments else ": name") == 1


def test_an_out_that_is_no_folder_is_refused_at_once(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert cpu_ladder.main(["--out", str(tmp_path / "taken")]) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_sizes_and_batches_are_in_order_and_there_once():
    assert cpu_ladder.numbers(float, (0.25, 3.0))("3,0.25,3") == (0.25, 3.0) and gpu_ladder.numbers("32,8,8") == (8, 32)
