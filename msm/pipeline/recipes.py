"""Reads recipes: what is run, on what data, with which values; whole, or as differences from another recipe."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from msm.corpora.settings import Documents, Parallel, Tokenizer, Units
from msm.encoders.settings import Encoder
from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.files import read_yaml
from msm.finetuning.settings import Finetune, Mine
from msm.pipeline.stages import STAGES
from msm.pretraining.settings import Pretrain, Teach
from msm.reporting.settings import Report
from msm.retrieval.settings import Fuse, Lexical, Retrieve
from msm.settings import Settings, hints, section, suggestion

RECIPES = Path("recipes")
"""Folder of a project's own recipes, in the working directory; a recipe of the package gives way to one of its name."""
PACKAGED = Path(__file__).parents[1] / "recipes"
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Loader of YAML; that of PyYAML's C library takes a tenth of the time."""
Values = dict[str, Any]
SECTIONS: dict[str, tuple[type[Settings], ...]] = {
    "documents": (Documents,),
    "tokenizer": (Tokenizer,),
    "units": (Units,),
    "pairs": (Parallel, Teach),
    "encoder": (Encoder,),
    "pretrain": (Pretrain,),
    "finetune": (Finetune,),
    "mine": (Mine,),
    "retrieve": (Retrieve,),
    "lexical": (Lexical,),
    "fuse": (Fuse,),
    "score": (Score,),
    "report": (Report,),
}
"""Section of a recipe to the classes whose values it holds."""
ROWS: dict[str, tuple[str, ...]] = {
    "corpora": ("documents",),
    "checkpoints": ("corpus", "tokenizer", "encoder"),
    "parallel": ("corpus", "pairs"),
    "taught": ("corpus", "teacher", "pairs"),
    "pretraining": ("corpus", "start", "seeds", "pretrain"),
    "models": ("start", "seeds", "finetune", "score"),
    "mining": ("model", "mine"),
    "rounds": ("mined", "start", "seeds", "finetune", "score"),
    "benchmarks": ("questions", "split", "finetune"),
    "further_benchmarks": ("questions", "split", "tuned"),
    "retrievals": ("model", "benchmark", "retrieve", "score"),
    "lexical_models": ("lexical",),
    "fusions": ("dense", "sparse", "fuse"),
}
"""List of a recipe to the fields of its rows, beside `name`; those named like a section hold differences from it."""
NAME = re.compile(r"[\w+][\w.+:@,-]*")
"""Form of the names of recipes and rows, which name folders."""
TOP = ("recipe", "base", "seeds", "source", *SECTIONS, *ROWS)
SOURCE = ("name", "stage", "settings")


def find(name: str, *, own_folder: Path = RECIPES, where: str = "") -> Path:
    """Return the file of a recipe that is given by name or by path.

    Args:
        name: name, such as `demo`, or path of a `.yaml` file.
        own_folder: folder whose recipes go before the package's.
        where: place that names the recipe, for the message.

    Raises:
        BadInput: no recipe has the name.
    """
    if Path(name).suffix in (".yaml", ".yml"):
        return Path(name)
    for folder in (own_folder, PACKAGED):
        if (folder / f"{name}.yaml").is_file():
            return folder / f"{name}.yaml"
    names = sorted({file.stem for folder in (own_folder, PACKAGED) for file in folder.glob("*.yaml")})
    nearest = suggestion(name, names if where else [*names, *STAGES])
    raise BadInput(f"{where}{name}: no such recipe; here are: {', '.join(names)}{nearest}")


def load(path: Path) -> Values:
    """Read a recipe whole: the values of its base and, in their place, its own.

    Mappings are merged; a list takes the place of the base's list. A source of another stage is replaced whole.

    Raises:
        BadInput: no such file, not a YAML mapping, an unknown key, or bases in a circle.
    """
    whole: Values = {}
    for _, values in reversed(layers(path)):
        if values.get("source", {}).get("stage", "") not in ("", whole.get("source", {}).get("stage")):
            whole.pop("source", None)
        whole = merged(whole, values)
    whole.pop("base", None)
    return whole


def layers(path: Path) -> list[tuple[Path, Values]]:
    """Return a recipe's file and its own values, then those of its base, and so on.

    Raises:
        BadInput: the errors of `load`.
    """
    files: list[tuple[Path, Values]] = []
    while True:
        if path in (file for file, _ in files):
            raise BadInput(f"{files[0][0]}: base: the recipes are bases of each other")
        values = {"recipe": path.stem, **read(path)}
        _check_keys(values, path)
        files.append((path, values))
        if "base" not in values:
            return files
        path = find(str(values["base"]), own_folder=path.parent, where=f"{path}: base: ")


