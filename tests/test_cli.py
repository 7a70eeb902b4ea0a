"""The command line: what each command prints, writes and answers, and that bad input gets one sentence and no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops

from textedit_lite import cli, data_path
from textedit_lite.training.score import MEASURED

STREET = str(data_path("samples", "street.png"))
RECOLOUR = "the left car changes to a red car"


def one_sentence(text: str) -> str:
    """The only line of stderr."""
    assert text.endswith(".\n") and text.count("\n") == 1, text
    return text


def test_without_arguments_it_shows_the_commands(capsys):
    assert cli.main([]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert all(command in shown.err for command in ("edit", "replay", "scenes", "train", "score", "version"))


@pytest.mark.parametrize("words", [["edit"], ["edit", STREET], ["nonsense"], ["edit", STREET, "x", "--seed", "one"],
                                   ["train", "detr"], ["score", "everything"]])  # fmt: skip
def test_a_wrong_call_is_one_sentence(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(words)
    assert stopped.value.code == 2
    assert "--help" in one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize("command", ["edit", "replay", "scenes", "train", "score", "version"])
def test_every_command_has_its_help(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([command, "--help"])
    assert stopped.value.code == 0
    assert "usage: textedit-lite " + command in capsys.readouterr().out


def test_version_names_what_decides_the_result(capsys):
    assert cli.main(["version"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [
        "textedit-lite", "torch", "transformers", "diffusers"
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- edit


@pytest.fixture(scope="module")
def edited(tmp_path_factory):
    """(exit status, the JSON object, the PNG, the figure) of one real edit."""
    folder = tmp_path_factory.mktemp("edit")
    out, figure = folder / "out.png", folder / "figure.png"
    with pytest.MonkeyPatch.context() as patch:
        lines: list[str] = []
        patch.setattr("builtins.print", lambda *words, **options: lines.append(" ".join(map(str, words))))
        own = ["--rounds", "2", "--grow", "0.1", "--feather", "0.05"]
        status = cli.main(["edit", STREET, RECOLOUR, "--out", str(out), "--figure", str(figure), "--json", *own])
    return status, json.loads(lines[0]), out, figure


def test_edit_prints_one_object_with_all_that_is_known(edited):
    status, found, out, figure = edited
    assert status == 0
    assert found["status"] in ("edited", "unverified") and found["verified"] is (found["status"] == "edited")
    assert found["output"] == str(out)
    assert Image.open(found["mask"]).size == Image.open(out).size == Image.open(STREET).size
    assert set(found["candidates"][0]) >= {"box", "label", "detr_score", "clip_score", "score"}
    assert set(found["timings_ms"]) >= {"detect", "match", "inpaint"}
    assert found["settings"]["prompt"] == RECOLOUR and found["settings"]["seed"] == 0
    assert [found["settings"][name] for name in ("rounds", "grow", "feather")] == [2, 0.1, 0.05]
    assert found["rounds"] >= 1 and found["margin"] >= 0 and len(found["box"]) == 4
    assert Image.open(figure).width > 1000


def test_edit_leaves_everything_outside_of_the_mask_as_it_was(edited):
    _, found, out, _ = edited
    changed = ImageChops.difference(Image.open(STREET).convert("RGB"), Image.open(out))
    outside = Image.open(found["mask"]).point(lambda value: 0 if value else 255)
    assert changed.getbbox() is not None
    assert ImageChops.multiply(changed, Image.merge("RGB", [outside] * 3)).getbbox() is None


def test_replay_makes_it_again_bit_for_bit(edited, tmp_path, capsys):
    _, _, out, _ = edited
    again = tmp_path / "again.png"
    assert cli.main(["replay", str(out), "--out", str(again)]) == 0
    assert "bit for bit" in capsys.readouterr().out
    assert again.read_bytes() == out.read_bytes()


def test_the_help_names_the_defaults_of_the_mask(capsys):
    from textedit_lite.blend import FEATHER
    from textedit_lite.boxes import GROW
    from textedit_lite.settings import ROUNDS

    with pytest.raises(SystemExit):
        cli.main(["edit", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for name, default in ("--rounds N", ROUNDS), ("--grow G", GROW), ("--feather F", FEATHER):
        assert f"(default: {default:g})" in text.split(f" {name} ")[-1].split(" --")[0], name


def test_replay_says_when_a_picture_is_not_what_its_settings_make(edited, tmp_path, capsys):
    _, _, out, _ = edited
    touched = Image.open(out)
    text = dict(touched.text)
    touched.putpixel((0, 0), (1, 2, 3))
    from textedit_lite.images import save_png

    save_png(touched, tmp_path / "touched.png", text)
    assert cli.main(["replay", str(tmp_path / "touched.png")]) == 1
    assert "not bit for bit" in one_sentence(capsys.readouterr().err)


@pytest.mark.parametrize("change, words", [
    ({}, "weights, machine or versions differ"), ({"device": "cuda"}, "device cuda then, cpu now"),
    ({"low_memory": True}, "low memory True then, False now"), ({"weights": "full"}, "weights full then, lite now"),
])  # fmt: skip
def test_replay_says_what_differs(change, words, edited, tmp_path, capsys, monkeypatch):
    from dataclasses import replace

    from textedit_lite.editor import EditResult, Settings
    from textedit_lite.images import save_png

    _, found, out, _ = edited
    picture, settings = Image.open(out), Settings(**found["settings"])
    assert (settings.device, settings.low_memory) == ("cpu", False)
    cropped = picture.crop((0, 0, picture.width - 9, picture.height))
    save_png(cropped, tmp_path / "out.png", {"textedit-lite": json.dumps(vars(replace(settings, **change)))})
    made = EditResult("edited", "", image=picture, settings=settings)
    monkeypatch.setattr("textedit_lite.editor.replay", lambda *given, **options: made)
    assert cli.main(["replay", str(tmp_path / "out.png")]) == 1
    assert f"not bit for bit: {words}." in one_sentence(capsys.readouterr().err)


def test_what_is_not_there_is_status_3_and_nothing_is_written(tmp_path, capsys):
    out = tmp_path / "out.png"
    assert cli.main(["edit", STREET, "make the umbrella blue", "--out", str(out), "--json"]) == 3
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert (found["status"], found["verified"], found["output"], found["mask"]) == ("not_found", False, None, None)
    assert "umbrella" in one_sentence(shown.err)
    assert list(tmp_path.iterdir()) == []


def test_two_that_fit_are_a_question_with_the_answers_to_choose_from(tmp_path, capsys):
    street = Image.open(STREET)
    street.paste(street.crop((0, 0, 150, street.height)), (street.width - 150, 0))
    street.save(tmp_path / "twins.png")
    status = cli.main(["edit", str(tmp_path / "twins.png"), "the car changes to a red car", "--out", str(tmp_path / "out.png")])
    shown = capsys.readouterr()
    assert status == 3
    assert len([line for line in shown.out.splitlines() if line.startswith("--select ") and ": car at (" in line]) == 2
    assert "which one" in one_sentence(shown.err)
    assert not (tmp_path / "out.png").exists()


def test_ctrl_c_while_it_paints_leaves_nothing_half_written(tmp_path, capsys, monkeypatch):
    import contextlib

    @contextlib.contextmanager
    def interrupted():
        def progress(step, steps):
            if step == 1:
                raise KeyboardInterrupt

        yield progress

    monkeypatch.setattr(cli, "painting", interrupted)
    assert cli.main(["edit", STREET, RECOLOUR, "--out", str(tmp_path / "out.png")]) == 130
    assert "Interrupted" in one_sentence(capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("image, prompt, options, named", [
    ("nowhere.png", RECOLOUR, [], "nowhere.png"),
    (__file__, RECOLOUR, [], "no picture"),
    (STREET, "", [], "prompt"),
    (STREET, "a car", [], "names no change"),
    (STREET, "make the " + "very " * 2000 + "red car blue", [], "characters"),
    (STREET, RECOLOUR, ["--weights", "nowhere"], "nowhere"),
    (STREET, "make the zebra blue", [], "zebra"),
    (STREET, RECOLOUR, ["--seed", "-1"], "seed"),
    (STREET, RECOLOUR, ["--steps", "0"], "steps"),
    (STREET, RECOLOUR, ["--guidance", "nan"], "guidance"),
    (STREET, RECOLOUR, ["--rounds", "0"], "round"),
    (STREET, RECOLOUR, ["--grow", "nan"], "grow"),
    (STREET, RECOLOUR, ["--feather", "-1"], "feather"),
    (STREET, RECOLOUR, ["--threshold", "nan"], "threshold"),
    (STREET, RECOLOUR, ["--select", "nearest"], "nearest"),
    (STREET, RECOLOUR, ["--select", "99"], "99"),
    (STREET, RECOLOUR, ["--match", "magic"], "crop or patches"),
    (STREET, RECOLOUR, ["--mask", str(data_path("samples", "kitchen.png")), "--select", "all"], "mask"),
], ids=lambda value: str(value)[-20:])  # fmt: skip
def test_bad_input_is_one_sentence_and_status_2(image, prompt, options, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["edit", image, prompt, *options]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and named in one_sentence(shown.err)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------- what is said before it is painted


@pytest.fixture
def unpainted(tmp_path, monkeypatch):
    """A folder with street.png, street.mask.png and a folder, in which no models may be loaded."""
    monkeypatch.setattr("textedit_lite.models.load_models", lambda *_, **__: pytest.fail("the models were loaded"))
    monkeypatch.setattr("textedit_lite.editor.load_models", lambda *_, **__: pytest.fail("the models were loaded"))
    shutil.copy(STREET, tmp_path / "street.png")
    mask = Image.new("L", Image.open(STREET).size)
    mask.paste(255, (40, 130, 140, 200))
    mask.save(tmp_path / "street.mask.png")
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("option", ["--out", "--figure"])
@pytest.mark.parametrize("name, words", [
    ("no/folder/out.png", "no folder"), ("x.jpg", "ends in .png"), (".", "ends in .png"), ("", "ends in .png"), ("/", "ends in .png"),
    ("notes.txt", "ends in .png"), ("photo.v2", "ends in .png"), ("folder.png", "is a folder"), ("street.png", "overwrite"),
    ("folder.png/../street.png", "overwrite"), ("street.mask.png", "overwrite"), ("x" * 300 + ".png", "too long"),
])  # fmt: skip
def test_an_output_that_cannot_be_is_refused_before_anything_is_painted(unpainted, capsys, option, name, words):
    before = contents(unpainted)
    command = ["edit", "street.png", RECOLOUR, option, name, "--mask", "street.mask.png"]
    assert cli.main(command) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert contents(unpainted) == before


@pytest.mark.parametrize("place", [["--out", "out.png"], ["--figure", "out.png"], []], ids=["out", "figure", "default"])
def test_a_place_without_rights_is_refused_before_anything_is_painted(unpainted, capsys, monkeypatch, place):
    monkeypatch.setattr("textedit_lite.images.os.access", lambda *_, **__: False)
    assert cli.main(["edit", "street.png", RECOLOUR, *place]) == 2
    assert "takes no new files" in one_sentence(capsys.readouterr().err)


def test_the_mask_beside_a_result_may_not_be_the_mask_that_was_given(unpainted, capsys):
    for out, mask in (("street.png", None), ("street.png", "box"), ("new.png", "new.mask.png"), ("./new.png", "./new.mask.png")):
        before = contents(unpainted)
        if mask == "new.mask.png":
            shutil.copy("street.mask.png", mask)
            before = contents(unpainted)
        command = ["edit", "street.png", RECOLOUR, "--out", out, *(["--mask", mask] if mask else [])]
        assert cli.main(command) == 2
        assert "overwrite" in one_sentence(capsys.readouterr().err) and contents(unpainted) == before


@pytest.mark.parametrize("figure", ["out.png", "./out.png", "folder.png/../out.png", "out.mask.png"])
def test_the_figure_may_not_be_what_else_is_written(unpainted, capsys, figure):
    assert cli.main(["edit", "street.png", RECOLOUR, "--out", "out.png", "--figure", figure]) == 2
    assert "overwrite" in one_sentence(capsys.readouterr().err)


def test_a_mask_that_cannot_be_is_refused_before_anything_is_painted(unpainted, capsys):
    Image.new("L", (9, 9), 255).save("small.png")
    Image.new("L", Image.open(STREET).size).save("black.png")
    for name, words in (("nowhere.png", "no file"), ("small.png", "9x9 pixels and the picture"), ("black.png", "empty")):
        assert cli.main(["edit", "street.png", RECOLOUR, "--mask", name]) == 2
        assert words in one_sentence(capsys.readouterr().err)


def test_a_part_needs_a_mask_of_ones_own(unpainted, capsys):
    part = ["edit", "street.png", "make the car's roof red"]
    for mask in ([], ["--mask", "box"]):
        assert cli.main([*part, *mask]) == 2
        assert "names a part" in one_sentence(capsys.readouterr().err)
    with pytest.raises(pytest.fail.Exception, match="the models were loaded"):
        cli.main([*part, "--mask", "street.mask.png"])


def test_what_cannot_be_written_is_said_before_torch_is_loaded(unpainted):
    code = "import sys; from textedit_lite import cli; print(cli.main(sys.argv[1:]), 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "edit", STREET, RECOLOUR, "--out", "x.jpg"], capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])})  # fmt: skip
    assert done.stdout.split() == ["2", "False"], done.stderr
    assert "ends in .png" in one_sentence(done.stderr)


@pytest.fixture
def painted(unpainted):
    """The PNG of an edit of street.png under street.mask.png, as far as its settings go."""
    from textedit_lite.editor import EditResult, Settings

    settings = Settings(RECOLOUR, image=str(unpainted / "street.png"), mask=str(unpainted / "street.mask.png"))
    EditResult("edited", "", image=Image.open(STREET).convert("RGB"), settings=settings).save(unpainted / "out.png")
    return unpainted / "out.png"


@pytest.mark.parametrize("name, words", [("out.png", "overwrite"), ("street.png", "overwrite"), ("x.jpg", "ends in .png"), ("", ".png"),
                                         ("no/folder.png", "no folder"), ("street.PNG", "overwrite")])  # fmt: skip
def test_replay_says_it_before_it_paints_too(painted, capsys, name, words):
    if name == "street.PNG":  # whose mask would be street.mask.png
        assert not Path(name).exists()
    before = contents(painted.parent)
    assert cli.main(["replay", "out.png", "--out", name]) == 2
    assert words in one_sentence(capsys.readouterr().err) and contents(painted.parent) == before


@pytest.mark.parametrize("text", ["{", "[1]", '"x"', '{"image": 5}'])
def test_settings_that_cannot_be_read_are_complained_of_once(painted, capsys, text):
    from textedit_lite.images import save_png

    save_png(Image.open(STREET), painted, {"textedit-lite": text})
    assert cli.main(["replay", "out.png", "--out", "again.png"]) == 2
    assert "cannot be read" in one_sentence(capsys.readouterr().err)


def test_a_rivals_picture_is_not_replayed_as_ours(unpainted, capsys):
    from textedit_lite.editor import EditResult, Settings

    settings = Settings(RECOLOUR, image=str(unpainted / "street.png"), editor="sdedit")
    EditResult("edited", "", image=Image.open(STREET).convert("RGB"), settings=settings).save("out.png")
    assert cli.main(["replay", "out.png"]) == 2
    assert "made by sdedit" in one_sentence(capsys.readouterr().err)


def test_names_at_home_and_with_spaces_are_found(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copy(STREET, tmp_path / "my street.png")
    mask = np.zeros(Image.open(STREET).size[::-1], np.uint8)
    mask[130:200, 40:140] = 1
    Image.fromarray(mask).save(tmp_path / "my mask.png")
    command = ["edit", "~/my street.png", RECOLOUR, "--out", "~/my out.PNG", "--mask", "~/my mask.png", "--steps", "1", "--json"]
    assert cli.main(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["output"] == str(tmp_path / "my out.PNG") and found["settings"]["mask"] == str(tmp_path / "my mask.png")
    assert (np.asarray(Image.open(found["mask"])) == 255 * mask).all()
    assert sorted(contents(tmp_path)) == ["my mask.png", "my out.PNG", "my out.json", "my out.mask.png", "my street.png"]
    assert cli.main(["replay", "~/my out.PNG"]) == 0


# ------------------------------------------------------------------------------------- scenes, training, scoring


def test_scenes_writes_a_set_that_pycocotools_loads(tmp_path, capsys):
    from pycocotools.coco import COCO

    assert cli.main(["scenes", "--count", "3", "--seed", "5", "--size", "128", "--out", str(tmp_path / "set")]) == 0
    assert "3 scenes" in capsys.readouterr().out
    coco = COCO(str(tmp_path / "set" / "instances.json"))
    assert len(coco.imgs) == 3 and coco.loadImgs([1])[0]["width"] == 128


def test_what_a_command_was_told_reaches_what_does_the_work(monkeypatch, capsys):
    asked = []
    for function in ("evaluation.tune.tune", "evaluation.report.report", "world.coco.write_set", "evaluation.run.evaluate"):
        monkeypatch.setattr(f"textedit_lite.{function}", lambda *given, **options: asked.append((given, options)) or {})
    monkeypatch.setattr("textedit_lite.models.load_models", lambda weights: weights)
    for words in ("tune diffedit --images 3 --seed 4 --weights mine --out run", "report a b", "report a b --out c",
                  "scenes --count 3 --seed 5 --size 64 --split train --out set",
                  "evaluate --data set --editor plain --tasks tilt,front --images 2 --seed 7 --weights mine --out run --ablate crop "
                  "--block 3 --device mps --yes"):  # fmt: skip
        assert cli.main(words.split()) == 0
    for _, options in asked:
        options.pop("progress", None)
        options.pop("then", None)
    run, a, b = Path("run"), Path("a"), Path("b")
    assert asked == [
        (("diffedit", "mine", run, 3, 4), {}), (([a, b], a / "report"), {}), (([a, b], Path("c")), {}),
        ((Path("set"), 3, 5, 64, "train"), {}),
        (("set", "plain", ["tilt", "front"], 2, 7, "mine", run), {"ablate": "crop", "block": 3, "device": "mps", "yes": True}),
    ]  # fmt: skip


@pytest.mark.parametrize("words, named", [
    (["scenes", "--count", "0", "--out", "set"], "--count"),
    (["score", "detr", "--count", "0"], "--count"),
    (["score", "detr", "--count", "1", "--weights", "nowhere"], "nowhere"),
    (["train", "clip", "--minutes", "1", "--out", "run", "--init", "x"], "--init"),
    (["train", "detr", "--minutes", "1", "--out", "run", "--init", "runs/detrr"], "no folder runs/detrr"),
    (["train", "inpaint", "--minutes", "1", "--out", "run", "--vae", "vaee"], "no folder vaee"),
    (["train", "detr", "--minutes", "-1", "--out", "run"], "minutes"),
    (["train", "vae", "--minutes", "1", "--out", "run", "--seed", "-1"], "seed"),
    *((["score", model, "--count", "1", "--seed", "-1"], "seed") for model in MEASURED),
    (["tune", "sdedit", "--seed", "-1", "--out", "run"], "seed"),
], ids=lambda value: " ".join(value) if isinstance(value, list) else value)  # fmt: skip
def test_bad_orders_are_one_sentence_and_status_2(words, named, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    shown = capsys.readouterr()
    assert named in one_sentence(shown.err)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_recipe_of_scenes_is_one_sentence(tmp_path, capsys):
    (tmp_path / "recipe.json").write_text('{"seed": ')
    assert cli.main(["scenes", "--count", "1", "--out", str(tmp_path)]) == 2
    assert "recipe.json is damaged" in one_sentence(capsys.readouterr().err)


# ---------------------------------------------------------------------------------------- what comes from outside


WHOLE, GOES_ON, AGAIN = "nothing half-written is left", "the same command goes on", "give the same command again"


@pytest.mark.parametrize("words, function, said", [
    (["scenes", "--out", "set"], "world.coco.write_set", GOES_ON),
    (["release", "out"], "grading.course.release", WHOLE),
    (["report", "run"], "evaluation.report.report", AGAIN), (["stamp"], "stamp.stamp", AGAIN),
    (["evaluate", "--out", "run"], "evaluation.run.evaluate", GOES_ON), (["doctor"], "doctor.doctor", "Interrupted."),
], ids=lambda value: str(value).split(".")[0])  # fmt: skip
def test_an_interrupted_command_says_what_is_left_of_it(words, function, said, monkeypatch, capsys):
    def interrupted(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"textedit_lite.{function}", interrupted)
    assert cli.main(words) == 130
    assert said in one_sentence(capsys.readouterr().err)


def test_ctrl_d_is_a_no_to_a_download(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: (_ for _ in ()).throw(EOFError))
    monkeypatch.setattr("textedit_lite.models.fetch_weights", lambda weights, agree: agree("Download?"))
    assert cli.main(["fetch", "full"]) == 1
    assert "Nothing was downloaded" in one_sentence(capsys.readouterr().err)


MAIN = "import sys; from textedit_lite import cli; cli.installed = lambda name: {}; sys.exit(cli.main(['version']))"


@pytest.mark.parametrize("length", (1, 10**5))
def test_whoever_stops_reading_stops_the_command_quietly(length):
    command = [sys.executable, "-c", MAIN.format(f"'x' * {length}")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 141)


def test_a_name_that_utf8_cannot_say_is_printed_all_the_same():
    done = subprocess.run([sys.executable, "-c", MAIN.format(r"'a\udcff.png'")], capture_output=True)
    assert (done.stdout.split()[1], done.stderr, done.returncode) == (rb"a\udcff.png", b"", 0)


def test_figures_print_as_lines_or_as_one_object(capsys):
    cli.show({"ap": 0.78125, "scenes": 12}, as_json=False)
    cli.show({"ap": 0.78125}, as_json=True)
    assert capsys.readouterr().out == 'ap      0.7812\nscenes  12\n{"ap": 0.78125}\n'
