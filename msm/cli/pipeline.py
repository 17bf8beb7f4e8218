"""`msm pipeline compile | run | submit NAME --recipe R`: renders a recipe as a Kubeflow pipeline, and runs it."""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from msm import tracking
from msm.cli import placement
from msm.cli.options import add_log, add_mirror, add_recipe
from msm.components import kubeflow_local, kubeflow_pipeline, kubeflow_submit
from msm.components.clusters import LAUNCHERS, WORK, TrainJobPlace, check_pinned, find_cluster
from msm.components.dvc_pointers import Pointer, default_remote, find_pointer
from msm.components.kubeflow_pipeline import PIPELINES, PipelineOptions
from msm.errors import BadInput
from msm.imports import entry
from msm.pipeline import recipes
from msm.pipeline.checks import check
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task, tasks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `msm pipeline`."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="compile | run | submit")
    for action, purpose in (
        ("compile", "write the compiled pipeline to a file; the same recipe gives the same bytes"),
        ("run", "run the pipeline on this machine, without a cluster"),
        ("submit", "upload the pipeline to Kubeflow and start a run of it"),
    ):
        verb = verbs.add_parser(action, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
        _add_selection(verb)
        add_log(verb)
        if action == "run":
            add_mirror(verb)
            verb.add_argument(
                "--root",
                type=Path,
                metavar="DIR",
                help="Folder that gets the artifacts. The default is work/RECIPE/pipeline.",
            )
            continue
        _add_cluster(verb)
        if action == "compile":
            verb.add_argument(
                "--out",
                type=Path,
                required=True,
                metavar="FILE",
                help="File that the compiled pipeline is written to, as YAML.",
            )
        else:
            _add_server(verb)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        choices=PIPELINES,
        help=f"Pipeline to render. {'; '.join(f'{name}: {text}' for name, text in PIPELINES.items())}.",
    )
    add_recipe(parser)
    parser.add_argument(
        "--model",
        default="",
        metavar="NAME",
        help="Name of a model of the recipe, for the pipeline benchmark. It is needed where the recipe has several.",
    )
    parser.add_argument(
        "--tracked",
        action="append",
        default=[],
        metavar="STAGE/ROW",
        help="Output that is taken from the DVC remote and not made again. The option may be repeated.",
    )
    parser.add_argument(
        "--remote", default="", metavar="URL", help="Address of the DVC remote. The default is the project's own."
    )
    parser.add_argument(
        "--parts",
        type=int,
        default=1,
        metavar="N",
        help="Number of pods that share the passages of each retrieval (default: 1).",
    )
    parser.add_argument("--push", action="store_true", help="Push fine-tuned models and score files to the remote.")


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    placement.add_arguments(parser)
    parser.add_argument(
        "--queue", default="", metavar="NAME", help="Name of the LocalQueue of Kueue. The default is the cluster's own."
    )
    parser.add_argument(
        "--launcher",
        choices=LAUNCHERS,
        default="pod",
        help="Kind of job that runs a stage with several GPUs (default: pod).",
    )
    parser.add_argument("--nodes", type=int, default=1, metavar="N", help="Number of nodes of a TrainJob (default: 1).")
    parser.add_argument(
        "--namespace", default="msm", metavar="NAME", help="Kubernetes namespace of the pipeline's pods (default: msm)."
    )
    parser.add_argument(
        "--tracking-uri",
        default="",
        metavar="URL",
        help="Address of the tracking server, as the pods reach it. --log mlflow needs it; --log wandb only where the "
        "server is not wandb.ai.",
    )


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", required=True, metavar="URL", help="Address of Kubeflow Pipelines.")
    parser.add_argument(
        "--experiment",
        default="msm",
        metavar="NAME",
        help="Name of the experiment under which the user interface lists the run (default: msm).",
    )
    parser.add_argument(
        "--service-account",
        default="msm-pipeline",
        metavar="NAME",
        help="Service account of the pods (default: msm-pipeline).",
    )
    parser.add_argument("--single-user", action="store_true", help="Send no namespace, for Kubeflow without profiles.")
    parser.add_argument(
        "--token-file", type=Path, metavar="FILE", help="File that holds the bearer token. It is read for each request."
    )
    parser.add_argument(
        "--wait", action="store_true", help="Wait for the end of the run, and fail where the run has failed."
    )
    parser.add_argument(
        "--every",
        type=float,
        default=15.0,
        metavar="S",
        help="Seconds between two requests for the state of the run (default: 15).",
    )


