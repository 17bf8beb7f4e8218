"""Imports point one way, at the top of the file, and never in a circle."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for name in ("msm", "components", "dashboards") for path in (ROOT / name).rglob("*.py"))
LAYERS = [
    {
        *("msm", "msm.errors", "msm.settings", "msm.progress", "msm.execution", "msm.files", "msm.imports"),
        *("msm.stopping", "msm.version"),
    },
    {"msm.pipeline.artifacts", "msm.pipeline.manifests", "msm.collections.records", "msm.losses", "msm.distributed"},
    {"msm.examples", "msm.checkpoints", "msm.earlier_states", "msm.training", "msm.tracking"},
    {"msm.corpora"},
    {"msm.encoders", "msm.collections"},
    {"msm.retrieval", "msm.evaluation"},
    {"msm.pretraining", "msm.finetuning"},
    {"msm.reporting"},
    {"msm.pipeline", "msm.bench"},
    {"msm.verbs"},
    {"msm.components", "msm.dashboards", "msm.cli", "msm.__main__"},
]
STRANGERS = {"msm.evaluation", "msm.retrieval"}
"""Rooms of one layer that do not import each other."""
LAUNCHERS = {"kfp", "torchx", "dvc", "streamlit", "pandas"}
FORBIDDEN = {"msm.components": {"streamlit", "pandas"}, "msm.dashboards": {"torch", "transformers", "kfp", "dvc"}}
"""Room to packages that it does not import; other rooms import no launcher and no dashboard."""


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    # `components` and `dashboards` stand at the top and are imported from `msm`.
    return ".".join(parts if parts[0] == "msm" else ("msm", *parts)).removesuffix(".__init__")


def imports(path: Path) -> set[str]:
    modules = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{name.name}" for name in node.names}
            modules |= names & MODULES or {node.module}
        elif isinstance(node, ast.Import):
            modules |= {name.name for name in node.names}
    return modules


def layer(name: str) -> int:
    """Number of a module's layer; a module without one is an error."""
    parts = name.split(".")
    prefixes = [".".join(parts[:length]) for length in range(len(parts), 1, -1)] or [name]
    return next(number for prefix in prefixes for number, names in enumerate(LAYERS) if prefix in names)


MODULES = {module(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_point_down(path: Path) -> None:
    own_layer = layer(module(path))
    for name in imports(path) & MODULES:
        assert layer(name) <= own_layer, f"{module(path)} imports {name}"
    room = ".".join(module(path).split(".")[:2])
    if room in STRANGERS:
        assert not {name for name in imports(path) if name.startswith(tuple(STRANGERS - {room}))}, module(path)
    assert not {name.split(".")[0] for name in imports(path)} & FORBIDDEN.get(room, LAUNCHERS)


SHIPPED = {"kubeflow_data.py", "kubeflow_models.py", "kubeflow_dvc.py"}
"""Components, whose functions Kubeflow ships to their pods one by one, without what stands above them."""


@pytest.mark.parametrize("path", [path for path in FILES if path.name not in SHIPPED], ids=module)
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) and node.col_offset]
    assert not inner, f"{path}:{inner[0].lineno}"


def test_there_is_no_circle() -> None:
    graph = {module(path): imports(path) & MODULES for path in FILES}
    visited_modules: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in visited_modules:
            for following in graph[name] - {name.rsplit(".", 1)[0], "msm"}:
                visit(following, (*trail, name))
            visited_modules.add(name)

    for name in graph:
        visit(name, ())


BY_NAME = {"msm/__init__.py", "msm/imports.py", "msm/bench/peer_process.py"}
"""Files that may import by name. The last one runs in an environment of other projects, without this one."""


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_by_name_stand_in_one_place(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Attribute)]
    by_name = [node.lineno for node in calls if node.attr == "import_module"]
    assert not by_name or str(path.relative_to(ROOT)) in BY_NAME, f"{path}:{by_name[:1]}"


LONGEST_CHAIN = 12
"""Number of modules in the longest chain of imports, from `msm.errors` to the verb on the command line."""


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("test_*.py")), ids=lambda path: path.stem)
def test_tests_import_no_test(path: Path) -> None:
    assert not [name for name in imports(path) if ".test_" in name]


def test_chains_of_imports_are_short() -> None:
    graph = {module(path): imports(path) & MODULES for path in FILES}
    chains: dict[str, tuple[str, ...]] = {}

    def chain(name: str) -> tuple[str, ...]:
        if name not in chains:
            below = graph[name] - {name.rsplit(".", 1)[0], "msm", name}
            chains[name] = (name, *max((chain(following) for following in below), key=len, default=()))
        return chains[name]

    longest = max((chain(name) for name in graph), key=len)
    assert len(longest) <= LONGEST_CHAIN, " -> ".join(longest)
