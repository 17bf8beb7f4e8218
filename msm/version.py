"""Version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def _installed() -> str:
    try:
        return version("msm-bench")
    except PackageNotFoundError:
        return "unknown (not installed)"


__version__ = _installed()
