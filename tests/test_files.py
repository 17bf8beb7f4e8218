"""JSON and YAML that others wrote: what has no end, or is no number, is refused with its line."""

import errno
import gzip
import json
import os
import stat
import time
from pathlib import Path

import pytest

from msm.errors import BadInput
from msm.files import (
    check_below,
    files_below,
    new_file,
    new_files,
    read_json,
    read_json_lines,
    read_json_object,
    read_yaml,
    write_json,
)

HOSTILE = {
    "[" * 100_000: "nested",
    '{"a":' * 100_000: "nested",
    "1" * 5000: "4300 digits",
    "[1, NaN]": "NaN is no number",
    "-Infinity": "Infinity is no number",
    '["\\ud800"]': "half a character",
    "": "not JSON",
    "{": "not JSON",
}


@pytest.mark.parametrize(("text", "problem"), HOSTILE.items(), ids=[text[:6] or "nothing" for text in HOSTILE])
def test_hostile_json(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json.gz"
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(BadInput, match=rf"a\.json\.gz:1: .*{problem}"):
        read_json(path)
    if text:
        path.write_bytes(gzip.compress(f'{{"a": 1}}\n{{"b": {text}}}\n'.encode()))
        with pytest.raises(BadInput, match=rf"a\.json\.gz:2: .*{problem}|a\.json\.gz:2: not JSON"):
            list(read_json_lines(path))


def test_an_object_is_expected(tmp_path: Path) -> None:
    for text in ("null", "[1]", "3", '"a"'):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(BadInput, match=r"a\.json: expected a JSON object, got "):
            read_json_object(tmp_path / "a.json")


def laughs(depth: int) -> str:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a: " + b"[" * 100_000, ":1: nested more than 64 deep"),
        (b"- " * 100_000 + b"a", ":1: nested more than 64 deep"),
        (laughs(12).encode(), "more than 1000000 values"),
        (b"a: &a [*a]", "more than 1000000 values"),
        (b"a: \xff", "codec can't decode"),
        (b"a: b: c", ":1: not YAML"),
        (b"a: !!python/object/apply:os.system [ls]", ":1: not YAML"),
        (b"a: " + b"1" * 5000, "4300 digits"),
        (b"a: 2024-99-99", "not YAML: month must be in"),
        (b"? [a]\n: b", "not YAML"),
        (b"#" * (1 << 22) + b"\n", "bytes, and at most"),
    ],
    ids=lambda value: value[:8].decode(errors="replace") if isinstance(value, bytes) else "",
)
def test_hostile_yaml(content: bytes, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    start = time.monotonic()
    with pytest.raises(BadInput, match=rf"a\.yaml.*{problem}"):
        read_yaml(path)
    assert time.monotonic() - start < 5


def test_yaml_as_it_is_meant(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: &a {b: [1, 2.5, yes, null]}\nc: *a\n" + laughs(3))
    value = read_yaml(tmp_path / "a.yaml")
    assert value["c"] == value["a"] == {"b": [1, 2.5, True, None]}


@pytest.mark.parametrize("name", ["/etc/passwd", "../a", "a/../../b", "", "a\0b", "..\\a"])
def test_a_path_that_leads_out(name: str) -> None:
    with pytest.raises(BadInput, match="leads out"):
        check_below(name, "manifest.json")
    check_below("a/b..c", "manifest.json")


def test_what_is_no_file_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "self").symlink_to(tmp_path / "self")
    for name, problem in (("pipe", "no regular file"), ("self", "a link to itself"), (".", "a folder")):
        with pytest.raises(BadInput, match=problem), new_file(tmp_path / name) as file:
            file.write("x")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    (tmp_path / "a").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    with new_file(tmp_path / "link") as file:
        file.write("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "a").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "link", "pipe", "self"]


def test_a_failure_leaves_no_folder_and_no_part(tmp_path: Path) -> None:
    """A file and a set of files, into folders that are not there, and the set beside what was there."""
    with pytest.raises(OSError, match="no space"), new_file(tmp_path / "a" / "b" / "file"):
        raise OSError(errno.ENOSPC, "no space")
    with pytest.raises(OSError, match="no space"), new_files(tmp_path / "c" / "d") as folder:
        write_json(folder / "e" / "first.json", {})
        raise OSError(errno.ENOSPC, "no space")
    assert not list(tmp_path.iterdir())
    (tmp_path / "old.json").write_text("1")
    (tmp_path / "other.json").write_text("2")
    with pytest.raises(KeyboardInterrupt), new_files(tmp_path) as folder:
        write_json(folder / "old.json", {})
        raise KeyboardInterrupt
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"old.json": "1", "other.json": "2"}
    with new_files(tmp_path) as folder:
        write_json(folder / "old.json", {})
        write_json(folder / "new" / "third.json", {})
    remnants = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert remnants == ["new", "new/third.json", "old.json", "other.json"]
    assert json.loads((tmp_path / "old.json").read_text()) == {}


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "text").touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to(tmp_path / "self")
    assert sorted(path.name for path in files_below(tmp_path)) == ["self", "text"]
