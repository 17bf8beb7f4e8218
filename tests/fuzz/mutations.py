"""Changes a file, or a word of a command, in the ways that damage, mistakes and malice do. All from a seed."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

HOSTILE: list[Any] = [
    *(None, True, -1, 0, 1e308, float("nan"), float("inf"), 10**18, "", " ", [], {}, [[]], {"a": None}, "NaN", "null"),
    *(
        "../../out",
        "/proc/nothing",
        "a\0b",
        "a\nb",
        "a\tb c",
        "<script>alert(1)</script>|`*",
        "\u202eabc",
        "%s{0}$HOME",
    ),
    *("1" * 5000, "x" * 70_000, [1] * 1000, "\U0001f600", "zz", "-", "--out", "1e9", "0x10", "1,2", "\u0661"),
]
"""Values in place of others. What is absolute cannot be written."""
WORDS = [str(value) for value in HOSTILE if "\0" not in str(value)]
"""Values of options; no process can be given a word with a NUL."""
TEXTS = ["[" * 100_000, '{"a":' * 50_000, "1" * 5000, "- " * 5000 + "a", "a: &a [*a]", "null", "NaN", "[]", "\ufeff{}"]
"""Whole files."""
Change = Callable[[random.Random, bytes], bytes]


def mutate(path: Path, rng: random.Random) -> str:
    """Change a file; returns the name of the change."""
    ways: dict[str, Callable[[], object]] = {
        "folder": lambda: path.mkdir(),
        "link": lambda: path.symlink_to(path.name),
        "gone": lambda: None,
    }
    name = rng.choice([*ways, *(2 * [*BYTES]), *(4 * [*_forms(path)])])
    content = path.read_bytes()
    path.unlink()  # a new file, because the old one may have several names
    if name in ways:
        ways[name]()
    else:
        path.write_bytes(_changed(path, (BYTES | FORMS)[name], rng, content))
    return name


def _changed(path: Path, change: Change, rng: random.Random, content: bytes) -> bytes:
    if path.suffix == ".gz" and change not in BYTES.values():
        return gzip.compress(change(rng, gzip.decompress(content)))
    return change(rng, content)


def _forms(path: Path) -> list[str]:
    suffix = path.name.removesuffix(".gz").rpartition(".")[2]
    kinds = {"json": ["json"], "jsonl": ["json lines", "lines"], "yaml": ["yaml"], "npy": [], "safetensors": ["header"]}
    return kinds.get(suffix, ["lines"] if suffix in ("trec", "tsv", "txt", "jsonl", "qrels") else [])


def _truncated(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flipped(rng: random.Random, content: bytes) -> bytes:
    data = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 8))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _inserted(rng: random.Random, content: bytes) -> bytes:
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.choice((b"\xff\xfe", b"\0" * 100, b"\r", b"\n\n", b"\xed\xa0\x80")) + content[place:]


BYTES: dict[str, Change] = {
    "empty": lambda rng, content: b"",
    "truncated": _truncated,
    "flipped": _flipped,
    "inserted": _inserted,
    "another text": lambda rng, content: rng.choice(TEXTS).encode(),
    "noise": lambda rng, content: rng.randbytes(500),
    "gzip in gzip": lambda rng, content: gzip.compress(content),
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every value within a value, its own first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def tree(rng: random.Random, value: Any) -> Any:
    """A value with one place changed: another value, one more, one less."""
    place = rng.choice(places(value))
    if not place:
        return rng.choice(HOSTILE)
    parent = value
    for key in place[:-1]:
        parent = parent[key]
    way = rng.choice(("replace", "replace", "replace", "drop", "add"))
    if way == "replace":
        parent[place[-1]] = rng.choice(HOSTILE)
    elif way == "drop":
        del parent[place[-1]]
    elif isinstance(parent, dict):
        parent[str(rng.choice(HOSTILE))[:50]] = rng.choice(HOSTILE)
    else:
        parent.append(rng.choice(HOSTILE))
    return value


def _json(rng: random.Random, content: bytes) -> bytes:
    return json.dumps(tree(rng, json.loads(content)), ensure_ascii=False).encode("utf-8", "surrogatepass")


def _json_lines(rng: random.Random, content: bytes) -> bytes:
    lines = content.splitlines()
    number = rng.randrange(len(lines))
    lines[number] = _json(rng, lines[number])
    return b"\n".join(lines) + b"\n"


def _yaml(rng: random.Random, content: bytes) -> bytes:
    return yaml.safe_dump(tree(rng, yaml.safe_load(content)), allow_unicode=True).encode("utf-8", "replace")


def _lines(rng: random.Random, content: bytes) -> bytes:
    lines = content.splitlines()
    number = rng.randrange(len(lines))
    separator = b"\t" if b"\t" in lines[number] else b" "
    fields = lines[number].split(separator)
    field = rng.randrange(len(fields))
    way = rng.choice(("replace", "replace", "drop", "double", "line twice"))
    if way == "replace":
        fields[field] = str(rng.choice(HOSTILE)).encode("utf-8", "replace")
    elif way == "drop":
        del fields[field]
    else:
        fields.insert(field, fields[field])
    lines[number] = separator.join(fields)
    return b"\n".join(lines + ([lines[number]] if way == "line twice" else [])) + b"\n"


def _header(rng: random.Random, content: bytes) -> bytes:
    """The JSON header of safetensors."""
    size = int.from_bytes(content[:8], "little")
    header = json.dumps(tree(rng, json.loads(content[8 : 8 + size]))).encode()
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


FORMS: dict[str, Change] = {
    "json": _json,
    "json lines": _json_lines,
    "yaml": _yaml,
    "lines": _lines,
    "header": _header,
}


def mutate_words(words: list[str], rng: random.Random) -> str:
    """Change one word behind the verb; returns the name of the change."""
    place = rng.randrange(1, len(words) + 1)
    way = "unknown" if place == len(words) else rng.choice(("replace", "replace", "replace", "drop", "unknown"))
    if way == "replace":
        words[place] = rng.choice(WORDS)
    elif way == "drop":
        del words[place]
    else:
        words.insert(place, "--no_such_option")
    return f"word {way}"
