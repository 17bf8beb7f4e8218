"""Components of Kubeflow Pipelines: from sources to token shards, one for each stage of the table.

Kubeflow ships the text of a function to its pod, alone: hence the import inside, of the program in the image. Nothing
is installed. A test holds signatures and calls to the stage table.
"""

from functools import partial

from kfp.dsl import Dataset, Input, Model, Output, component

stage = partial(component, base_image="msm", packages_to_install=[], install_kfp_package=False)


@stage()
def download(
    name: str,
    settings: str,
    work: str,
    published: str,
    mirror: str,
    out: Output[Dataset],
) -> None:
    """Fetch public data and verify it by checksum.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        mirror: Folder with a copy of the public files; empty to download them.

    Returns:
        out: The downloaded files.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("download", name, settings, {}, out, work=work, published=published, mirror=mirror)


@stage()
def world(
    name: str,
    settings: str,
    work: str,
    published: str,
    mirror: str,
    out: Output[Dataset],
) -> None:
    """Make texts, questions and judgements in constructed languages.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        mirror: Folder with a copy of the public files; empty to download them.

    Returns:
        out: Documents, questions and judgements in the constructed languages.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("world", name, settings, {}, out, work=work, published=published, mirror=mirror)


@stage()
def documents(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    out: Output[Dataset],
) -> None:
    """Turn any source into documents of ordered sentences.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.

    Returns:
        out: Documents of ordered sentences, one JSON Lines file for each language.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("documents", name, settings, {"sources": sources}, out, work=work, published=published)


@stage()
def tokenizer(
    name: str,
    settings: str,
    work: str,
    published: str,
    documents: Input[Dataset],
    out: Output[Model],
) -> None:
    """Take a public vocabulary, or train one on the documents.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        documents: Documents of ordered sentences, one JSON Lines file for each language.

    Returns:
        out: The tokenizer.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run("tokenizer", name, settings, {"documents": documents}, out, work=work, published=published)


@stage()
def units(
    name: str,
    settings: str,
    work: str,
    published: str,
    documents: Input[Dataset],
    tokenizer: Input[Model],
    out: Output[Dataset],
) -> None:
    """Pack sentences into units of token ids.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        documents: Documents of ordered sentences, one JSON Lines file for each language.
        tokenizer: Tokenizer of the model, with its vocabulary.

    Returns:
        out: Token shards of every language.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "units", name, settings, {"documents": documents, "tokenizer": tokenizer}, out, work=work, published=published
    )


@stage()
def pairs(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    tokenizer: Input[Model],
    out: Output[Dataset],
) -> None:
    """Pack parallel sentences into token ids.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.
        tokenizer: Tokenizer of the model, with its vocabulary.

    Returns:
        out: Token ids of parallel sentences.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "pairs", name, settings, {"sources": sources, "tokenizer": tokenizer}, out, work=work, published=published
    )


@stage()
def teach(
    name: str,
    settings: str,
    work: str,
    published: str,
    sources: Input[Dataset],
    tokenizer: Input[Model],
    model: Input[Model],
    out: Output[Dataset],
) -> None:
    """Pack parallel sentences into token ids, with the vectors that a teacher gives them.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        settings: Settings of the stage, as a JSON object.
        work: Folder for checkpoints and scratch files, on a volume that outlives the pod.
        published: Folder that gets a copy of the results for the dashboard; empty for none.
        sources: Downloaded or constructed files of benchmarks and corpora.
        tokenizer: Tokenizer of the model, with its vocabulary.
        model: Teacher that gives the vectors.

    Returns:
        out: Token ids of parallel sentences, with the teacher's vectors.
    """
    from msm.components import kubeflow_task

    kubeflow_task.run(
        "teach",
        name,
        settings,
        {"sources": sources, "tokenizer": tokenizer, "model": model},
        out,
        work=work,
        published=published,
    )
