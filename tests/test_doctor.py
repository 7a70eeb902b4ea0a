"""The doctor: a line each, with a remedy wherever something is not well, and never a traceback."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from textedit_lite import cli
from textedit_lite.checksums import CHECKSUMS
from textedit_lite.doctor import FAIL, INSTALL, LOOKS, OK, WARN, Check, doctor, report
from textedit_lite.resources import data_path

Usage = namedtuple("Usage", "total used free")


def finding(look: str) -> list[Check]:
    """What one look finds, taken as the doctor takes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("textedit_lite.doctor.LOOKS", tuple(one for one in LOOKS if one.__name__ == look))
        return doctor(None)


def test_a_healthy_machine_has_a_line_a_look_and_nothing_wrong():
    import torch  # noqa: F401  so that only the looking is timed

    lines: list[str] = []
    start = time.process_time()
    found = doctor(lines.append)
    assert time.process_time() - start < 2
    assert [str(check) for check in found] == lines
    assert {check.name for check in found} >= {
        "Python", "packages", "device", "lite weights", "full weights", "optional weights", "downloads", "disk", "notebooks",
        "torchvision"}  # fmt: skip
    assert [check for check in found if check.status == FAIL] == []
    for check in found:
        assert check.status in (OK, WARN, FAIL) and "\n" not in check.message and check.message.endswith(".")


def test_the_command_prints_the_same_and_ends_with_0(capsys):
    assert cli.main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= len(LOOKS) and all(line.split()[0] in (OK, WARN, FAIL) for line in lines)


def test_as_json_it_is_one_object(capsys):
    assert cli.main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True and {"name", "status", "message"} == set(told["checks"][0])


def test_a_fail_ends_with_1(monkeypatch, capsys):
    monkeypatch.setattr("textedit_lite.doctor.LOOKS", (lambda: [Check("roof", FAIL, "it leaks: mend it.")],))
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().out == "FAIL  roof: it leaks: mend it.\n"
    assert report([Check("roof", WARN, "old.")])["ok"] is True


def test_damaged_lite_weights_are_a_fail(tmp_path, monkeypatch):
    lite = Path(shutil.copytree(data_path("models", "lite"), tmp_path / "lite"))
    monkeypatch.setattr("textedit_lite.doctor.data_path", lambda *parts: lite)
    assert finding("_lite")[0].status == OK
    path = lite / "clip/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    check = finding("_lite")[0]
    assert check.status == FAIL and "clip/model.safetensors is damaged" in check.message
    (lite / CHECKSUMS).unlink()
    assert finding("_lite")[0].status == FAIL


def test_a_package_that_is_missing_or_too_old_is_a_fail(monkeypatch):
    from importlib import metadata

    real = metadata.version

    def version(name):
        if name == "pycocotools":
            raise metadata.PackageNotFoundError(name)
        return "4.57.1" if name == "transformers" else real(name)

    monkeypatch.setattr(metadata, "version", version)
    found = {check.name: check for check in finding("_packages")}
    assert found["pycocotools"].status == found["transformers"].status == FAIL
    assert 'pip install "pycocotools>=' in found["pycocotools"].message
    assert "4.57.1 is installed, transformers>=" in found["transformers"].message
    assert "packages" not in found and found["versions"].status == WARN and "transformers 4.57.1 (" in found["versions"].message


def test_what_it_says_to_type_is_one_word_for_every_shell(monkeypatch):
    """cmd leaves single quotes where they are, and takes a bare > for a file to write to."""
    monkeypatch.setattr("textedit_lite.doctor.version_of", lambda name: None if name != "textedit-lite" else "0.1.0")
    told = [check.message.split("pip install ", 1)[1] for check in finding("_packages") if check.status == FAIL]
    assert INSTALL.endswith('-e ".[dev]"') and told
    assert all(re.fullmatch('"[^"\']+"\\.', one) for one in told)


def test_other_versions_are_colabs_own_on_colab(monkeypatch):
    from importlib import metadata

    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "999" if name == "diffusers" else real(name))
    assert {check.name: check.status for check in finding("_packages")} == {"packages": OK, "versions": WARN}
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert {check.name: check.status for check in finding("_packages")} == {"packages": OK, "versions": OK}
    assert "on Colab" in finding("_python")[0].message


