"""The sha256 of a file, and of all weights under a folder: written to SHA256SUMS, and compared with it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .errors import WeightsError

CHECKSUMS = "SHA256SUMS"


def sha256_of(path: Path | str) -> str:
    """The sha256 of a file's content, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_sums(folder: Path) -> None:
    """Compare every weights file under a folder with its sha256 in the folder's SHA256SUMS.

    Raises WeightsError for a file that differs, is missing, or is not listed.
    """
    advice = "install the package again, or give another folder"
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
        pairs = [line.split(maxsplit=1) for line in lines if line.strip()]
        listed = {name.strip().removeprefix("*"): digest for digest, name in pairs}  # "*" stands for "read as bytes"
    except (OSError, ValueError) as error:
        raise WeightsError(f"The list of checksums {folder / CHECKSUMS} cannot be read: {advice}.") from error
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.safetensors")}
    for name in sorted({*listed, *there}):
        if name not in there or name not in listed:
            reason = "missing" if name not in there else f"not listed in {CHECKSUMS}"
            raise WeightsError(f"The weights file {folder / name} is {reason}: {advice}.")
        if sha256_of(there[name]) != listed[name]:
            raise WeightsError(f"The weights file {folder / name} is damaged, its sha256 differs: {advice}.")


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS for all weights files under a folder, in the format of `sha256sum`."""
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in sorted(folder.rglob("*.safetensors"))]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")
