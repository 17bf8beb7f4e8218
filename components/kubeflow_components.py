"""Lightweight components written from the stage table: typed artifacts in the signature, one line in the body.

Only lightweight components run both in a cluster and in `kfp.local`; the image holds the program, so that nothing is
installed and nothing inlined.
"""

import linecache
import re
from collections.abc import Callable, Sequence
from typing import Any

from kfp import dsl

from msm.pipeline.stages import PAYLOADS, STAGES

MODELS = ("model", "tokenizer")
"""Payloads that are a Model in the Kubeflow UI; everything else is a Dataset."""
STAGE = '''\
def {stage}({signature}) -> None:
    """{purpose}."""
    from msm.components import kubeflow_task; kubeflow_task.run("{stage}", name, settings, {{{reads}}}, out, {options})
'''
GET = '''\
def dvc_get_{lower}(name: str, pointer: str, remote: str, out: Output[{kind}]) -> None:
    """Fetch a folder that DVC tracks."""
    from msm.components import dvc_steps; dvc_steps.fetch(name, pointer, remote, out)
'''
PUT = '''\
def dvc_put_{lower}(path: str, remote: str, folder: Input[{kind}]) -> str:
    """Push a folder to the DVC remote; what comes back finds it again."""
    from msm.components import dvc_steps; return dvc_steps.store(path, remote, folder)
'''


def inputs(read: str, stage: str, count: int) -> list[str]:
    """Names of the inputs behind one read: the report alone reads many folders."""
    return [f"{read}_{number}" for number in range(count)] if stage == "report" else [read]


def component(stage: str, name: str, count: int, image: str) -> Any:
    """The component of a stage, written from the table.

    Args:
        stage: name in the table.
        name: of the task, FAMILY/ROW.
        count: how many score folders a report reads; any number for other stages.
        image: the project's image.
    """
    row = STAGES[stage]
    taken = {read: inputs(read, stage, count) for read in row.reads}
    parameters = [
        "name",
        "settings",
        "work",
        "published",
        *([] if row.reads else ["mirror"]),
        *(["launcher"] if row.gpus > 1 else []),
    ]
    extras = {"score": {"metrics": "Metrics"}, "report": {"summary": "Markdown"}}.get(stage, {})
    signature = [f"{name}: str" for name in parameters]
    signature += [f"{name}: Input[{kind_of(PAYLOADS[read])}]" for read, names in taken.items() for name in names]
    signature += [f"out: Output[{kind_of(row.payload)}]", *(f"{name}: Output[{kind}]" for name, kind in extras.items())]
    source = STAGE.format(
        stage=stage,
        signature=", ".join(signature),
        purpose=row.purpose[0].upper() + row.purpose[1:],
        reads=", ".join(f'"{read}": {_value(names, stage)}' for read, names in taken.items()),
        options=", ".join(f"{name}={name}" for name in [*parameters[2:], *extras]),
    )
    return _component(stage, name, source, image)


def getter(kind: str, name: str, image: str) -> Any:
    """The component that fetches a tracked Model or Dataset, FAMILY/ROW."""
    source = GET.format(kind=kind, lower=kind.lower())
    return _component(f"dvc_get_{kind.lower()}", f"dvc_get {name}", source, image)


def putter(kind: str, name: str, image: str) -> Any:
    """The component that pushes a Model or Dataset, FAMILY/ROW."""
    source = PUT.format(kind=kind, lower=kind.lower())
    return _component(f"dvc_put_{kind.lower()}", f"dvc_put {name}", source, image)


def kind_of(payload: str) -> str:
    """Kubeflow's type of a payload."""
    return "Model" if payload in MODELS else "Dataset"


def _value(names: Sequence[str], stage: str) -> str:
    return f"[{', '.join(names)}]" if stage == "report" else names[0]


def _component(function: str, name: str, source: str, image: str) -> Any:
    make = dsl.component(base_image=image, packages_to_install=[], install_kfp_package=False)
    made: Any = make(_function(function, source))
    # Kubeflow would number the tasks of one function, and its local cache goes by their names: a row named for itself
    # is found again by another pipeline.
    made.component_spec.name = re.sub("[^a-z0-9]+", "-", name.lower())
    return made


def _function(name: str, source: str) -> Callable[..., Any]:
    """A function whose source can be looked up, which is what Kubeflow ships to the pod."""
    file = f"<component {name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    scope: dict[str, Any] = {kind: getattr(dsl, kind) for kind in ("Input", "Output", "Dataset", "Model", "Metrics")}
    scope |= {"Markdown": dsl.Markdown, "__name__": __name__}
    exec(compile(source, file, "exec"), scope)
    return scope[name]