def test_a_build_for_another_gpu_is_the_version_that_was_tested(tmp_path, monkeypatch):
    from importlib import metadata

    real = metadata.version
    version = real("torch").split("+")[0]
    (tmp_path / "constraints.txt").write_text(f"torch=={version}  # tested\n")
    monkeypatch.setattr("textedit_lite.doctor.CONSTRAINTS", tmp_path / "constraints.txt")
    for found, status in ((version, OK), (f"{version}+cu999", OK), ("99.0a0+nv26.1", WARN)):
        monkeypatch.setattr(metadata, "version", lambda name, found=found: found if name == "torch" else real(name))
        first, last = finding("_packages")
        assert (first.status, last.name, last.status) == (OK, "versions", status)
    assert last.message.startswith(f"torch 99.0a0+nv26.1 ({version}) instead")


def test_an_old_python_is_a_fail(monkeypatch):
    monkeypatch.setattr("textedit_lite.doctor.OLDEST", (99,))
    check = finding("_python")[0]
    assert check.status == FAIL and "make an environment" in check.message


def test_little_memory_and_little_disk_are_a_warning(monkeypatch):
    monkeypatch.setattr("textedit_lite.doctor.free_memory", lambda device: 3e8)
    assert finding("_device")[0].status == WARN
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(1e12, 1e12, 5e8))
    assert finding("_disk")[0].status == WARN


def test_a_device_that_holds_full_in_low_memory_is_large_enough_for_it(monkeypatch):
    monkeypatch.setattr("textedit_lite.doctor.best_device", lambda: "cpu")
    for total, small in ((4e9, True), (6e9, False), (9e9, False)):  # full takes 8.4 GB of a CPU, or 4.3 in low memory
        monkeypatch.setattr("textedit_lite.doctor.total_memory", lambda device, total=total: total)
        (check,) = finding("_device")
        assert ("enough for lite" in check.message) == small and "full takes 8.4 GB, or 4.3 GB in low memory" in check.message


def test_of_a_gpu_its_name_and_its_own_needs_are_told(monkeypatch):
    import torch

    monkeypatch.setattr("textedit_lite.doctor.best_device", lambda: "cuda")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Tesla T4")
    monkeypatch.setattr("textedit_lite.doctor.free_memory", lambda device: {"cuda": 15e9}[device])
    monkeypatch.setattr("textedit_lite.doctor.total_memory", lambda device: {"cuda": 16e9}[device])
    (check,) = finding("_device")
    assert " on Tesla T4, 15.0 GB of 16.0 GB free; full takes 8.3 GB, or 4.6 GB in low memory" in check.message


def test_a_gpu_that_torch_does_not_see_is_told_of_with_what_to_do(monkeypatch):
    import torch

    def told(built_for: str | None, driver: str | None) -> str:
        monkeypatch.setattr(torch.version, "cuda", built_for)
        monkeypatch.setattr(shutil, "which", lambda name: driver)
        monkeypatch.setattr("textedit_lite.doctor.best_device", lambda: "cpu")
        check = finding("_device")[0]
        assert check.status == OK and check.message.endswith("."), "lite needs no GPU"
        return check.message

    assert f"install torch {torch.__version__.split('+')[0]} for CUDA" in told(None, "nvidia-smi")
    assert "for CUDA 13.0, sees no NVIDIA GPU" in told("13.0", "nvidia-smi")
    assert "GPU" not in told(None, None)
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    assert "Runtime, Change runtime type" in told("13.0", None)


def test_a_folder_that_takes_nothing_and_notebooks_without_a_kernel_are_a_warning(monkeypatch):
    monkeypatch.setattr("textedit_lite.doctor.os.access", lambda *given: False)
    assert finding("_disk")[0].status == WARN and "cannot be written to" in finding("_disk")[0].message
    for there, status, words in (
        ("", WARN, "nothing of Jupyter"), ("jupyterlab ipywidgets", WARN, "no ipykernel"), ("ipykernel", WARN, "no JupyterLab"),
        ("ipykernel jupyterlab", OK, "jupyterlab 1"), ("ipykernel notebook", OK, "notebook 1"),
    ):  # fmt: skip
        monkeypatch.setattr("textedit_lite.doctor.version_of", lambda name, there=there: "1" if name in there.split() else None)
        assert finding("_notebooks")[0].status == status and words in finding("_notebooks")[0].message
    monkeypatch.setenv("COLAB_RELEASE_TAG", "release")
    monkeypatch.setattr("textedit_lite.doctor.version_of", lambda name: "1" if name == "ipykernel" else None)
    assert finding("_notebooks")[0].status == OK, "Colab opens them itself"


