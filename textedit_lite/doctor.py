"""Looks at the machine and says, one line per finding, what is fine, doubtful or wrong, and how to fix it."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from . import hub
from .checksums import check_sums
from .errors import WeightsError
from .hub import gigabytes
from .memory import free_memory, holding, total_memory
from .models import FULL, FULL_BYTES, FULL_FINDERS, FULL_PAINTER, OPTIONAL, best_device
from .resources import data_path

OK, WARN, FAIL = "OK", "WARN", "FAIL"
OLDEST = (3, 11)
PACKAGE = "textedit-lite"
CONSTRAINTS = Path(__file__).resolve().parents[1] / "constraints.txt"  # only a checkout has it
# In double quotes, which every shell takes away: Windows' cmd leaves single ones, and > writes to a file there.
INSTALL = 'pip install -c constraints.txt -e ".[dev]"' if CONSTRAINTS.is_file() else "pip install --force-reinstall THE_WHEEL"
ROOM = 1_000_000_000  # bytes of disk that drawing scenes and saving edits may take


@dataclass(frozen=True)
class Check:
    """One finding: what was looked at, "OK", "WARN" or "FAIL", and a sentence that says what to do unless all is well."""

    name: str
    status: str
    message: str

    def __str__(self) -> str:
        return f"{self.status:<4}  {self.name}: {self.message}"


def doctor(show: Callable[[str], object] | None = print) -> list[Check]:
    """Look at Python, the packages, the device, the weights, the disk and the notebooks' software; show a line for each.

    It is quick: nothing is loaded but torch. A look that itself fails is a finding, too, and does not keep the others from
    being taken. show: called with each line as it comes, None for nothing. Taught in notebook 01.
    """
    found = []
    for look in LOOKS:
        try:
            checks = list(look())
        except Exception as error:  # half-installed packages may raise anything, and that is what is to be told
            name = look.__name__.lstrip("_")
            checks = [Check(name, FAIL, f"this look failed ({type(error).__name__}: {one_line(error)}): {INSTALL} mends most of that.")]
        for check in checks:
            found.append(check)
            if show:
                show(str(check))
    return found


def report(checks: list[Check]) -> dict:
    """The findings as plain data: `ok` is whether none is a FAIL. Taught in notebook 01."""
    return {"ok": all(check.status != FAIL for check in checks), "checks": [asdict(check) for check in checks]}


def one_line(error: object) -> str:
    return " ".join(str(error).split())[:200]


def version_of(name: str) -> str | None:
    """The installed version of a distribution, or None; nothing is imported."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def on_colab() -> bool:
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


# --- the looks ---------------------------------------------------------------------------------------------------


def _python() -> Iterator[Check]:
    found = f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    if sys.version_info < OLDEST:
        yield Check("Python", FAIL, f"{found}: 3.11 or later is needed, make an environment with that.")
    else:
        yield Check("Python", OK, f"{found}{', on Colab' if on_colab() else ''}.")


def _packages() -> Iterator[Check]:
    """What `pyproject.toml` asks for, and, in a checkout, what `constraints.txt` was tested with."""
    if version_of(PACKAGE) is None:
        yield Check("packages", FAIL, f"{PACKAGE} is not installed, only found: {INSTALL}.")
        return
    from packaging.requirements import Requirement

    asked = [Requirement(line) for line in metadata.requires(PACKAGE) or []]
    needed = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = False
    for one in needed:
        found = version_of(one.name)
        if found is None or not one.specifier.contains(found, prereleases=True):
            wrong, state = True, f"{found} is installed" if found else "not installed"
            yield Check(one.name, FAIL, f'{state}, {one} is needed: pip install "{one}".')
    if not wrong:
        yield Check("packages", OK, f"all {len(needed)} are there, each new enough.")
    yield from _against_constraints({one.name for one in needed})


