"""Tries the objects of `manifests/` and of the commands on an API server, for `make rehearse KUBECONFIG=FILE`.

Every object of every overlay and of the Jobs is sent as a server-side dry run into a scratch namespace, so that the
server's own validation, defaults and webhooks (Kueue's, Trainer's) judge it; the roles alone are really made there, and
asked about by impersonation. The namespace is deleted at the end, and nothing else is changed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from msm.components.clusters import CLUSTERS, TrainJobPlace
from msm.components.corpus_job import CorpusPlan, config_map
from msm.components.corpus_job import indexed_job as corpus_job
from msm.components.stage_job import stage_job
from msm.components.trainjob import job_name, train_job
from msm.components.units_job import UnitsPlan, settings_of
from msm.components.units_job import indexed_job as units_job
from msm.components.volume_job import volume_job
from msm.errors import BadInput, CommandError

IMAGE = f"registry.example.org/msm@sha256:{'0' * 64}"
RIGHTS = ("ServiceAccount", "Role", "RoleBinding")
REFUSED = (
    ("msm-pipeline", "list", "secrets", ""),
    ("msm-pipeline", "delete", "pods", ""),
    ("msm-pipeline", "get", "nodes", ""),
    ("msm-stage", "create", "trainjobs", "trainer.kubeflow.org"),
    ("msm-stage", "list", "pods", ""),
    ("msm-dashboard", "get", "configmaps", ""),
)
"""Rights that no role may grant: account, verb, resource, and the resource's API group."""


class Refused(CommandError):
    """The server refuses an object, or grants a right that it must not grant."""


