"""Brings weights from the Hugging Face Hub into its cache, checks that they are whole, and says what is wrong.

A revision that is complete in the cache is used without asking the Hub, so a warm cache works offline.
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .checksums import sha256_of
from .errors import WeightsError

MODELS_OF_A_PAINTER = {
    "unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model", "safety_checker": "model",
}  # fmt: skip
# Pipelines of which only the UNet and its schedule are wanted: the rest is the painter's.
UNET_ALONE = ("text2image", "instruct-pix2pix")
LORA = "pytorch_lora_weights.safetensors"  # as diffusers names the file of what changes a UNet
FULL_DISK = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
INSTEAD = "name another id or a folder in a weights file, or use lite"


@dataclass(frozen=True)
class Source:
    """Where one model comes from: a folder, or a Hub id with its revision and variant."""

    path: str
    revision: str | None = None
    variant: str | None = None

    @property
    def local(self) -> bool:
        """Whether it is a folder, and nothing is to be fetched."""
        return Path(self.path).is_dir()

    def __str__(self) -> str:
        return self.path if self.local or not self.revision else f"{self.path} at {self.revision[:12]}"


# --- what is needed, and what is there ---------------------------------------------------------------------------


def patterns(part: str, variant: str | None) -> list[str]:
    """The files of a Hub repository that a part ("detr", "clip", "inpaint") is loaded from: safetensors, never pickles."""
    if part == "lcm":
        return [LORA, "*.json"]
    mark = f".{variant}" if variant else ""
    stems, folder = ["model"], ""
    if part == "inpaint":
        stems, folder = sorted(set(MODELS_OF_A_PAINTER.values())), "*/"
    if part in UNET_ALONE:
        stems, folder = [MODELS_OF_A_PAINTER["unet"]], "unet/"
    names = (f"{mark}.safetensors", f"{mark}-0*.safetensors", f"-0*{mark}.safetensors")  # whole, or in pieces
    weights = [f"{folder}{stem}{name}" for stem in stems for name in names]
    kept = ["model_index.json", "unet/*.json", "scheduler/*.json"] if part in UNET_ALONE else ["*.json", f"{folder}merges.txt"]
    return [*kept, *weights]


def lacking(folder: Path, part: str, variant: str | None) -> list[str]:
    """The names of what a folder lacks and a part cannot be loaded without."""
    if part == "lcm":
        return _absent(folder, [(LORA,)])
    if part not in ("inpaint", *UNET_ALONE):
        tokenizer = [("tokenizer.json", "vocab.json")] if part == "clip" else []
        return _absent(folder, [("config.json",), ("preprocessor_config.json",), *tokenizer]) + _absent_weights(folder, "model", variant)
    try:
        index = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ["model_index.json"]
    missing = []
    for name, origin in index.items():
        wanted = part == "inpaint" or name in ("unet", "scheduler")
        if not (wanted and isinstance(origin, list) and origin and origin[0]):
            continue
        if stem := MODELS_OF_A_PAINTER.get(name):
            missing += _absent(folder, [(f"{name}/config.json",)])
            missing += [f"{name}/{file}" for file in _absent_weights(folder / name, stem, variant)]
        elif not (folder / name).is_dir():
            missing.append(f"{name}/")
        elif name == "tokenizer":
            missing += _absent(folder, [(f"{name}/tokenizer.json", f"{name}/vocab.json")])
    return missing


def _absent(folder: Path, wanted: list[tuple[str, ...]]) -> list[str]:
    """For each group of names, any one of which would do: the first, if none is there."""
    return [names[0] for names in wanted if not any((folder / name).is_file() for name in names)]


def _absent_weights(folder: Path, stem: str, variant: str | None) -> list[str]:
    """The weights files that are missing; it takes one whole file, or an index and every piece that it names."""
    mark = f".{variant}" if variant else ""
    whole, index = f"{stem}{mark}.safetensors", folder / f"{stem}.safetensors.index{mark}.json"
    if (folder / whole).is_file():
        return []
    try:
        pieces = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, LookupError):
        return [whole]
    return sorted(piece for piece in pieces if not (folder / piece).is_file())


def cache_folder() -> Path:
    """Where huggingface_hub keeps what it has fetched: HF_HUB_CACHE, or `hub` in HF_HOME."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def snapshot(source: Source) -> Path | None:
    """The folder of a revision in the cache, complete or not, or None. The Hub is not asked whether a branch has moved."""
    home = cache_folder() / f"models--{source.path.replace('/', '--')}"
    revision = source.revision or "main"
    ref = home / "refs" / revision
    # `os.path`, as a path's own methods raise where a folder may not be looked into.
    commit = ref.read_text(encoding="utf-8").strip() if os.path.isfile(ref) else revision
    folder = home / "snapshots" / commit
    return folder if os.path.isdir(folder) else None


