"""Components of Kubeflow Pipelines: from start weights to scores, one for each stage of the table.

Kubeflow ships the text of a function to its pod, alone: hence the import inside, of the program in the image. Nothing
is installed. A test holds signatures and calls to the stage table.
"""

from functools import partial

from kfp.dsl import Dataset, Input, Metrics, Model, Output, component

stage = partial(component, base_image="msm", packages_to_install=[], install_kfp_package=False)


@stage()
def encoder(
    name: str,
    settings: str,
    work: str,
    published: str,
    tokenizer: Input[Model],
    out: Output[Model],
) -> None:
    """Make the start weights of the encoder.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        tokenizer: Tokenizer of the model, with its vocabulary.

    Returns:
        out: The encoder with its start weights.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("encoder", name, settings, {"tokenizer": tokenizer}, out, work=work, published=published)


@stage()
def pretrain(
    name: str,
    settings: str,
    work: str,
    published: str,
    log: str,
    launcher: str,
    units: Input[Dataset],
    weights: Input[Model],
    out: Output[Model],
) -> None:
    """Pre-train an encoder with a masked sentence model or a control.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        log: Tool that shows losses and scores: tensorboard, mlflow or wandb; empty for none.
        launcher: Nodes and resources of a TrainJob that runs the stage, as JSON; empty to use this task's pod.
        units: Token shards to train on.
        weights: Weights to start from.

    Returns:
        out: The pre-trained encoder.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "pretrain",
        name,
        settings,
        {"units": units, "weights": weights},
        out,
        work=work,
        published=published,
        log=log,
        launcher=launcher,
    )


@stage()
def finetune(
    name: str,
    settings: str,
    work: str,
    published: str,
    log: str,
    launcher: str,
    sources: Input[Dataset],
    weights: Input[Model],
    out: Output[Model],
) -> None:
    """Fine-tune a bi-encoder on questions and their passages.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        log: Tool that shows losses and scores: tensorboard, mlflow or wandb; empty for none.
        launcher: Nodes and resources of a TrainJob that runs the stage, as JSON; empty to use this task's pod.
        sources: Downloaded or constructed files of benchmarks and corpora.
        weights: Weights to start from.

    Returns:
        out: The sentence encoder.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "finetune",
        name,
        settings,
        {"sources": sources, "weights": weights},
        out,
        work=work,
        published=published,
        log=log,
        launcher=launcher,
    )


@stage()
def mine(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    model: Input[Model],
    out: Output[Dataset],
) -> None:
    """Mine hard negatives for a next round of fine-tuning.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.
        model: Model whose mistakes become negatives.

    Returns:
        out: The training questions with their mined negatives.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("mine", name, settings, {"sources": sources, "model": model}, out, work=work, published=published)


@stage()
def retrieve(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    model: Input[Model],
    out: Output[Dataset],
) -> None:
    """Encode questions and passages, search, and write runs.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.
        model: Sentence encoder that searches.

    Returns:
        out: Ranked passages for every question, with their scores, as TREC runs.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "retrieve", name, settings, {"sources": sources, "model": model}, out, work=work, published=published
    )


@stage()
def retrieve_part(
    name: str,
    settings: str,
    work: str,
    part: str,
    sources: Input[Dataset],
    model: Input[Model],
) -> None:
    """Encode and search a part of the passages, for the task that joins the parts.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        part: Number of the part, counted from 1, and number of all parts, such as 1/4.
        sources: Downloaded or constructed files of benchmarks and corpora.
        model: Sentence encoder that searches.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run_part("retrieve", name, settings, {"sources": sources, "model": model}, part, work=work)


@stage()
def lexical(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    out: Output[Dataset],
) -> None:
    """Search with BM25 and write runs.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.

    Returns:
        out: Ranked passages for every question, with their scores, as TREC runs.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("lexical", name, settings, {"sources": sources}, out, work=work, published=published)


@stage()
def fuse(
    name: str,
    settings: str,
    work: str,
    published: str,
    dense: Input[Dataset],
    sparse: Input[Dataset],
    out: Output[Dataset],
) -> None:
    """Join the runs of an encoder and of BM25, for the same questions, to one.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        dense: Runs that a sentence encoder ranked.
        sparse: Runs that BM25 ranked.

    Returns:
        out: The fused runs.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("fuse", name, settings, {"dense": dense, "sparse": sparse}, out, work=work, published=published)


@stage()
def score(
    name: str,
    settings: str,
    work: str,
    published: str,
    log: str,
    sources: Input[Dataset],
    run: Input[Dataset],
    out: Output[Dataset],
    metrics: Output[Metrics],
) -> None:
    """Score ranked passages by the judgements of a benchmark.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        log: Tool that shows losses and scores: tensorboard, mlflow or wandb; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.
        run: Ranked passages for every question, as TREC runs.

    Returns:
        out: Scores by question, language and pool.
        metrics: Values of the measures, from 0 to 1: the mean over the languages, and that of every language.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "score",
        name,
        settings,
        {"sources": sources, "run": run},
        out,
        work=work,
        published=published,
        log=log,
        metrics=metrics,
    )