def test_half_a_download_is_a_warning_and_none_is_well(tmp_path, monkeypatch):
    from huggingface_hub import constants

    from textedit_lite.models import FULL

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    check = finding("_full")[0]
    assert check.status == OK and "fetch full" in check.message and "3.5 GB" in check.message
    source = FULL["clip"]
    (tmp_path / f"models--{source.path.replace('/', '--')}" / "snapshots" / source.revision).mkdir(parents=True)
    check = finding("_full")[0]
    assert check.status == WARN and check.message.startswith("detr, clip, inpaint not, or not wholly")
    monkeypatch.setattr("textedit_lite.doctor.hub.lacking", lambda folder, part, variant: [])
    check = finding("_full")[0]
    assert check.status == WARN and check.message.startswith("detr, inpaint not, or not wholly")


@pytest.mark.parametrize("offline", [False, True])
def test_a_download_is_said_to_need_the_network_where_the_client_may_not_go_out(tmp_path, monkeypatch, offline):
    """The client takes HF_HUB_OFFLINE=0 for a no."""
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_OFFLINE", str(int(offline)))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    assert ("once HF_HUB_OFFLINE is unset" in finding("_full")[0].message) == offline


def test_half_a_download_of_an_optional_model_is_a_warning(tmp_path, monkeypatch):
    from huggingface_hub import constants

    from textedit_lite.models import OPTIONAL

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    check = finding("_optional")[0]
    assert check.status == OK and "of full's, none in the cache" in check.message and "mask2former" in check.message
    source = OPTIONAL["sam"]
    (tmp_path / f"models--{source.path.replace('/', '--')}" / "snapshots" / source.revision).mkdir(parents=True)
    check = finding("_optional")[0]
    assert check.status == WARN and "fetch sam" in check.message


def test_what_killed_downloads_left_for_good_is_named_and_what_a_later_one_goes_on_with_is_not(tmp_path, monkeypatch):
    from huggingface_hub import constants

    from textedit_lite.models import FULL, OPTIONAL

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    clip, sam = (tmp_path / f"models--{source.path.replace('/', '--')}" / "blobs" for source in (FULL["clip"], OPTIONAL["sam"]))
    for blobs in (clip, sam):
        blobs.mkdir(parents=True)
    (clip / ("a" * 64)).write_bytes(b"whole")
    (sam / f"{'b' * 64}.incomplete").write_bytes(b"half")  # an older client goes on with it
    assert [check.status for check in finding("_downloads")] == [OK]
    (clip / f"{'a' * 64}.incomplete").write_bytes(b"0" * 1_500_000)
    (check,) = finding("_downloads")
    assert check.status == WARN and "2 MB" in check.message and str(clip) in check.message and str(sam) not in check.message
    (sam / f"{'b' * 64}.0123abcd.incomplete").write_bytes(b"0" * 1_500_000)
    (check,) = finding("_downloads")
    assert check.status == WARN and "3 MB" in check.message and str(sam) in check.message and "delete" in check.message
    assert len([*tmp_path.rglob("*.incomplete")]) == 3, "it only looks"


def test_a_torchvision_that_does_not_load_is_a_warning(tmp_path, monkeypatch):
    """A compiled part made for another torch, or for none."""
    package, info = tmp_path / "torchvision", tmp_path / "torchvision-9.9.dist-info"
    package.mkdir()
    info.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    (package / "_C.so").write_bytes(b"no library at all")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    check = finding("_torchvision")[0]
    assert check.status == WARN and "9.9 does not load" in check.message and "pip uninstall torchvision" in check.message
    assert "torchvision" not in sys.modules


@pytest.mark.parametrize("missing", ["huggingface_hub", "psutil", "packaging"])
def test_where_a_package_cannot_be_imported_the_other_looks_are_taken(missing):
    """In a process of its own, as a student's first cell would meet it."""
    code = (f"import sys; sys.modules[{missing!r}] = None\n"
            "from textedit_lite.doctor import LOOKS, doctor\n"
            "found = doctor()\n"
            "assert len({check.name for check in found}) >= len(LOOKS), found\n")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "lite weights" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert FAIL in done.stdout and missing in done.stdout