def leftovers(source: Source) -> list[Path]:
    """What killed downloads have left in the cache and no later one goes on with.

    That is a piece of a file that is whole by now, or a piece under a name that its own process made up, as newer clients do;
    later downloads go on with any other. A piece may belong to a download that is under way.
    """
    blobs = cache_folder() / f"models--{source.path.replace('/', '--')}" / "blobs"
    pieces = [(path, path.name.removesuffix(".incomplete")) for path in blobs.glob("*.incomplete")]
    return sorted(path for path, name in pieces if re.fullmatch(r".+\.[0-9a-f]{8}", name) or (blobs / name).exists())


def cached(source: Source, part: str) -> Path | None:
    """The folder of a part that is in the cache with everything that it needs, or None."""
    folder = snapshot(source)
    return folder if folder and not lacking(folder, part, source.variant) else None


# --- fetching ----------------------------------------------------------------------------------------------------


def fetch(source: Source, part: str) -> Path:
    """The folder of a part: its own, or the cache's, after a download if it is not there yet.

    The client's progress bars show the download. Raises WeightsError if it cannot be had, with one sentence that says
    what to do. Taught in notebook 01.
    """
    if source.local:
        return Path(source.path)
    if folder := cached(source, part):
        return folder
    from huggingface_hub import snapshot_download

    check_space(download_size(source, part))
    try:
        folder = Path(snapshot_download(source.path, revision=source.revision, allow_patterns=patterns(part, source.variant)))
    except Exception as error:  # the client's transport has changed the base of its errors more than once
        raise WeightsError(explain(error, source)) from error
    if missing := lacking(folder, part, source.variant):
        kind = f' of the variant "{source.variant}"' if source.variant else ""
        raise WeightsError(f"{source} holds no {missing[0]}{kind}, and only safetensors are loaded: {INSTEAD}.")
    verify(folder, source.variant, hashes=True)
    return folder


def download_size(source: Source, part: str) -> int:
    """How many bytes the Hub says the needed files have, less those that are in the cache already."""
    from fnmatch import fnmatch

    from huggingface_hub import HfApi

    try:
        files = HfApi().model_info(source.path, revision=source.revision, files_metadata=True).siblings or []
    except Exception as error:  # as in `fetch`
        raise WeightsError(explain(error, source)) from error
    there, wanted = snapshot(source), patterns(part, source.variant)
    needed = [file for file in files if any(fnmatch(file.rfilename, pattern) for pattern in wanted)]
    return sum(file.size or 0 for file in needed if not (there and (there / file.rfilename).is_file()))


def check_space(size: int) -> None:
    """Raises WeightsError, with both numbers, where the cache's disk has no room for `size` bytes."""
    cache = cache_folder().absolute()
    place = next((one for one in (cache, *cache.parents) if os.path.exists(one)), None)
    if place is None:  # a drive that is not there
        raise WeightsError(f"There is no {cache.anchor} for the cache {cache}: set HF_HOME to a folder on a disk that is there.")
    free = shutil.disk_usage(place).free
    if free < size:
        numbers = f"The download needs {gigabytes(size)} and {place} has {gigabytes(free)} free"
        raise WeightsError(f"{numbers}: make room, or set HF_HOME to a larger disk.")


