"""A real download by the Hub's own client, from a small Hub on this machine, into an empty cache; then an edit's worth of checks."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import hub_cache
import pytest

from textedit_lite.models import FULL


class Hub(BaseHTTPRequestHandler):
    """Answers the three questions that a download asks: what a revision holds, its tree, and the files themselves."""

    repositories: dict[str, Path] = {}
    spoiled: str | None = None  # of this file the announced hash is right, and the bytes are not
    protocol_version = "HTTP/1.1"

    def do_GET(self):  # noqa: N802  the name is the base class's
        self.answer(body=True)

    def do_HEAD(self):  # noqa: N802
        self.answer(body=False)

    def log_message(self, *words):
        return

    def answer(self, body: bool) -> None:
        path = urlsplit(self.path).path
        if found := re.fullmatch("/api/models/([^/]+/[^/]+)/(revision|tree)/([^/]+)/?", path):
            name, question, revision = found.groups()
            if name not in self.repositories:
                return self.send(404, b"{}", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, body)
            files = [(file, self.repositories[name] / file) for file in listed(self.repositories[name])]
            facts = [(file, {"size": where.stat().st_size}, sha(where, "sha1"), lfs(where)) for file, where in files]
            if question == "tree":
                told = [{"type": "file", "path": file, "oid": oid} | size | large for file, size, oid, large in facts]
            else:
                siblings = [{"rfilename": file, "blobId": oid} | size for file, size, oid, _ in facts]
                told = {"id": name, "sha": revision, "siblings": siblings}
            return self.send(200, json.dumps(told).encode(), {"Content-Type": "application/json"}, body)
        if found := re.fullmatch("/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, file = found.groups()
            where = self.repositories[name] / file
            data = where.read_bytes()
            digest = sha(where, "sha256" if where.suffix == ".safetensors" else "sha1")
            if file == self.spoiled:
                data = data[:-1] + bytes([data[-1] ^ 1])
            headers = {"ETag": f'"{digest}"', "X-Repo-Commit": revision, "Accept-Ranges": "bytes"}
            return self.send(200, data, headers, body)
        return self.send(404, b"{}", {}, body)

    def send(self, status: int, data: bytes, headers: dict[str, str], body: bool) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data)


def listed(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def sha(path: Path, kind: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


def lfs(path: Path) -> dict:
    if path.suffix != ".safetensors":
        return {}
    return {"lfs": {"oid": sha(path, "sha256"), "size": path.stat().st_size, "pointerSize": 134}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a Hub with the small models under the full ids, and, beside them, files that must not be fetched."""
    parts = hub_cache.build(tmp_path_factory.mktemp("served"), hub_cache.SMALL_SIZE, detector_side=128)
    (parts["clip"] / "pytorch_model.bin").write_bytes(b"a pickle")
    (parts["inpaint"] / "sd-v1-5-inpainting.ckpt").write_bytes(b"another one")
    Hub.repositories = {source.path: parts[part] for part, source in FULL.items()}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def fetch(address: str, home: Path, *words: str) -> subprocess.CompletedProcess:
    """`textedit-lite fetch` in a process of its own."""
    return python(address, home, "-m", "textedit_lite", "fetch", *words)


def python(address: str, home: Path, *words: str) -> subprocess.CompletedProcess:
    """Python in a process of its own, as the client reads its settings only once."""
    settings = {"HF_ENDPOINT": address, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    inherited = {name: value for name, value in os.environ.items() if name not in ("HF_HUB_CACHE", "HF_TOKEN")}
    return subprocess.run(
        [sys.executable, *words], env=inherited | settings, capture_output=True, text=True,
        timeout=300, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_fetch_downloads_what_is_needed_and_nothing_else(served, tmp_path):
    asked = fetch(served, tmp_path, "full")
    assert asked.returncode == 2 and re.search(r"This downloads \d+ MB .* Give --yes to agree\.", asked.stderr), asked.stderr
    done = fetch(served, tmp_path, "full", "--yes")
    assert done.returncode == 0, done.stderr[-2000:]
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == list(FULL) and done.stdout.count("whole.") == 3
    names = {path.name for path in (tmp_path / "hub").rglob("*")}
    assert "diffusion_pytorch_model.fp16.safetensors" in names and "merges.txt" in names
    assert not names & {"pytorch_model.bin", "sd-v1-5-inpainting.ckpt"}
    again = fetch("http://127.0.0.1:9", tmp_path, "full")  # where nobody answers: all is there, and nobody is asked
    assert again.returncode == 0 and again.stdout == done.stdout


def test_loading_says_so_before_it_downloads_and_not_where_all_is_there(served, tmp_path):
    load = ("-c", "from textedit_lite import load_models; load_models('full', device='cpu')")
    first = python(served, tmp_path, *load)
    assert first.returncode == 0, first.stderr[-2000:]
    told = first.stderr.splitlines()[0]
    assert re.fullmatch(r"Downloading \d+ MB \(.*\) into .*; `textedit-lite fetch full` does this ahead of time\.", told), told
    assert all(source.path in told for source in FULL.values()) and first.stdout == ""
    again = python(served, tmp_path, *load)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_file_that_arrives_changed_is_not_believed(served, tmp_path, monkeypatch):
    monkeypatch.setattr(Hub, "spoiled", "model.safetensors")
    done = fetch(served, tmp_path, "full", "--yes")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "another sha256 than the Hub gives and was removed" in done.stderr.splitlines()[-1]
    monkeypatch.setattr(Hub, "spoiled", None)
    assert fetch(served, tmp_path, "full", "--yes").returncode == 0


def test_an_id_that_is_gone_and_a_hub_that_is_not_there(served, tmp_path):
    weights = tmp_path / "weights.toml"
    weights.write_text('[clip]\npath = "nobody/nothing"\nrevision = "main"\n')
    done = fetch(served, tmp_path, str(weights), "--yes")
    assert done.returncode == 2 and "There is no nobody/nothing on the Hub" in done.stderr.splitlines()[-1]
    done = fetch("http://127.0.0.1:9", tmp_path, "full", "--yes")
    assert done.returncode == 2 and "the Hub cannot be reached: check the network" in done.stderr.splitlines()[-1]
