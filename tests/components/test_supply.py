"""What is installed is named by its bytes, the image gets all its files, a broken lock file of DVC is set aside."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

from msm.components import sbom
from msm.components.dvc_lock import set_aside

ROOT = Path(__file__).parents[2]
INSTALLED = ("corpus", "dvc", "dashboard", "kubeflow", "docs", "tracking", "dev")
"""Extras that `make setup` installs."""


def locked(name: str) -> dict[str, tuple[str, int]]:
    """Version and number of hashes of every package of a lock file."""
    entries = re.findall(
        r"^([a-z0-9._-]+)==(\S+)[^\n]*\n((?: +--hash=sha256:[0-9a-f]{64}[^\n]*\n?)*)", text(name), re.M
    )
    return {package: (version, hashes.count("--hash=")) for package, version, hashes in entries}


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_locks_hold_the_versions_of_the_constraints_and_hashes_of_all() -> None:
    lines = (line.partition("==") for line in text("constraints.txt").splitlines() if not line.startswith("#"))
    versions = {re.sub(r"[-_.]+", "-", name).lower(): version for name, _, version in lines}
    for name in ("requirements.lock", "image.lock"):
        there = locked(name)
        assert len(there) > 150
        assert there.keys() == {line.partition("==")[0] for line in text(name).splitlines() if not line.startswith(" ")}
        assert all(hashes for _, hashes in there.values())
        assert {
            package: version for package, (version, _) in there.items() if version != versions.get(package, version)
        } == {}
        assert not {"torch", "triton"} & there.keys()
    everything = locked("requirements.lock")
    project = tomllib.loads(text("pyproject.toml"))["project"]
    extras = (project["optional-dependencies"][name] for name in INSTALLED)
    packages = {re.split(r"[^\w.-]", package)[0] for part in (project["dependencies"], *extras) for package in part}
    assert {re.sub(r"[-_.]+", "-", name).lower() for name in packages} - everything.keys() == {"torch"}
    # What the image has beside them trains; developers have it through `dev`.
    assert all(everything[package] == entry for package, entry in locked("image.lock").items())


def test_the_bill_of_materials_names_what_is_installed() -> None:
    rows = {row["name"]: row for row in sbom.bill()["components"]}
    assert rows["torch"]["version"] == importlib.metadata.version("torch")
    assert rows["pyyaml"]["purl"] == f"pkg:pypi/pyyaml@{importlib.metadata.version('pyyaml')}"
    assert "Apache" in rows["transformers"]["licenses"][0]["license"]["name"]
    assert "msm-bench" not in rows


def test_what_the_image_copies_reaches_the_builder() -> None:
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", text("Containerfile"), re.M)
    patterns = text(".containerignore").split("\n")
    assert "*" in patterns
    assert {f"!{name}" for names in copies for name in names.split()} == {
        pattern for pattern in patterns if pattern.startswith("!")
    }


def test_documents_name_the_version_that_the_overlays_ask_for() -> None:
    version = tomllib.loads(text("pyproject.toml"))["project"]["version"]
    documents = [
        text(name) for name in ("Containerfile", "docs/cluster.md", "manifests/overlays/kind/kustomization.yaml")
    ]
    pattern = r"(?:msm:|VERSION=|newTag: \")(\d+\.\d+\.\d+)"
    assert [set(re.findall(pattern, document)) for document in documents] == [{version}] * len(documents)


def test_a_broken_lock_of_dvc_is_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "rwlock"
    assert set_aside(path) == ""
    for content in ("{}", '{"read": {"a": [{"pid": 1, "cmd": "dvc"}]}, "write": {}}'):
        path.write_text(content)
        assert set_aside(path) == ""
    for content in ("", '{"read": ', "[]", '{"read": []}'):
        path.write_text(content)
        assert "set aside as rwlock.broken" in set_aside(path)
        assert not path.exists()
        assert (tmp_path / "rwlock.broken").read_text() == content
