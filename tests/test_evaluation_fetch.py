"""Fetching val2017, from a server on this machine: broken off, gone on with, refused, unpacked."""

from __future__ import annotations

import hashlib
import http.client
import io
import ssl
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from textedit_lite.cli import main
from textedit_lite.errors import DeclinedError, OutputError, SettingsError
from textedit_lite.evaluation import fetch
from textedit_lite.evaluation.fetch import Archive, coco_folder, download, fetch_inception, unpack


def packed(**members: str) -> bytes:
    """A zip in memory."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return data.getvalue()


@pytest.fixture
def server():
    """A server of `files`: it breaks off after `limit` bytes of each answer, and knows ranges or not; `asked` says what for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            content = server.files[self.path]
            given = self.headers.get("Range") if server.ranges else None
            server.asked.append(self.headers.get("Range"))
            start = int(given.removeprefix("bytes=").removesuffix("-")) if given else 0
            self.send_response(206 if given else 200)
            if given:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            self.wfile.write(content[start:][: server.limit])

        def log_message(self, *words):
            """Not on the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.limit, server.ranges, server.asked = {}, None, True, []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def serve(server, name: str, content: bytes, members: str = "") -> Archive:
    server.files[f"/{name}"] = content
    url = f"http://127.0.0.1:{server.server_address[1]}/{name}"
    return Archive(url, len(content), hashlib.sha256(content).hexdigest(), members)


def test_what_broke_off_goes_on_where_it_was(server, tmp_path):
    content = bytes(range(256)) * 40
    archive = serve(server, "one.zip", content)
    server.limit = 4000
    with pytest.raises(OSError):
        download(archive, tmp_path / "one.zip", tries=1)
    assert (tmp_path / "one.zip.part").stat().st_size == 4000 and not (tmp_path / "one.zip").exists()
    assert download(archive, tmp_path / "one.zip").read_bytes() == content
    assert server.asked == [None, "bytes=4000-", "bytes=8000-"]
    assert not (tmp_path / "one.zip.part").exists()


def test_a_server_that_breaks_off_between_chunks_is_asked_again(server, tmp_path, monkeypatch):
    content, opened = bytes(range(256)) * 40, fetch.urllib.request.urlopen
    archive = serve(server, "one.zip", content)

    def breaking(*arguments, **options):
        if not server.asked:
            server.asked.append("broken")
            raise http.client.IncompleteRead(b"")
        return opened(*arguments, **options)

    monkeypatch.setattr(fetch.urllib.request, "urlopen", breaking)
    assert download(archive, tmp_path / "one.zip").read_bytes() == content


def test_a_server_without_ranges_starts_over(server, tmp_path):
    content = b"abc" * 3000
    archive = serve(server, "one.zip", content)
    (tmp_path / "one.zip.part").write_bytes(content[:100])
    server.ranges = False
    assert download(archive, tmp_path / "one.zip").read_bytes() == content


def test_a_file_of_another_content_is_thrown_away(server, tmp_path):
    archive = serve(server, "one.zip", b"abc" * 3000)
    server.files["/one.zip"] = b"xyz" * 3000
    with pytest.raises(OutputError, match="not the file"):
        download(archive, tmp_path / "one.zip")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def archives(server, monkeypatch, tmp_path):
    """Two small archives in the shape of COCO's, and a cache folder of our own."""
    monkeypatch.setenv("TEXTEDIT_CACHE", str(tmp_path))
    told = packed(**{"annotations/instances_val2017.json": "{}", "annotations/captions_val2017.json": "[]"})
    pictures = packed(**{"val2017/000000000001.jpg": "one", "val2017/000000000002.jpg": "two"})
    return (serve(server, "annotations.zip", told, "annotations/instances_val2017.json"),
            serve(server, "val2017.zip", pictures, "val2017/"))  # fmt: skip


def test_the_set_is_fetched_once_and_unpacked(archives, server):
    with pytest.raises(SettingsError, match="with one process"):
        coco_folder(yes=True, fetch=False, archives=archives)
    folder = coco_folder(yes=True, archives=archives)
    there = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")
    assert there == ["annotations/instances_val2017.json", "val2017/000000000001.jpg", "val2017/000000000002.jpg"]
    assert coco_folder(archives=archives) == folder and len(server.asked) == 2


