"""`msm pipeline compile | run | submit NAME --recipe R`."""

import argparse
import re
import sys
import tempfile
from pathlib import Path

from components import kubeflow_local, kubeflow_pipeline, kubeflow_submit
from components.clusters import CLUSTERS, LAUNCHERS, WORK, TrainJobPlace, find_cluster
from components.kubeflow_pipeline import PIPELINES, Options
from msm import recipes
from msm.errors import BadInput

PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command line."""
    verbs = parser.add_subparsers(dest="action", required=True, metavar="compile | run | submit")
    for action, purpose in (
        ("compile", "write the pipeline for Kubeflow; the same recipe gives the same bytes"),
        ("run", "run it on this machine, without a cluster"),
        ("submit", "upload it to Kubeflow and start it"),
    ):
        own = verbs.add_parser(action, help=purpose, description=purpose)
        _add_selection(own)
        if action == "run":
            own.add_argument("--mirror", default="", metavar="DIR", help="local copy of the public files")
            own.add_argument("--root", type=Path, metavar="DIR", help="where artifacts go (work/RECIPE/pipeline)")
            continue
        _add_cluster(own)
        if action == "compile":
            own.add_argument("--out", type=Path, required=True, metavar="FILE")
        else:
            _add_server(own)


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name", choices=PIPELINES, help="; ".join(f"{name}: {text}" for name, text in PIPELINES.items())
    )
    parser.add_argument("--recipe", required=True, help="a file in recipes/, without .yaml; or a path")
    parser.add_argument(
        "--model", default="", help="for `benchmark`: the model; the last one of the recipe if not given"
    )


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", required=True, help="the project's image, by digest: NAME@sha256:...")
    parser.add_argument("--cluster", choices=CLUSTERS, default="a100", help="which overlay of manifests/ is installed")
    parser.add_argument("--queue", default="", help="Kueue LocalQueue, if not the overlay's")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="pod", help="who runs the stages with several GPUs")
    parser.add_argument("--nodes", type=int, default=1, help="nodes of a TrainJob")
    parser.add_argument("--namespace", default="msm", help="where the pipeline's pods run")


def _add_server(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", required=True, metavar="URL", help="of Kubeflow Pipelines")
    parser.add_argument("--experiment", default="msm", help="group of runs in the UI")
    parser.add_argument("--service-account", default="msm-pipeline", help="of the run's pods")
    parser.add_argument("--single-user", action="store_true", help="Kubeflow without profiles: send no namespace")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="bearer token, read anew for each request")
    parser.add_argument("--wait", action="store_true", help="follow the run and end by its outcome")
    parser.add_argument("--every", type=float, default=15.0, metavar="SECONDS", help="between two looks at the run")


def main(arguments: argparse.Namespace) -> None:
    """Compile, run or submit.

    Raises:
        BadInput: a wrong recipe, name or image.
        CommandError: a task or the server failed.
    """
    path = Path(arguments.recipe)
    if path.suffix != ".yaml":
        path = recipes.RECIPES / f"{arguments.recipe}.yaml"
    recipe = recipes.load(path)
    chosen = kubeflow_pipeline.select(arguments.name, recipes.tasks(recipe, str(path)), arguments.model)
    name = str(recipe["recipe"])
    if arguments.action == "run":
        work = Path("work", name).resolve()
        mirror = arguments.mirror or str(recipe["source"]["mirror"])
        options = Options(kubeflow_local.image(), str(work), mirror=str(Path(mirror).resolve()) if mirror else "")
        pipeline = kubeflow_pipeline.build(arguments.name, name, chosen, options)
        sys.stdout.write(f"{kubeflow_local.run(pipeline, arguments.root or work / 'pipeline')}\n")
        return
    pipeline = kubeflow_pipeline.build(arguments.name, name, chosen, _options(arguments, name))
    if arguments.action == "compile":
        kubeflow_pipeline.compile_to(pipeline, arguments.out)
        return
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "pipeline.yaml"
        kubeflow_pipeline.compile_to(pipeline, package)
        _submit(arguments, package)


def _options(arguments: argparse.Namespace, recipe: str) -> Options:
    if not PINNED.fullmatch(arguments.image):
        raise BadInput(f"--image must name a digest (NAME@sha256: and 64 hexadecimal digits), got {arguments.image!r}")
    cluster = find_cluster(arguments.cluster)
    cluster = cluster._replace(queue=arguments.queue or cluster.queue)
    launcher = ""
    if arguments.launcher == "trainjob":
        launcher = TrainJobPlace.of(cluster, arguments.namespace, arguments.nodes, arguments.image).as_json()
    return Options(
        arguments.image, f"{WORK}/scratch/{recipe}", f"{WORK}/artifacts/{recipe}", launcher=launcher, cluster=cluster
    )


def _submit(arguments: argparse.Namespace, package: Path) -> None:
    namespace = "" if arguments.single_user else arguments.namespace
    server = kubeflow_submit.Server(arguments.host, namespace, arguments.token_file)
    run_id = kubeflow_submit.submit(
        server, package, experiment=arguments.experiment, service_account=arguments.service_account
    )
    sys.stdout.write(f"{kubeflow_submit.address(server, run_id)}\n")
    if arguments.wait:
        kubeflow_submit.follow(server, run_id, every=arguments.every)
