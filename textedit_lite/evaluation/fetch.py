"""Fetches COCO val2017 and the weights of the FID: asks first, resumes where it broke off, and checks to the last byte."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import ssl
import sys
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..checksums import sha256_of
from ..errors import DeclinedError, OutputError, SettingsError
from ..hub import gigabytes

CHUNK = 1 << 20
TIMEOUT = 60.0  # seconds without a byte, after which a try counts as broken off
TRIES = 5


@dataclass(frozen=True)
class Archive:
    """A file to fetch: where it is, its exact size and sha256, and for a zip how the names of the members to unpack begin."""

    url: str
    size: int
    sha256: str
    members: str


# The bucket behind images.cocodataset.org, as that name itself has no certificate.
COCO = (
    Archive(
        "https://s3.amazonaws.com/images.cocodataset.org/annotations/annotations_trainval2017.zip", 252907541,
        "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268", "annotations/instances_val2017.json",
    ),
    Archive(
        "https://s3.amazonaws.com/images.cocodataset.org/zips/val2017.zip", 815585330,
        "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05", "val2017/",
    ),
)  # fmt: skip
# Torch-fidelity's, for the FID: its name contains the first digits of its sha256, as torch.hub wants it.
INCEPTION = Archive(
    "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth", 95628359,
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2", "",
)  # fmt: skip


def cache_folder() -> Path:
    """Where fetched sets lie: TEXTEDIT_CACHE, or textedit-lite in the user's cache folder."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("TEXTEDIT_CACHE") or Path(base) / "textedit-lite")


def agreed(sentence: str, yes: bool = False) -> bool:
    """Whether a person at a terminal agrees to what a sentence says will be done; yes: they have agreed already.

    Raises SettingsError where nobody can answer.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise SettingsError(f"{sentence} Give --yes to agree.")
    try:
        return input(f"{sentence} Go on? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:  # Ctrl-D
        return False


def coco_folder(yes: bool = False, fetch: bool = True, archives: tuple[Archive, ...] = COCO) -> Path:
    """The folder with val2017/ and annotations/, fetched if it is not there yet.

    yes: do not ask; fetch: False only looks whether it is there. Raises SettingsError where it is not and may not be
    fetched, OutputError where it cannot be. Taught in notebook 06.
    """
    folder = cache_folder() / "coco"
    todo = [archive for archive in archives if not _marker(folder, archive).exists()]
    if not todo:
        return folder
    if not fetch:
        raise SettingsError("COCO val2017 is not in the cache yet: fetch it with one process first.")
    size = sum(archive.size for archive in todo)
    if not agreed(f"This downloads {gigabytes(size)} (COCO val2017) into {folder}.", yes):
        raise DeclinedError("COCO val2017 was not fetched: agree, or give a folder that has it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for archive in todo:
            path = download(archive, folder / Path(archive.url).name)
            unpack(path, archive.members, folder)
            _marker(folder, archive).touch()
            path.unlink()
    except (OSError, zipfile.BadZipFile) as error:
        raise OutputError(f"COCO val2017 could not be fetched ({_reason(error)}): give the same command again to go on.") from error
    return folder


def inception_file() -> Path:
    """Where torch-fidelity looks for the weights of the FID's Inception network, fetched or not."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(INCEPTION.url).name


def fetch_inception(agree: Callable[[str], bool], archive: Archive = INCEPTION) -> bool:
    """Bring the weights of the FID's Inception network to `inception_file` and check them; returns whether they are there.

    agree: asked before the download, with a sentence that says how much it is. Raises OutputError where they cannot
    be fetched.
    """
    path = inception_file()
    if not _whole(path, archive) and not agree(f"This downloads {gigabytes(archive.size)} ({archive.url}) into {path.parent}."):
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        download(archive, path)
    except OSError as error:
        raise OutputError(f"Inception could not be fetched ({_reason(error)}): give the same command again to go on.") from error
    print(f"inception: {path}, {gigabytes(archive.size)}, whole.")
    return True


def download(archive: Archive, path: Path, tries: int = TRIES) -> Path:
    """Fetch one archive to `path`, going on where an earlier try broke off, and check its size and sha256.

    What has come so far lies in PATH.part. From a server that cannot go on in the middle, the file is fetched from the start
    again. Nothing is fetched if `path` already holds the whole file, as it does where the unpacking was stopped. Raises
    OSError where nothing comes any more, OutputError for a file with other content. Taught in notebook 06.
    """
    if _whole(path, archive):
        return path
    part = path.with_name(path.name + ".part")
    for left in reversed(range(tries)):
        try:
            _more(archive, part)
            break
        except (OSError, http.client.HTTPException):
            if not left:
                raise
    if not _whole(part, archive):
        part.unlink()
        raise OutputError(f"{archive.url} is not the file that it should be: try again later, or give a folder that has it.")
    os.replace(part, path)
    return path


def unpack(path: Path, members: str, folder: Path) -> None:
    """Unpack the members of a zip whose names begin with `members`, each all or nothing, as nobody checks them again.

    Raises OutputError for a name that leads out of the folder.
    """
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if not name.startswith(members) or name.endswith("/"):
                continue
            target = folder / name
            if not target.resolve().is_relative_to(folder.resolve()):
                raise OutputError(f"{path} holds {name}, which leads out of {folder}: fetch it again.")
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            with archive.open(name) as source, open(part, "wb") as file:
                shutil.copyfileobj(source, file)
            os.replace(part, target)


def _more(archive: Archive, part: Path) -> None:
    """Fetch the part of an archive that is not there yet; returns when all bytes are there."""
    have = part.stat().st_size if part.exists() else 0
    if have >= archive.size:
        return
    request = urllib.request.Request(archive.url, headers={"Range": f"bytes={have}-"} if have else {})
    context = _trusting() if archive.url.startswith("https:") else None
    with urllib.request.urlopen(request, timeout=TIMEOUT, context=context) as answer:
        went_on = answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        with open(part, "ab" if went_on else "wb") as file, _bar(archive, have if went_on else 0) as bar:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
    if part.stat().st_size < archive.size:
        raise OSError(f"{archive.url} broke off at {part.stat().st_size} of {archive.size} bytes")


def _trusting() -> ssl.SSLContext:
    """Trusts the certificates of the system, and certifi's where it is installed: Python from python.org finds none on macOS."""
    context = ssl.create_default_context()
    with contextlib.suppress(ImportError):
        import certifi

        context.load_verify_locations(certifi.where())
    return context


def _bar(archive: Archive, have: int):
    from tqdm import tqdm

    name = Path(archive.url).name
    return tqdm(desc=name, total=archive.size, initial=have, unit="B", unit_scale=True, disable=None)


def _marker(folder: Path, archive: Archive) -> Path:
    return folder / f".{Path(archive.url).stem}-{archive.sha256[:12]}.done"


def _whole(path: Path, archive: Archive) -> bool:
    """Whether a file is the archive, to the last byte."""
    return path.is_file() and path.stat().st_size == archive.size and sha256_of(path) == archive.sha256


def _reason(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(reason).split()).rstrip(".")