def test_what_was_fetched_is_not_fetched_again_where_the_unpacking_was_stopped(archives, server, monkeypatch):
    copy = fetch.shutil.copyfileobj

    def stopped(source, file):
        file.write(source.read(1))
        raise KeyboardInterrupt

    monkeypatch.setattr(fetch.shutil, "copyfileobj", stopped)
    with pytest.raises(KeyboardInterrupt):
        coco_folder(yes=True, archives=archives)
    there = fetch.cache_folder() / "coco"
    assert not (there / archives[0].members).exists(), "a half-written member looks like a whole one"
    monkeypatch.setattr(fetch.shutil, "copyfileobj", copy)
    folder = coco_folder(yes=True, archives=archives)
    assert (folder / archives[0].members).read_text() == "{}" and not list(folder.rglob("*.part"))
    assert len(server.asked) == 2, "each archive once"


def test_a_file_in_the_archives_place_is_looked_at_before_it_is_believed(server, tmp_path):
    archive = serve(server, "one.zip", b"abc" * 3000)
    for wrong in (b"xyz" * 3000, b"abc"):
        (tmp_path / "one.zip").write_bytes(wrong)
        assert download(archive, tmp_path / "one.zip").read_bytes() == b"abc" * 3000
    assert download(archive, tmp_path / "one.zip").exists() and len(server.asked) == 2


def test_who_says_no_has_declined(archives, server, monkeypatch):
    monkeypatch.setattr(fetch.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: "")
    with pytest.raises(DeclinedError) as no:
        coco_folder(archives=archives)
    assert no.value.exit_code == 1 and server.asked == []


def test_nothing_is_fetched_without_a_yes(archives, server, monkeypatch):
    with pytest.raises(SettingsError, match="--yes"):
        coco_folder(archives=archives)
    assert server.asked == []
    assert fetch.agreed("?", yes=True)
    monkeypatch.setattr(fetch.sys.stdin, "isatty", lambda: True, raising=False)
    for said in ("y", "Yes ", "", "no"):
        monkeypatch.setattr("builtins.input", lambda question, said=said: said)
        assert fetch.agreed("?") == said.lower().startswith("y")


def test_a_server_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTEDIT_CACHE", str(tmp_path))
    gone = Archive("http://127.0.0.1:9/one.zip", 10, "0" * 64, "")
    with pytest.raises(OutputError, match="could not be fetched.*to go on"):
        coco_folder(yes=True, archives=(gone,))


def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "bad.zip").write_bytes(packed(**{"val2017/../../outside.jpg": "bad"}))
    (tmp_path / "cache").mkdir()
    with pytest.raises(OutputError, match="leads out"):
        unpack(tmp_path / "bad.zip", "val2017/", tmp_path / "cache")
    assert not (tmp_path / "outside.jpg").exists()


def test_the_certificates_of_certifi_are_trusted_too(monkeypatch):
    monkeypatch.setattr(fetch.ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))  # as on macOS
    assert fetch._trusting().cert_store_stats()["x509_ca"] > 10


def test_inception_comes_to_where_torch_fidelity_looks_for_it(server, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    archive, asked = serve(server, "inception.pth", b"abc" * 3000), []
    assert not fetch_inception(asked.append, archive) and not server.asked, "nobody agreed"
    assert "downloads 1 MB" in asked[0]
    assert fetch_inception(lambda question: True, archive)
    path = tmp_path / "hub" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    assert path.read_bytes() == b"abc" * 3000 and str(path) in capsys.readouterr().out
    assert fetch_inception(lambda question: pytest.fail("it is there"), archive)
    path.write_bytes(b"abc")
    with pytest.raises(OutputError, match="Inception could not be fetched.*to go on"):
        fetch_inception(lambda question: True, Archive("http://127.0.0.1:9/inception.pth", 9000, archive.sha256, ""))


def test_inception_is_fetched_by_its_name(monkeypatch, capsys):
    monkeypatch.setattr(fetch, "fetch_inception", lambda agree: agree("Download?"))
    assert main(["fetch", "inception", "--yes"]) == 0
    assert main(["fetch", "inception"]) == 2 and "Give --yes" in capsys.readouterr().err


def test_the_real_archives_are_asked_for_safely():
    assert all(archive.url.startswith("https://") and len(archive.sha256) == 64 for archive in fetch.COCO)
    assert sum(archive.size for archive in fetch.COCO) > 1e9
    assert fetch.INCEPTION.url.startswith("https://") and fetch.INCEPTION.url.endswith(f"-{fetch.INCEPTION.sha256[:8]}.pth")
