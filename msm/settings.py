"""The base of all settings classes: types, limits and checks of values, and the way from a recipe to settings.

Each settings class is defined in the package that uses it, such as `msm.pretraining.settings.Pretrain`. Its fields are
`int`, `float`, `str`, or a nested settings class; a list is a text with commas. A field has a default if all recipes
share its value or if it cannot change a result. The string below a field is its help text on the command line, in
Kubeflow and in the documentation.
"""

import ast
import dataclasses
import difflib
import inspect
import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msm.errors import BadInput


class Between(NamedTuple):
    """Smallest and largest allowed value of a number."""

    low: float
    high: float = float("inf")


class TextPattern(NamedTuple):
    """A pattern that a text must match as a whole."""

    pattern: str


Count = Annotated[int, Between(0)]
Positive = Annotated[int, Between(1)]
Share = Annotated[float, Between(0, 1)]
Rate = Annotated[float, Between(0)]
Temperature = Annotated[float, Between(1e-6)]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of every settings class. A new object checks each value against its type and limits."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            BadInput: a value has the wrong type or is outside its limits.
        """
        for name, hint in hints(type(self)).items():
            if section(hint) is None:
                _check(name, getattr(self, name), hint)

    @classmethod
    def sections(cls, values: Mapping[str, Any]) -> list[str]:
        """Return the names of the nested settings that these values use: all, unless a class overrides this."""
        del values
        return [name for name, hint in hints(cls).items() if section(hint)]


S = TypeVar("S", bound=Settings)


def hints(kind: type[Settings]) -> dict[str, Any]:
    """Return the annotated type of each field, by name."""
    return get_type_hints(kind, include_extras=True)


def section(hint: Any) -> type[Settings] | None:
    """Return the nested settings class of a field, also where the field may be None; None for other fields."""
    classes = [part for part in (hint, *get_args(hint)) if inspect.isclass(part)]
    return next((part for part in classes if issubclass(part, Settings)), None)


def base_type(hint: Any) -> type:
    """Return the type behind an annotated type: `int`, `float` or `str`."""
    if get_origin(hint) is Literal:
        return str
    return base_type(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def limits(hint: Any) -> Between | None:
    """Return the limits of a number, or None if it has none."""
    return next((part for part in get_args(hint)[1:] if isinstance(part, Between)), None)


def choices(hint: Any) -> tuple[str, ...]:
    """Return the allowed values of a choice; empty for any other type."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def _check(name: str, value: object, hint: Any) -> None:
    kind = base_type(hint)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise BadInput(f"{name} must be of type {kind.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{name} must be finite, got {value!r}")
    values = choices(hint)
    if values and value not in values:
        raise BadInput(f"{name} must be one of {', '.join(values)}, got {value!r}")
    form = next((part for part in get_args(hint)[1:] if isinstance(part, TextPattern)), None)
    if form and not re.fullmatch(form.pattern, str(value)):
        raise BadInput(f"{name} must match {form.pattern}, got {value!r}")
    bounds = limits(hint)
    if bounds and isinstance(value, int | float) and not bounds.low <= value <= bounds.high:
        upper = "" if bounds.high == float("inf") else f" and at most {bounds.high:g}"
        raise BadInput(f"{name} must be at least {bounds.low:g}{upper}, got {value!r}")