def _against_constraints(names: set[str]) -> Iterator[Check]:
    if not CONSTRAINTS.is_file():
        return
    lines = [line.split("#")[0].strip() for line in CONSTRAINTS.read_text(encoding="utf-8").splitlines()]
    tested = dict(line.split("==") for line in lines if "==" in line)
    tested = {name.lower().replace("_", "-"): version for name, version in tested.items()}
    other = []
    for name in sorted(names):
        found, expected = version_of(name), tested.get(name.lower().replace("_", "-"))
        if found and expected and found.split("+")[0] != expected:  # +cpu, +cu128 are builds of the same version
            other.append(f"{name} {found} ({expected})")
    if other and on_colab():
        yield Check("versions", OK, f"Colab's own: {', '.join(other)}; in brackets those of constraints.txt.")
    elif other:
        yield Check("versions", WARN, f"{', '.join(other)} instead of those tested, in brackets: {INSTALL} brings them.")
    else:
        yield Check("versions", OK, "those of constraints.txt, which were tested together.")


def _device() -> Iterator[Check]:
    try:
        import torch

        device = best_device()
    except (ImportError, OSError, RuntimeError) as error:
        yield Check("device", FAIL, f"torch cannot be loaded ({one_line(error)}): {INSTALL}.")
        return
    free, total = free_memory(device), total_memory(device)
    name = torch.cuda.get_device_name(device) if device == "cuda" else device
    there = f"torch {torch.__version__} on {name}, {gigabytes(free)} of {gigabytes(total)} free"
    needs = [holding(device, FULL_FINDERS, FULL_PAINTER, 512, low).need for low in (False, True)]
    takes = f"full takes {gigabytes(needs[0])}, or {gigabytes(needs[1])} in low memory (computed, not measured){_idle_gpu(device)}"
    if free < 500_000_000:
        yield Check("device", WARN, f"{there}: even lite needs half a gigabyte to work in, close other programs.")
    elif total < needs[1]:
        yield Check("device", OK, f"{there}: enough for lite; {takes}.")
    else:
        yield Check("device", OK, f"{there}; {takes}.")


def _idle_gpu(device: str) -> str:
    """What to do about a GPU that may be there, but that torch does not see, as the end of a sentence; "" if nothing."""
    import torch

    if device != "cpu":
        return ""
    if on_colab():
        return "; for a GPU, choose one under Runtime, Change runtime type, and run the first cell again"
    if not shutil.which("nvidia-smi"):  # comes with NVIDIA's driver
        return ""
    if torch.version.cuda is None:
        version = torch.__version__.split("+")[0]
        return f"; this torch cannot use the NVIDIA GPU: install torch {version} for CUDA, as pytorch.org says for your system"
    return f"; this torch, for CUDA {torch.version.cuda}, sees no NVIDIA GPU: a newer driver may help"


def _lite() -> Iterator[Check]:
    folder = data_path("models", "lite")
    try:
        check_sums(folder)
        yield Check("lite weights", OK, f"whole, {gigabytes(hub.verify(folder))} in {folder}.")
    except WeightsError as error:
        yield Check("lite weights", FAIL, str(error))


def _full() -> Iterator[Check]:
    states = []
    for part, source in FULL.items():
        folder = hub.snapshot(source)
        states.append(None if folder is None else hub.lacking(folder, part, source.variant))
    cache, bring = hub.cache_folder(), "`textedit-lite fetch full`"
    if all(missing == [] for missing in states):
        yield Check("full weights", OK, f"in the cache {cache}; {bring} checks that they are whole.")
    elif all(missing is None for missing in states):
        from huggingface_hub import constants

        later = ", once HF_HUB_OFFLINE is unset" if constants.HF_HUB_OFFLINE else ""
        absent = f"not in the cache {cache}, and lite needs none"
        yield Check("full weights", OK, f"{absent}: {bring} brings them, {gigabytes(FULL_BYTES)}{later}.")
    else:
        lacking = [part for part, missing in zip(FULL, states, strict=True) if missing != []]
        yield Check("full weights", WARN, f"{', '.join(lacking)} not, or not wholly, in the cache {cache}: {bring} brings the rest.")