class Kubectl:
    """Calls kubectl with one kubeconfig."""

    def __init__(self, config: Path) -> None:
        self.environment = os.environ | {"KUBECONFIG": str(config)}
        self._kinds: dict[str, set[str]] = {}

    def __call__(self, *words: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run kubectl, whatever its exit code is."""
        command = ["kubectl", "--request-timeout=30s", *words]
        return subprocess.run(
            command, env=self.environment, input=text, capture_output=True, text=True, check=False, timeout=120
        )

    def must(self, *words: str, text: str = "") -> str:
        """Run kubectl, and return its output.

        Raises:
            BadInput: kubectl fails; the message is its last line.
        """
        run = self(*words, text=text)
        if run.returncode:
            raise BadInput(f"kubectl {words[0]}: {_last_line(run.stderr)}")
        return run.stdout

    def kinds(self, version: str) -> set[str]:
        """Return the kinds of objects in an API version of the cluster; the cluster is asked once."""
        if version not in self._kinds:
            run = self("get", "--raw", f"/apis/{version}" if "/" in version else f"/api/{version}")
            resources = [] if run.returncode else json.loads(run.stdout)["resources"]
            self._kinds[version] = {each["kind"] for each in resources}
        return self._kinds[version]


def rehearse(kubectl: Kubectl, manifests: Path, recipes: Path) -> tuple[int, list[str]]:
    """Try all objects and roles in a scratch namespace.

    Returns:
        Number of objects and rights that are as they must be, and the problems.
    """
    right, problems, absent_kinds = 0, [], set()
    with scratch_namespace(kubectl) as namespace:
        for name in CLUSTERS:
            for thing in [*overlay(kubectl, manifests, name, namespace), *jobs(name, namespace, recipes)]:
                if thing["kind"] not in kubectl.kinds(thing["apiVersion"]):
                    absent_kinds.add(f"{thing['kind']} ({thing['apiVersion']})")
                elif (problem := dry_run(kubectl, thing, namespace)) is None:
                    right += 1
                else:
                    problems.append(f"{name}: {thing['kind']} {thing['metadata']['name']}: {problem}")
        for kind in sorted(absent_kinds):
            sys.stdout.write(f"not tried, the cluster has no such kind: {kind}\n")
        answers = list(rights(kubectl, overlay(kubectl, manifests, "a100", namespace), namespace))
    problems += [problem for problem in answers if problem]
    return right + answers.count(""), problems


@contextmanager
def scratch_namespace(kubectl: Kubectl) -> Iterator[str]:
    """Make a namespace as docs/cluster.md does, and delete it at the end."""
    name = f"msm-rehearsal-{os.getpid()}"
    kubectl.must("create", "namespace", name)
    try:
        levels = [f"pod-security.kubernetes.io/{mode}" for mode in ("enforce=baseline", "warn=restricted")]
        kubectl.must("label", "namespace", name, *levels)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false")


def overlay(kubectl: Kubectl, manifests: Path, name: str, namespace: str) -> list[dict[str, Any]]:
    """Return the objects of an overlay, moved to another namespace."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "manifests"
        shutil.copytree(manifests, copy)
        path = copy / "overlays" / name / "kustomization.yaml"
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        path.write_text(yaml.safe_dump(values | {"namespace": namespace}), encoding="utf-8")
        return list(yaml.safe_load_all(kubectl.must("kustomize", str(path.parent))))


def jobs(name: str, namespace: str, recipes: Path) -> list[dict[str, Any]]:
    """Return the Jobs that the commands write for a cluster, and a TrainJob."""
    cluster = CLUSTERS[name]
    crawl = CorpusPlan(recipes / "corpus" / "common_crawl.yaml", "s3://bucket/corpus", "/work/t", 2, cluster, IMAGE)
    units = UnitsPlan(settings_of(recipes / "tiny.yaml"), "/work/d", "/work/t", "/work/u", 2, cluster, IMAGE)
    words = ["msm", "run", "pretrain", "--gpus", "8"]
    place = TrainJobPlace.of(cluster, namespace, 1, IMAGE)
    training = train_job(place, job_name("pretrain", words, IMAGE), words, 3600, None)
    stage = stage_job(["tokenizer", "--out", "/work/t"], cluster, IMAGE)
    fresh = [volume_job(cluster, IMAGE)] if cluster.run_as_user is not None else []
    return [config_map(crawl), corpus_job(crawl), units_job(units), stage, training, *fresh]


def dry_run(kubectl: Kubectl, thing: dict[str, Any], namespace: str) -> str | None:
    """Return the server's message if it refuses an object, else None."""
    words = ["apply", "--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict", "-f", "-"]
    run = kubectl(*words, "--namespace", namespace, text=json.dumps(thing))
    return _last_line(run.stderr) if run.returncode else None


def rights(kubectl: Kubectl, objects: list[dict[str, Any]], namespace: str) -> Iterator[str]:
    """Make the roles, and test rights that they must or must not grant; yield a problem or an empty text for each."""
    roles = [thing for thing in objects if thing["kind"] in RIGHTS]
    kubectl.must("apply", "--server-side", "-f", "-", text=yaml.safe_dump_all(roles))
    for role in roles:
        for rule in role.get("rules", []):
            for verb in rule["verbs"]:
                for resource in rule["resources"]:
                    plain, _, part = resource.partition("/")
                    action = {"verb": verb, "group": rule["apiGroups"][0], "resource": plain, "subresource": part}
                    action["name"] = rule.get("resourceNames", [""])[0]
                    yield _answer(kubectl, namespace, "msm-pipeline", action, is_allowed=True)
    for account, verb, resource, group in REFUSED:
        action = {"verb": verb, "resource": resource, "group": group}
        yield _answer(kubectl, namespace, account, action, is_allowed=False)


def _answer(kubectl: Kubectl, namespace: str, account: str, action: dict[str, str], *, is_allowed: bool) -> str:
    """Return the problem with a right of an account; an empty text if there is none."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": namespace, **action}},
    }
    user = f"--as=system:serviceaccount:{namespace}:{account}"
    answer = json.loads(
        kubectl.must("create", "--validate=ignore", "-o", "json", "-f", "-", user, text=json.dumps(review))
    )
    if answer["status"].get("allowed", False) is is_allowed:
        return ""
    return f"{account} {'may not' if is_allowed else 'may'} {action['verb']} {action['resource']}"


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "failed without a word"


def main() -> None:
    """Try all objects and roles, and print the result."""
    parser = argparse.ArgumentParser(prog="rehearse", description="Try the manifests on an API server.")
    parser.add_argument("kubeconfig", type=Path, help="of a cluster in which you may make namespaces and roles")
    arguments = parser.parse_args()
    try:
        if not arguments.kubeconfig.is_file():
            raise BadInput(f"{arguments.kubeconfig}: no such file")
        if shutil.which("kubectl") is None:
            raise BadInput("kubectl is not installed")
        right, problems = rehearse(Kubectl(arguments.kubeconfig), Path("manifests"), Path("recipes"))
        if problems:
            raise Refused("\n  ".join([f"{len(problems)} problems:", *problems]))
    except CommandError as error:
        sys.stderr.write(f"rehearse: {error}\n")
        sys.exit(error.exit_code)
    sys.stdout.write(f"{right} objects and rights are as they should be\n")


if __name__ == "__main__":
    main()
