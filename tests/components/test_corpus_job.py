"""A corpus in a cluster: the Job and the pipeline run the words that make the corpus here."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from msm.cli.corpus import add_arguments
from msm.cli.main import main
from msm.components.clusters import A100, CLUSTERS
from msm.components.corpus_job import STEPS, CorpusPlan, config_map, indexed_job, pipeline, steps
from msm.components.kubeflow_pipeline import compile_to
from msm.corpora.crawl import steps as crawl_steps
from msm.corpora.crawl.settings import read_recipe, to_recipe
from msm.corpora.crawl.state import CrawlState
from tests.components.schemas import Schemas

RECIPE = Path(__file__).parents[2] / "recipes" / "corpus" / "common_crawl.yaml"
IMAGE = "registry.example.org/msm@sha256:" + "0" * 64
PLAN = CorpusPlan(RECIPE, "s3://corpora/cc-108", "/work/corpus/tokenizer", 3, A100, IMAGE)


def parsed(words: list[str]) -> dict[str, Any]:
    assert words[:2] == ["msm", "corpus"]
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return vars(parser.parse_args(words[2:]))


@pytest.mark.parametrize("name", CLUSTERS)
def test_the_job_is_valid_and_all_of_its_pods_run_at_once(name: str, schemas: Schemas) -> None:
    plan = PLAN._replace(cluster=CLUSTERS[name])
    job = indexed_job(plan)
    assert [problem for thing in (config_map(plan), job) for problem in schemas.problems(thing)] == []
    spec = job["spec"]
    assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 3, 3)
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == plan.cluster.queue
    pod = spec["template"]["spec"]
    assert ("runAsUser" in pod["securityContext"]) == (plan.cluster.run_as_user is not None)
    (container,) = pod["containers"]
    assert container["env"][0]["name"] == "INDEX" and "$(INDEX)" in container["args"]
    assert int(container["resources"]["limits"]["cpu"]) * 3 == int(
        container["args"][container["args"].index("--tasks") + 1]
    )


def test_pods_together_do_every_task_once() -> None:
    (container,) = indexed_job(PLAN)["spec"]["template"]["spec"]["containers"]
    numbers: list[int] = []
    for index in range(PLAN.pods):
        arguments = parsed([word.replace("$(INDEX)", str(index)) for word in container["command"] + container["args"]])
        assert (arguments["out"], arguments["tokenizer"]) == (PLAN.out, PLAN.tokenizer)
        numbers += range(arguments["pod"] * arguments["local_tasks"], (arguments["pod"] + 1) * arguments["local_tasks"])
    assert numbers == list(range(arguments["tasks"]))


def test_pods_read_the_recipe_as_it_is() -> None:
    (text,) = config_map(PLAN)["data"].values()
    assert to_recipe(yaml.safe_load(text), "map").fingerprint() == read_recipe(RECIPE).fingerprint()


@pytest.mark.parametrize("names", [(), ("paragraph_duplicates",), ("paragraph_duplicates", "near_duplicates")])
def test_the_steps_are_those_of_the_command(names: tuple[str, ...], tmp_path: Path) -> None:
    values = yaml.safe_load(RECIPE.read_text())
    values["corpus"] |= dict.fromkeys(names, "keep")
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(values))
    state = CrawlState(read_recipe(path), tmp_path, "out", "")
    assert steps(PLAN._replace(recipe=path)) == [step.name for step in crawl_steps.steps_of(state)]
    assert list(STEPS) == [step.name for step in crawl_steps.STEPS]


def test_the_pipeline_runs_the_same_words_step_by_step(tmp_path: Path) -> None:
    compile_to(pipeline(PLAN), tmp_path / "pipeline.yaml")
    spec, platform = yaml.safe_load_all((tmp_path / "pipeline.yaml").read_text())
    tasks = spec["root"]["dag"]["tasks"]
    runs = {name: spec["deploymentSpec"]["executors"][f"exec-{name}"]["container"] for name in tasks}
    (container,) = indexed_job(PLAN)["spec"]["template"]["spec"]["containers"]
    as_job = parsed([word.replace("$(INDEX)", "0") for word in container["command"] + container["args"]])
    del as_job["pod"]
    order = []
    for name, run in runs.items():
        arguments = parsed(run["command"] + run["args"])
        order.append((arguments["step"], arguments["pod"]))
        expected = as_job | {"step": arguments["step"], "pod": arguments["pod"], "manifest": arguments["manifest"]}
        assert arguments == expected
        assert (arguments["manifest"] is not None) == (arguments["step"] == "manifest")
        # A step starts when all pods have done the one before.
        place = STEPS.index(arguments["step"])
        before = [other for other in tasks if other.rsplit("-", 1)[0] == STEPS[place - 1]] if place else []
        assert sorted(tasks[name].get("dependentTasks", [])) == sorted(before)
    alone = {"choose", "plan", "manifest"}
    assert sorted(order) == sorted((s, pod) for s in STEPS for pod in range(1 if s in alone else 3))
    pods = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert all("configMapAsVolume" in pod and "pvcMount" in pod for pod in pods.values())
    assert json.dumps(spec["root"]["outputDefinitions"]).count("system.Dataset") == 1


def test_the_command_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["corpus-job", str(RECIPE), "--out", PLAN.out, "--image", IMAGE]
    main([*words, "--pods", "2", "--job", str(tmp_path / "job.yaml"), "--pipeline", str(tmp_path / "pipeline.yaml")])
    kinds = [thing["kind"] for thing in yaml.safe_load_all((tmp_path / "job.yaml").read_text())]
    assert kinds == ["ConfigMap", "Job"]
    for wrong, message in (
        (["--pods", "0"], "--pods must be at least 1"),
        (["--pods", "1"], "needs --job or --pipel"),
        (["--pods", "1", "--job", str(tmp_path / "x"), "--image", "msm:latest"], "must name a digest"),
        (["--pods", "1", "--job", str(tmp_path / "x"), "--cluster", "moon"], "unknown cluster 'moon'"),
    ):
        with pytest.raises(SystemExit):
            main([*words, *wrong])
        assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