def explain(error: BaseException, source: Source) -> str:
    """One sentence for what the Hub's client complains of: what is wrong, and what to do."""
    from huggingface_hub import errors as hub

    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)

    def any_of(*kinds: type) -> bool:
        return any(isinstance(one, kinds) for one in chain)

    if any_of(hub.GatedRepoError):
        page = f"https://huggingface.co/{source.path}"
        return f"{source} is gated: accept its terms at {page}, log in with `hf auth login`, and try again; or {INSTEAD}."
    if any_of(hub.RevisionNotFoundError):
        return f"{source.path} no longer has the revision {source.revision}: name another one in a weights file, or use lite."
    if any_of(hub.RepositoryNotFoundError):
        return f"There is no {source.path} on the Hub, or no longer, or not for you: {INSTEAD}."
    told = [re.search(r"os error (\d+)", str(one)) for one in chain]  # hf_xet has no number but in its words
    numbers = {one.errno for one in chain if isinstance(one, OSError)} | {int(found[1]) for found in told if found}
    if numbers & FULL_DISK:
        return f"The disk of {cache_folder()} is full: make room, or set HF_HOME to a larger disk."
    if numbers & {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"Nothing can be written in {cache_folder()}: set HF_HOME to a folder of your own."
    where = f"{source} is not in the cache {cache_folder()}"
    if any_of(hub.OfflineModeIsEnabled):
        return f"{where} and HF_HUB_OFFLINE is set: unset it, run `textedit-lite fetch full` where there is a network, or use lite."
    status = next((one.response.status_code for one in chain if isinstance(one, hub.HfHubHTTPError) and one.response is not None), None)
    if status in (401, 403):
        return f"The Hub refuses {source} to the token of HF_TOKEN or `hf auth login` ({status}): renew it or do without, or {INSTEAD}."
    if status is not None:
        return f"The Hub answered {status} when asked for {source}: try again later, or {INSTEAD}."
    if any_of(hub.HFValidationError):
        return f"{source.path!r} is neither a folder nor an id on the Hub, such as facebook/detr-resnet-50: {INSTEAD}."
    return f"{where} and the Hub cannot be reached: check the network, bring the cache from another machine, or use lite."


# --- checking ----------------------------------------------------------------------------------------------------


def weights_files(folder: Path, variant: str | None = None) -> list[Path]:
    """The safetensors under a folder: those of a variant alone, or, without one, those of no variant ("model.safetensors")."""

    def meant(name: str) -> bool:
        return f".{variant}." in name or f".{variant}-" in name if variant else name.count(".") == 1

    return [path for path in sorted(folder.rglob("*.safetensors")) if meant(path.name)]


def header(path: Path) -> dict[str, dict]:
    """What a safetensors file says of its tensors: name to dtype, shape and place.

    Eight bytes give the length of a JSON header; behind it lie as many bytes as its last tensor ends at. Raises
    WeightsError for a file that is cut short or is not a safetensors file.
    """
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = int.from_bytes(file.read(8), "little")
            tensors = json.loads(file.read(min(length, size)))
        tensors.pop("__metadata__", None)
        whole = 8 + length + max((entry["data_offsets"][1] for entry in tensors.values()), default=0) == size
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise WeightsError(f"The weights file {path} is damaged or cut short: delete it and fetch it again.")
    return tensors


def parameters(folder: Path, variant: str | None = None) -> int:
    """How many numbers the weights under a folder hold, read from their headers alone."""
    return sum(math.prod(entry["shape"]) for path in weights_files(folder, variant) for entry in header(path).values())


def verify(folder: Path, variant: str | None = None, hashes: bool = False) -> int:
    """Check that the weights under a folder are whole; returns their bytes.

    hashes: also compare each file of the cache with the sha256 that the Hub gave it, which is the name of its blob
    there, and take it out of the cache if it differs, so that nothing loads it. A copied file has no such name, and so
    nothing to be compared with. Raises WeightsError.
    """
    size = 0
    for path in weights_files(folder, variant):
        blob = path.resolve()
        if hashes and re.fullmatch("[0-9a-f]{64}", blob.name) and sha256_of(blob) != blob.name:
            path.unlink()
            blob.unlink(missing_ok=True)
            raise WeightsError(f"The weights file {path} had another sha256 than the Hub gives and was removed: fetch it again.")
        header(path)
        size += blob.stat().st_size
    return size


def gigabytes(size: float) -> str:
    """Bytes as people read them: "3.5 GB", "22 MB"."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{math.ceil(size / 1e6)} MB"
