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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        mirror: Folder with copies of the public files; empty for the network.

    Returns:
        out: The files.
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
    """Tell a small world in constructed languages.

    Args:
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        mirror: Folder with copies of the public files; empty for the network.

    Returns:
        out: The world's files.
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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        sources: Files of a benchmark or corpus.

    Returns:
        out: The documents.
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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        documents: Documents, a sentence a line.

    Returns:
        out: The vocabulary.
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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        documents: Documents, a sentence a line.
        tokenizer: Vocabulary of the model.

    Returns:
        out: The token shards.
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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        sources: Files of a benchmark or corpus.
        tokenizer: Vocabulary of the model.

    Returns:
        out: The shards of pairs.
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
        name: Row of the recipe, FAMILY/ROW.
        settings: Settings of the stage, as a JSON object.
        work: Folder for scratch that outlives the pod.
        published: Folder that gets a copy for the dashboard; empty for none.
        sources: Files of a benchmark or corpus.
        tokenizer: Vocabulary of the model.
        model: Teacher that gives the vectors.

    Returns:
        out: The shards of pairs with vectors.
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