def read(path: Path) -> Values:
    """Read the mapping in a YAML file.

    Raises:
        BadInput: no such file, or not a YAML mapping.
    """
    if not path.is_file():
        names = sorted(file.stem for file in path.parent.glob("*.yaml"))
        raise BadInput(f"{path}: no such recipe; here are: {', '.join(names) or 'none'}{suggestion(path.stem, names)}")
    recipe = read_yaml(path)
    if not isinstance(recipe, dict):
        raise BadInput(f"{path}: a recipe is a mapping, got {type(recipe).__name__}")
    return recipe


def _check_keys(recipe: Mapping[str, Any], path: Path) -> None:
    """Check that every key has a meaning, before any of them is used."""
    check_names(recipe, TOP, f"{path}: unknown key")
    name = recipe.get("recipe", path.stem)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadInput(f"{path}: recipe: {name!r:.60} is no name; letters, digits and . + : @ , - make one")
    if name in STAGES:
        raise BadInput(f"{path}: recipe: {name} is the name of a stage; take another name")
    source = recipe.get("source", {})
    check_names(mapping(source, f"{path}: source"), SOURCE, f"{path}: source: unknown key")
    for name, kinds in SECTIONS.items():
        if name in recipe:
            fields = [field for kind in kinds for field in hints(kind)]
            check_names(mapping(recipe[name], f"{path}: {name}"), fields, f"{path}: {name}: unknown setting")
    for name, fields in ROWS.items():
        for row in rows(recipe, name, str(path)) if name in recipe else ():
            check_names(row, ("name", *fields), f"{path}: {name} {row['name']}: unknown key")


def check_names(values: Mapping[str, Any], names: Any, where: str) -> None:
    """Refuse a name that means nothing.

    Raises:
        BadInput: a name is unknown; the message gives the nearest known one.
    """
    for name in values:
        if name not in names:
            raise BadInput(f"{where}: {name}{suggestion(name, names)}")


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """Return a value that must be a mapping.

    Raises:
        BadInput: the value is no mapping.
    """
    if not isinstance(value, Mapping):
        raise BadInput(f"{where} must be a mapping, got {value!r}")
    return value


def rows(recipe: Mapping[str, Any], name: str, where: str) -> list[Values]:
    """Return the rows of a list; none where the recipe does not have it.

    Raises:
        BadInput: no list, a row that is no mapping or has no name, or two rows of one name.
    """
    row_list = recipe.get(name, [])
    if not isinstance(row_list, list):
        raise BadInput(f"{where}: {name} must be a list, got {row_list!r}")
    names: list[str] = []
    for number, row in enumerate(row_list, 1):
        if not isinstance(row, Mapping) or "name" not in row:
            raise BadInput(f"{where}: {name}: row {number} needs a name, got {row!r}")
        if row["name"] in names:
            raise BadInput(f"{where}: {name}: two rows of the name {row['name']}")
        names.append(row["name"])
    return row_list


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Return the values of two mappings; the upper one's win, and mappings within both are merged in the same way."""
    result = dict(below)
    for name, value in above.items():
        both = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if both else value
    return result


def resolved(recipe: Mapping[str, Any]) -> Values:
    """Return a recipe with every default written out, in the order of `TOP`."""
    whole = {name: recipe[name] for name in TOP if name in recipe}
    for name, kinds in SECTIONS.items():
        if name in whole:
            whole[name] = _with_defaults(kinds[0], whole[name])
    return whole


def _with_defaults(kind: type[Settings], values: Mapping[str, Any]) -> Values:
    whole: Values = {}
    for name, hint in hints(kind).items():
        inner = section(hint)
        if inner and (name in values or name in kind.sections(values)):
            whole[name] = _with_defaults(inner, values.get(name) or {})
        elif name in values or (hasattr(kind, name) and not inner):
            whole[name] = values.get(name, getattr(kind, name, None))
    return whole


def holders(files: Sequence[tuple[Path, Values]], key: str) -> Iterator[tuple[Path, str]]:
    """Yield the files that set a dotted key: the recipe's own, or else its base's; of a mapping that both set, both.

    Args:
        files: the recipe and its bases, as `layers` gives them.
        key: dotted key, such as `pretrain.msm`, or `models.0` for the first row of a list.
    """
    for file, values in files:
        value: Any = values
        for part in key.split("."):
            if isinstance(value, list) and int(part) < len(value):
                value = value[int(part)]
            elif isinstance(value, Mapping) and part in value:
                value = value[part]
            else:
                break
        else:
            yield file, key
            if not isinstance(value, Mapping) or isinstance(values[key.split(".")[0]], list):
                return