def make(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Make settings from the values of a recipe.

    Args:
        kind: settings class.
        values: value of each field; fields with a default may be left out, and nested settings are mappings.
        where: place of the values for the message, such as `recipes/demo.yaml: pretrain msm-1`.

    Raises:
        BadInput: a setting is unknown or missing, or a value is outside its limits.
    """
    try:
        return _make(kind, values, "")
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def _make(kind: type[S], values: Mapping[str, Any], prefix: str) -> S:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    if unknown_names := [name for name in values if name not in fields]:
        nearest = suggestion(unknown_names[0], fields)
        raise BadInput(f"unknown setting: {', '.join(prefix + str(name) for name in unknown_names)}{nearest}")
    used_sections = kind.sections(values)
    arguments = dict(values)
    for name, hint in hints(kind).items():
        if inner := section(hint):
            arguments[name] = _section(inner, values.get(name), f"{prefix}{name}", name in used_sections)
    needed_names = (name for name, field in fields.items() if field.default is dataclasses.MISSING)
    if names := [f"{prefix}{name}" for name in needed_names if name not in arguments]:
        raise BadInput(f"missing setting: {', '.join(names)}")
    try:
        return kind(**arguments)
    except BadInput as error:
        raise BadInput(f"{prefix}{error}") from error


def _section(kind: type[Settings], values: Any, name: str, is_used: bool) -> Settings | None:
    if values is not None and not isinstance(values, Mapping):
        raise BadInput(f"{name} must be a mapping, got {values!r}")
    if is_used:
        return _make(kind, values or {}, f"{name}.")
    if values:
        raise BadInput(f"{name} is not read with these settings; take it out")
    return None


def present(part: S | None) -> S:
    """Return a section that other settings may leave out, in a context where they do not."""
    assert part is not None
    return part


def suggestion(name: object, names: Iterable[str]) -> str:
    """Return the end of a message about an unknown name: the nearest existing name, or nothing."""
    lower = {one.lower(): one for one in names}
    word = str(name).lower()
    # difflib finds little in common between short words of which two letters changed places.
    anagrams = [one for one in lower if sorted(one) == sorted(word)]
    nearest = anagrams or difflib.get_close_matches(word, list(lower), 1)
    return f"; did you mean {lower[nearest[0]]}?" if nearest else ""


class Setting(NamedTuple):
    """Description of one value of a settings class, or of a class nested in it."""

    name: str
    """Name of the setting, with a dot where it is nested: `msm.mu`."""
    hint: Any
    """Annotated type of the value."""
    meaning: str
    """Help text, from the string below the field."""
    default: Any
    """Default value; None for a setting that must be given."""

    @property
    def allowed(self) -> str:
        """Allowed values in words: choices or limits; empty if there are none."""
        bounds = limits(self.hint)
        if bounds and bounds.high == float("inf"):
            return f"from {bounds.low:g}"
        return f"{bounds.low:g} to {bounds.high:g}" if bounds else " | ".join(choices(self.hint))


def flat(kind: type[Settings]) -> Iterator[Setting]:
    """Yield every setting of a class, with those of nested classes."""
    texts = meanings(kind)
    for field in dataclasses.fields(kind):
        hint = hints(kind)[field.name]
        if inner := section(hint):
            yield from (one._replace(name=f"{field.name}.{one.name}") for one in flat(inner))
        else:
            default = None if field.default is dataclasses.MISSING else field.default
            yield Setting(field.name, hint, texts.get(field.name, ""), default)


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested mappings: `{"msm.mu": 0.5}` becomes `{"msm": {"mu": 0.5}}`."""
    result: dict[str, Any] = {}
    for name, value in values.items():
        *path, last = name.split(".")
        place = result
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return result


def as_values(settings: Settings) -> dict[str, Any]:
    """Return the values of settings as a recipe holds them, without the sections that are not used."""
    values = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return {
        name: as_values(value) if isinstance(value, Settings) else value
        for name, value in values.items()
        if value is not None
    }


def flattened(settings: Settings) -> dict[str, Any]:
    """Return the value of every setting by its dotted name, without the sections that are not used."""
    result: dict[str, Any] = {}
    for name, value in as_values(settings).items():
        inner = getattr(settings, name)
        if isinstance(inner, Settings):
            result |= {f"{name}.{field}": part for field, part in flattened(inner).items()}
        else:
            result[name] = value
    return result


def meanings(kind: type[Settings]) -> dict[str, str]:
    """Return the string below each field of a settings class and of the class that it extends."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    base = kind.__bases__[0]
    texts = meanings(base) if issubclass(base, Settings) else {}
    for field, text in itertools.pairwise(body.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(meaning))):
                texts[name] = inspect.cleandoc(meaning)
    return texts


def listed(text: str) -> list[str]:
    """Split a setting that is a list with commas into its items, without the blanks around them."""
    return [item.strip() for item in text.split(",") if item.strip()]
