"""What trainings are asked for and begin with, and how several of them get on with each other's files."""

import math
import os
import shutil
from importlib import import_module

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textedit_lite.errors import SettingsError  # noqa: E402
from textedit_lite.resources import data_path  # noqa: E402
from textedit_lite.training import data, inpaint, instruct_pix2pix, loop, settings, text2image  # noqa: E402
from textedit_lite.training.files import whole  # noqa: E402

LITE = data_path("models", "lite")
PARTS = {"vae": LITE / "inpaint" / "vae", "clip": LITE / "clip"}
TRAINERS = ("clip", "detr", "inpaint", "instruct_pix2pix", "lcm", "mask2former", "sam", "text2image", "vae")


# --- what is asked for -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trainer", TRAINERS)
def test_no_trainer_draws_anything_without_a_time_and_a_count(trainer, tmp_path):
    parts = PARTS if trainer in ("inpaint", "instruct_pix2pix", "lcm", "text2image") else {}
    train = import_module(f"textedit_lite.training.{trainer}").train
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(SettingsError, match="a time above 0"):
            train(tmp_path, minutes, **parts)
    with pytest.raises(SettingsError, match="--count 1 or more"):
        train(tmp_path, 1, count=0, **parts)
    with pytest.raises(SettingsError, match="seed"):
        train(tmp_path, 1, seed=-1, **parts)
    assert not list(tmp_path.iterdir())


# --- what a run begins with --------------------------------------------------------------------------------------


def test_models_are_told_by_their_weights():
    torch.manual_seed(0)
    model, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    found = settings.origins(vae=model, clip=other, init=None)
    assert found["vae"] != found["clip"] and len(found["vae"]) == 12 and found["init"] is None
    half = model.half()
    one, two = torch.zeros(2), torch.ones(2)
    assert settings.fingerprint({"a": one, "b": two}) == settings.fingerprint({"b": two, "a": one}), "whatever their order"
    assert settings.fingerprint({"a": one, "b": two}) != settings.fingerprint({"a": one, "c": two}), "but by their names"
    assert settings.fingerprint(half.state_dict()) == settings.fingerprint(half.float().state_dict()), "of whatever precision"


def stepped(out, minutes, **begun):
    torch.manual_seed(0)

    def loss(model, batch):
        return model(batch).square().mean(), {}

    return loop.run(
        torch.nn.Linear(3, 2), lambda step, generator: torch.randn(4, 3, generator=generator), loss, out, minutes, 1e-3,
        settings={"batch": 4, **begun}, progress=False,
    )  # fmt: skip


def test_a_run_goes_on_only_with_what_it_began_with(tmp_path):
    stepped(tmp_path / "run", 0.001, samples=20, init=None, vae="abc", text_encoder="def")
    for name, value in {"samples": 40, "init": "abc", "vae": "def", "text_encoder": "abc"}.items():
        with pytest.raises(SettingsError, match=f"a run with {name} .*, not {value}: .* another folder"):
            stepped(tmp_path / "run", 0.002, **{"samples": 20, "init": None, "vae": "abc", "text_encoder": "def", name: value})


def test_a_checkpoint_that_does_not_say_what_its_run_began_with_is_gone_on_with(tmp_path):
    first = stepped(tmp_path / "run", 0.001)
    more = stepped(tmp_path / "run", 0.002, samples=20, vae="abc")
    assert more.steps > first.steps and more.settings["vae"] == "abc"
    with pytest.raises(SettingsError, match="vae abc, not def"):
        stepped(tmp_path / "run", 0.003, samples=20, vae="def")


def another(folder, to, name):
    """A copy of a model's folder in which a number of each weight is another."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, to)
    weights = load_file(to / name)
    for weight in weights.values():
        weight.view(-1)[0] += 1
    save_file(weights, to / name, metadata={"format": "pt"})
    return to


def test_a_rivals_folder_goes_on_only_with_what_it_began_with(tmp_path, monkeypatch):
    monkeypatch.setattr(text2image, "PART", 4)
    monkeypatch.setattr(text2image, "BATCH", 2)
    monkeypatch.setattr(torch, "compile", lambda model: model)  # takes longer than all else
    (tmp_path / "samples").mkdir()
    text2image._draw_part((tmp_path / "samples" / "text2image-0-000.npz", 0, 0))  # here: another process would not see the patches
    options = {**PARTS, "count": 4, "scenes": tmp_path / "samples", "progress": False}
    text2image.train(tmp_path / "run", 0.005, **options)
    for name, value, told in (
        ("count", 3, "samples 4, not 3"),
        ("init", LITE / "text2image", r"init None, not \w{12}"),
        ("vae", another(PARTS["vae"], tmp_path / "vae", "diffusion_pytorch_model.safetensors"), r"vae \w{12}, not \w{12}"),
        ("clip", another(PARTS["clip"], tmp_path / "clip", "model.safetensors"), r"text_encoder \w{12}, not \w{12}"),
    ):
        with pytest.raises(SettingsError, match=told):
            text2image.train(tmp_path / "run", 0.01, **{**options, name: value})


# --- files -------------------------------------------------------------------------------------------------------


def test_a_file_is_there_in_full_or_not_at_all(tmp_path):
    path = tmp_path / "part.npz"
    with pytest.raises(RuntimeError), whole(path) as half:
        half.write_bytes(b"a beginning")
        raise RuntimeError("the disk is full")
    assert not list(tmp_path.iterdir())
    with whole(path) as half:
        assert str(os.getpid()) in half.name and half.name.startswith(".") and not path.exists()
        np.savez(half, one=np.ones(2))
    assert [one.name for one in tmp_path.iterdir()] == ["part.npz"] and np.load(path)["one"].sum() == 2


class Here:
    """Stands in for a multiprocessing context: a pool that works in this process, and counts."""

    def __init__(self):
        self.sizes = []

    def Pool(self, count):
        self.sizes.append(count)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False

    def imap(self, function, jobs):
        return map(function, jobs)


@pytest.fixture
def here(monkeypatch):
    pool = Here()
    monkeypatch.setattr(data.multiprocessing, "get_context", lambda kind: pool)
    return pool


def test_as_many_processes_draw_as_this_one_may_use(here, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 3}, raising=False)
    drawn = []
    data.draw_parts(drawn.append, range(9), "drawing")
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS and Windows
    data.draw_parts(drawn.append, range(9), "drawing")
    data.draw_parts(drawn.append, range(3), "drawing")
    assert here.sizes == [2, 5, 3] and len(drawn) == 21


def test_trainers_share_a_folder_of_samples(here, tmp_path, monkeypatch):
    monkeypatch.setattr(inpaint, "_draw_part", lambda job: job[0].write_text("a crop"))
    paths = [
        *inpaint.draw_samples(tmp_path, 1, 3),
        *data.sample_files(lambda job: job[0].write_text("a scene"), tmp_path, "text2image", text2image.PART, 1, 3),
        *data.sample_files(lambda job: job[0].write_text("a triple"), tmp_path, "instruct-pix2pix", instruct_pix2pix.PART, 1, 3),
    ]
    assert [path.read_text() for path in paths] == ["a crop", "a scene", "a triple"]
    assert inpaint.draw_samples(tmp_path, 1, 3) == paths[:1] and len(here.sizes) == 3, "what is there is not drawn again"