def main(arguments: argparse.Namespace) -> None:
    """Compile, run or submit the pipeline of a recipe.

    Raises:
        BadInput: the recipe, name or image is wrong, or a tracked output is not in the remote.
        CommandError: a task or the server failed.
    """
    if arguments.parts < 1:
        raise BadInput(f"--parts must be at least 1, got {arguments.parts}")
    path = recipes.find(arguments.recipe)
    recipe = recipes.load(path)
    name, root = str(recipe["recipe"]), Path()
    all_tasks = tasks(recipe, str(path))
    check(all_tasks, str(path))
    pointers = {out: find_pointer(out, root) for out in (f"artifacts/{name}/{row}" for row in arguments.tracked)}
    selection = kubeflow_pipeline.select(arguments.name, all_tasks, arguments.model, pointers)
    options = _here(arguments, recipe) if arguments.action == "run" else _options(arguments, name, selection)
    if options.cluster and not options.cluster.gpus:
        new_tasks = [task for task in selection if task.out not in pointers]
        check(all_tasks, str(path), options.cluster.memory_gib << 30, new_tasks)
    remote = arguments.remote or default_remote(root)
    options = options._replace(pointers=pointers, remote=remote, push=arguments.push, parts=arguments.parts)
    options = options._replace(log=arguments.log)
    if options.cluster and (pointers or options.push):
        _check_reachable(remote)
    pipeline = kubeflow_pipeline.build(arguments.name, name, selection, options)
    if arguments.action == "run":
        sys.stdout.write(f"{kubeflow_local.run(pipeline, arguments.root or Path('work', name, 'pipeline'))}\n")
    elif arguments.action == "compile":
        kubeflow_pipeline.compile_to(pipeline, arguments.out)
    else:
        for pointer in pointers.values():
            _check_pushed(pointer, remote, root)
        with tempfile.TemporaryDirectory() as folder:
            package = Path(folder) / "pipeline.yaml"
            kubeflow_pipeline.compile_to(pipeline, package)
            _submit(arguments, package)


def _here(arguments: argparse.Namespace, recipe: dict[str, Any]) -> PipelineOptions:
    mirror = arguments.mirror
    work = Path("work", str(recipe["recipe"])).resolve()
    return PipelineOptions(kubeflow_local.image(), str(work), mirror=str(Path(mirror).resolve()) if mirror else "")


def _options(arguments: argparse.Namespace, recipe: str, tasks: Sequence[Task]) -> PipelineOptions:
    check_pinned(arguments.image)
    log, address = arguments.log, arguments.tracking_uri
    if bool(address) > (log in tracking.ADDRESSES) or (log == "mlflow" and not address):
        raise BadInput(f"--tracking-uri is for --log mlflow, which needs it, and wandb; got {address!r} with {log!r}")
    if arguments.nodes < 1 or (arguments.nodes > 1 and arguments.launcher != "trainjob"):
        raise BadInput(f"--nodes must be 1, or more with --launcher trainjob, got {arguments.nodes}")
    cluster = find_cluster(arguments.cluster)
    cluster = cluster._replace(queue=arguments.queue or cluster.queue)
    launcher = ""
    if arguments.launcher == "trainjob":
        place = TrainJobPlace.of(cluster, arguments.namespace, arguments.nodes, arguments.image)
        _check_nodes(tasks, place)
        launcher = place.as_json()
    return PipelineOptions(
        arguments.image, f"{WORK}/scratch/{recipe}", f"{WORK}/artifacts/{recipe}", launcher=launcher, cluster=cluster
    )


def _check_nodes(tasks: Sequence[Task], place: TrainJobPlace) -> None:
    """Check that some task can use all nodes that were asked for."""
    most = max((place.shared_by(task.settings).nodes for task in tasks if STAGES[task.stage].gpus > 1), default=1)
    if most < place.nodes:
        raise BadInput(f"--nodes {place.nodes}: no training of the recipe can use more than {most}")


def _check_reachable(remote: str) -> None:
    if "://" not in remote and not remote.startswith(f"{WORK}/"):
        raise BadInput(f"the DVC remote {remote} is a folder here, which no pod sees; give --remote s3://BUCKET/FOLDER")


def _check_pushed(pointer: Pointer, remote: str, root: Path) -> None:
    files = entry("msm.components.dvc_steps:unpushed")(pointer, remote, root / ".dvc" / "cache")
    if files:
        raise BadInput(f"{pointer.path}: {len(files)} files are not in {remote}; run `dvc push` first")


def _submit(arguments: argparse.Namespace, package: Path) -> None:
    namespace = "" if arguments.single_user else arguments.namespace
    server = kubeflow_submit.Server(arguments.host, namespace, arguments.token_file)
    run_id = kubeflow_submit.submit(
        server, package, experiment=arguments.experiment, service_account=arguments.service_account
    )
    sys.stdout.write(f"{kubeflow_submit.address(server, run_id)}\n")
    if arguments.wait:
        kubeflow_submit.follow(server, run_id, every=arguments.every)
