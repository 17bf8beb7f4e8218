"""Writes the bill of materials of an environment, in CycloneDX's JSON: `python -m msm.components.sbom FILE`."""

import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

from msm.files import write_json
from msm.version import __version__

LICENCE = re.compile(r"License :: (?:OSI Approved :: )?(.+)")


def bill() -> dict[str, Any]:
    """Return the bill of all other installed packages, with versions and licences, sorted by name."""
    packages = {_plain(package.metadata["Name"]): package for package in importlib.metadata.distributions()}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "msm-bench", "version": __version__}},
        "components": [_component(name, packages[name]) for name in sorted(packages) if name != "msm-bench"],
    }


def _component(name: str, package: importlib.metadata.Distribution) -> dict[str, Any]:
    licence = package.metadata.json.get("license_expression") or _classified(package) or _told(package) or "not said"
    return {
        "type": "library",
        "name": name,
        "version": package.version,
        "purl": f"pkg:pypi/{name}@{package.version}",
        "licenses": [{"license": {"name": licence}}],
    }


def _classified(package: importlib.metadata.Distribution) -> str:
    matches = map(LICENCE.fullmatch, package.metadata.get_all("Classifier") or ())
    return ", ".join(match[1] for match in matches if match)


def _told(package: importlib.metadata.Distribution) -> str:
    """Return the licence of a package with old metadata, unless the field holds a whole licence text."""
    text = str(package.metadata.json.get("license") or "")
    return text if "\n" not in text else ""


def _plain(name: str) -> str:
    """Return the name of a package as the package index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    write_json(Path(sys.argv[1]), bill())
