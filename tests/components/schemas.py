"""Objects checked against the OpenAPI dumps of a live API server, strictly: an unknown field is a problem."""

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PYTHON = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


class Schemas:
    """What the API server knows of every kind."""

    def __init__(self, folder: Path) -> None:
        self.named: dict[str, Any] = {}
        self.kinds: dict[tuple[str, str], dict[str, Any]] = {}
        for path in sorted(folder.glob("*.json.gz")):
            schemas = json.loads(gzip.decompress(path.read_bytes()))["components"]["schemas"]
            self.named |= {f"{path.name}#{name}": schema for name, schema in schemas.items()}
            for schema in schemas.values():
                for kind in schema.get("x-kubernetes-group-version-kind", []):
                    version = f"{kind['group']}/{kind['version']}".lstrip("/")
                    self.kinds.setdefault((version, kind["kind"]), {"file": path.name, "schema": schema})

    def knows(self, thing: Mapping[str, Any]) -> bool:
        """Whether there is a schema for this kind of object."""
        return (thing["apiVersion"], thing["kind"]) in self.kinds

    def problems(self, thing: Mapping[str, Any]) -> list[str]:
        """What is wrong with an object."""
        schema = self.kinds[thing["apiVersion"], thing["kind"]]
        return list(self._check(thing, schema["schema"], schema["file"], thing["kind"]))

    def _check(self, value: Any, schema: dict[str, Any], file: str, where: str) -> Iterator[str]:
        if "allOf" in schema and len(schema["allOf"]) == 1:
            schema = schema["allOf"][0]
        if "$ref" in schema:
            schema = self.named[f"{file}#{schema['$ref'].rsplit('/', 1)[1]}"]
            yield from self._check(value, schema, file, where)
            return
        loose = schema.get("x-kubernetes-int-or-string") or schema.get("format") in ("int-or-string", "quantity")
        if loose or "oneOf" in schema or "type" not in schema:
            return
        kinds = PYTHON[schema["type"]]
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            yield f"{where}: {value!r} is no {schema['type']}"
            return
        yield from _plain(value, schema, where)
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from self._check(item, schema.get("items", {}), file, f"{where}[{number}]")
        if isinstance(value, dict):
            yield from self._fields(value, schema, file, where)

    def _fields(self, value: dict[str, Any], schema: dict[str, Any], file: str, where: str) -> Iterator[str]:
        properties = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for name in schema.get("required", []):
            if name not in value:
                yield f"{where}: {name} is missing"
        for name, item in value.items():
            if name in properties:
                yield from self._check(item, properties[name], file, f"{where}.{name}")
            elif isinstance(others, dict):
                yield from self._check(item, others, file, f"{where}.{name}")
            elif properties and not schema.get("x-kubernetes-preserve-unknown-fields"):
                yield f"{where}: unknown field {name}"


def _plain(value: Any, schema: dict[str, Any], where: str) -> Iterator[str]:
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is none of {schema['enum']}"
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, str | list) and not (
        schema.get("minLength", schema.get("minItems", 0))
        <= len(value)
        <= schema.get("maxLength", schema.get("maxItems", 1 << 60))
    ):
        yield f"{where}: length {len(value)} is out of range"
    if isinstance(value, int | float) and not (
        schema.get("minimum", float("-inf")) <= value <= schema.get("maximum", float("inf"))
    ):
        yield f"{where}: {value} is out of range"