def _optional() -> Iterator[Check]:
    """What single commands ask for: the segmenters behind `--mask`, the rival editors."""
    beside = [part for part in OPTIONAL if (data_path("models", "lite") / part).is_dir()]
    brought = [part for part, source in OPTIONAL.items() if hub.cached(source, part)]
    broken = [part for part, source in OPTIONAL.items() if part not in brought and hub.snapshot(source)]
    told = f"lite has {', '.join(beside) or 'none'}; of full's, {', '.join(brought) or 'none'} in the cache"
    if broken:
        bring = " and ".join(f"`textedit-lite fetch {part}`" for part in broken) + " brings the rest"
        yield Check("optional weights", WARN, f"{told}, and {', '.join(broken)} not wholly: {bring}.")
    else:
        yield Check("optional weights", OK, f"{told}; `textedit-lite fetch NAME` brings one of {', '.join(OPTIONAL)}.")


def _downloads() -> Iterator[Check]:
    """What killed downloads have left behind for good: up to gigabytes, which nobody would look for."""
    left = [path for source in (FULL | OPTIONAL).values() for path in hub.leftovers(source)]
    if not left:
        yield Check("downloads", OK, f"none that was killed has left anything in the cache {hub.cache_folder()}.")
        return
    size, folders = sum(path.stat().st_size for path in left), ", ".join(dict.fromkeys(str(path.parent) for path in left))
    advice = f"unless one is under way, delete the files that end in .incomplete in {folders}"
    yield Check("downloads", WARN, f"{gigabytes(size)} are left of some that were killed, and serve no other: {advice}.")


def _disk() -> Iterator[Check]:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    if free < ROOM:
        yield Check("disk", WARN, f"{gigabytes(free)} free in {here}: make room, scenes and edits may take {gigabytes(ROOM)}.")
    elif not os.access(here, os.W_OK):
        yield Check("disk", WARN, f"{here} cannot be written to: work in a folder of your own.")
    else:
        yield Check("disk", OK, f"{gigabytes(free)} free in {here}.")


def _notebooks() -> Iterator[Check]:
    names = ("jupyterlab", "notebook", "ipykernel", "ipywidgets")
    versions = {name: found for name in names if (found := version_of(name))}
    listed = ", ".join(f"{name} {found}" for name, found in versions.items())
    if "ipykernel" not in versions:
        yield Check("notebooks", WARN, f"no ipykernel ({listed or 'nothing of Jupyter'}): pip install jupyterlab to open the notebooks.")
    elif on_colab() or "jupyterlab" in versions or "notebook" in versions:
        yield Check("notebooks", OK, f"{listed}.")
    else:
        yield Check("notebooks", WARN, f"{listed}, but no JupyterLab: pip install jupyterlab, unless your editor opens notebooks.")


def _torchvision() -> Iterator[Check]:
    """Whether it works, found without importing it: its compiled part either loads into this torch or does not."""
    found = version_of("torchvision")
    if found is None or (spec := importlib.util.find_spec("torchvision")) is None or not spec.origin:
        yield Check("torchvision", OK, "not installed, and not needed.")
        return
    import torch

    compiled = next(iter(sorted(Path(spec.origin).parent.glob("_C.*"))), None)
    try:
        if compiled is not None:
            torch.ops.load_library(str(compiled))
        _ = torch.ops.torchvision.nms
    except (OSError, AttributeError, RuntimeError) as error:
        advice = "pip uninstall torchvision, or install the one made for this torch; nothing here needs it"
        yield Check("torchvision", WARN, f"{found} does not load beside torch {torch.__version__} ({one_line(error)}): {advice}.")
    else:
        yield Check("torchvision", OK, f"{found} works beside torch {torch.__version__}.")


LOOKS = (_python, _packages, _device, _lite, _full, _optional, _downloads, _disk, _notebooks, _torchvision)
