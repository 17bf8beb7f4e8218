"""Components of Kubeflow Pipelines that exchange folders with the DVC remote.

Kubeflow ships the text of a function to its pod, alone: hence the import inside, of the program in the image.
"""

from functools import partial

from kfp.dsl import Dataset, Input, Model, Output, component

step = partial(component, base_image="msm", packages_to_install=[], install_kfp_package=False)


@step()
def dvc_get_dataset(name: str, pointer: str, remote: str, out: Output[Dataset]) -> None:
    """Fetch a data set that DVC tracks, instead of making it.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        pointer: Path, checksum and size of the folder, as JSON.
        remote: Address of the DVC remote.

    Returns:
        out: The folder.
    """
    from msm.components import dvc_steps

    dvc_steps.fetch(name, pointer, remote, out)


@step()
def dvc_get_model(name: str, pointer: str, remote: str, out: Output[Model]) -> None:
    """Fetch a model that DVC tracks, instead of making it.

    Args:
        name: Name of the task in the recipe, such as pretrain/msm-1.
        pointer: Path, checksum and size of the folder, as JSON.
        remote: Address of the DVC remote.

    Returns:
        out: The folder.
    """
    from msm.components import dvc_steps

    dvc_steps.fetch(name, pointer, remote, out)


@step()
def dvc_put_dataset(path: str, remote: str, folder: Input[Dataset]) -> str:
    """Push a data set to the DVC remote.

    Args:
        path: Path under which DVC tracks the folder, such as artifacts/tiny/pretrain/msm-1.
        remote: Address of the DVC remote.
        folder: Folder to push.

    Returns:
        The pointer that finds it again, as JSON.
    """
    from msm.components import dvc_steps

    return dvc_steps.store(path, remote, folder)


@step()
def dvc_put_model(path: str, remote: str, folder: Input[Model]) -> str:
    """Push a model to the DVC remote.

    Args:
        path: Path under which DVC tracks the folder, such as artifacts/tiny/pretrain/msm-1.
        remote: Address of the DVC remote.
        folder: Folder to push.

    Returns:
        The pointer that finds it again, as JSON.
    """
    from msm.components import dvc_steps

    return dvc_steps.store(path, remote, folder)
