"""Imports by name: of packages outside the core install, and of modules that are slow to import and seldom needed."""

import importlib
from types import ModuleType
from typing import Any

from msm.errors import BadInput


def optional_package(name: str) -> ModuleType | None:
    """Return a package if it is installed and can be loaded, else None."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def needed_package(name: str, extra: str) -> ModuleType:
    """Return a package that the command cannot do without.

    Args:
        name: name of the package.
        extra: name of the extra that installs it.

    Raises:
        BadInput: the package is not installed.
    """
    package = optional_package(name)
    if package is None:
        raise BadInput(f"this needs the package {name}: pip install 'msm-bench[{extra}]'")
    return package


def entry(name: str) -> Any:
    """Return what a module holds under a name such as `module:function`."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)
