"""Writes down what it takes to repeat a run (run.json), and refuses to go on with another run in the same folder."""

from __future__ import annotations

import json
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .. import hub
from ..checksums import sha256_of
from ..errors import SettingsError
from ..hub import Source
from ..images import write_text
from ..models import FULL, OPTIONAL, Models, read_sources, split_lcm
from ..resources import data_path
from ..rivals.settings import DEFAULTS, UNET_OF, settings_of

MANIFEST = "run.json"
LIBRARIES = ("textedit-lite", "torch", "transformers", "diffusers", "numpy", "pillow", "torchmetrics")
PARTS = tuple(FULL)


def weights_of(weights: str) -> dict[str, str]:
    """Name -> sha256 of every file of weights that an edit uses by itself; `weights`: lite, full, a folder or a weights file.

    These are the weights of the three models, of a SAM in a folder beside them (`segment.silhouette`), and of "+lcm". What
    comes from the Hub is taken as its cache holds it. Raises WeightsError for a weights file that cannot be read.
    """
    base, few = split_lcm(weights)
    asked = {"lcm": OPTIONAL["lcm"]} if few else {}
    parts = (*PARTS, *asked)
    if base == "full":
        return _digests_of(FULL | asked, parts)
    if (path := Path(base)).suffix in (".toml", ".json") and path.is_file():
        return _digests_of(asked | read_sources(path), parts)
    folder = data_path("models", "lite") if base == "lite" else Path(base)
    return {name: digest for part in (*parts, "sam") for name, digest in _digests(folder / part, folder).items()}


def _digests_of(sources: dict[str, Source], parts: tuple[str, ...]) -> dict[str, str]:
    """The sha256 of the weights of each part, wherever it comes from.

    Models that are not among `parts` count only if they lie in folders. An edit fetches none of them by itself, and those
    from the Hub may come into the cache between two starts, so they decide nothing.
    """
    counted = {part: source for part, source in sources.items() if part in parts or source.local}
    return {f"{part}/{name}": digest for part, source in counted.items() for name, digest in _digests_at(source).items()}


def _digests_at(source: Source) -> dict[str, str]:
    """The sha256 of one model's weights, in its folder or in the Hub's cache."""
    if source.local:
        return _digests(Path(source.path), Path(source.path))
    if (folder := hub.snapshot(source)) is None:  # the model was loaded from elsewhere: at least its name is known
        return {f"{source.path}@{source.revision}": "not in the cache"}
    return _digests(folder, folder, f"*.{source.variant}[.-]*safetensors" if source.variant else "*.safetensors")  # whole or in pieces


def _digests(folder: Path, root: Path, pattern: str = "*.safetensors") -> dict[str, str]:
    return {path.relative_to(root).as_posix(): sha256_of(path) for path in sorted(folder.rglob(pattern))}


def rival_of(editor: str, models: Models) -> dict[str, Any] | None:
    """The settings of a rival and the sha256 of its own weights; None for any other editor.

    Raises WeightsError, before anything is edited, where the weights are not there.
    """
    if editor not in DEFAULTS:
        return None
    models.rival(part := UNET_OF[editor])
    return {"settings": settings_of(editor, models), "weights_sha256": _digests_at(models.optional[part])}


def environment() -> dict[str, Any]:
    """Versions of everything that decides the last digit, the machine, and the commit of this code if it lies in git."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # SSIM's, say, which only a measure needs
            versions[name] = None
    return {"versions": versions | {"python": platform.python_version()}, "machine": platform.machine(), "commit": commit()}


def commit() -> str | None:
    """The git commit that this code was checked out at, with "+changes" if files differ from it; None outside of git."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return None
    try:
        told = [subprocess.run(["git", *words], cwd=here, capture_output=True, text=True, timeout=20, check=True).stdout.strip()
                for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no", "."])]  # fmt: skip
    except (OSError, subprocess.SubprocessError):  # no git, or not our repository
        return None
    return told[0] + ("+changes" if told[1] else "")


def read_manifest(folder: Path | str) -> dict[str, Any]:
    """The manifest of a run; raises SettingsError for a folder that holds none. Taught in notebook 06."""
    path = Path(folder) / MANIFEST
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{folder} holds no run: give the folder that `textedit-lite evaluate --out` wrote.") from error


def begin(folder: Path, settings: dict[str, Any], facts: dict[str, Any], write: bool = True) -> None:
    """Write run.json or, if there is one, check that it is of the very same run: the same settings, data and weights.

    settings: what must not change; facts: what is only noted. A second start under other versions is noted too.
    write: False only checks, as the helpers of a run with several processes do. Raises SettingsError where anything differs.
    """
    path, now = folder / MANIFEST, environment()
    settings = json.loads(json.dumps(settings))
    if not path.exists():
        if write:
            write_text(path, json.dumps({"settings": settings, **facts, "started": [now]}, indent=2) + "\n")
        return
    manifest = read_manifest(folder)
    before = manifest["settings"]
    if changed := [name for name in settings if before.get(name) != settings[name]]:
        name = changed[0]
        raise SettingsError(f"{folder} holds a run with {name} {_short(before.get(name))}, not {_short(settings[name])}: "
                            "give the same command again, or another --out.")  # fmt: skip
    if write and manifest["started"][-1] != now:
        manifest["started"].append(now)
        write_text(path, json.dumps(manifest, indent=2) + "\n")


def _short(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:57]}..."
