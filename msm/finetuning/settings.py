"""Settings of the stages `finetune` and `mine`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.encoders.settings import Pooling
from msm.errors import BadInput
from msm.settings import Between, Count, Form, Positive, Rate, Settings, Share, Temperature


@dataclass(frozen=True, kw_only=True)
class Batches(Settings):
    """Which questions an update reads."""

    sampler: Literal["shuffled", "mono", "cross", "hybrid"] = "shuffled"
    """How the questions of a batch are drawn. `shuffled` reads all examples once an epoch. The others draw a data set
    by its size, then: `mono` one language for questions and passages; `cross` passages in another language than their
    question; `hybrid` either of the two (arXiv 2408.10536)."""
    alpha: Share = 0.5
    """Share of the batches that the sampler `hybrid` makes of one language."""
    cross_pair: Literal["row", "batch"] = "row"
    """Whether each row of a cross-lingual batch draws its two languages, or the batch draws them once for all rows."""
    translations: str = ""
    """Files of parallel questions below the sources, with commas. A training question that they hold may be asked in
    the other language too. For the samplers `mono`, `cross` and `hybrid`."""
    batch_queries: Annotated[int, Between(2)]
    """Questions of an update, over all processes."""
    shard_queries: Positive
    """Questions of one device in the training that is reproduced; must divide `batch_queries`. `loss.gather` says what
    the shards share."""
    micro_queries: Count = 0
    """Questions that are encoded at once, to save memory; 0 for those of a shard. Loss and gradient stay the same, but
    dropout hides other units."""
    hard_negatives: Count = 0
    """Hard negatives of each question, drawn anew every time among those of its example; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Loss(Settings):
    """Which passages compete for a question, and how their similarity is scaled."""

    gather: Literal["none", "no_grad", "grad"]
    """Candidates of a question: the passages of its shard (`none`), or those of the whole batch with a gradient to the
    passages of its own shard (`no_grad`, as DPR does) or to all (`grad`). The result does not depend on the number of
    processes."""
    candidates: Literal["all", "hard"] = "all"
    """Which of these compete: `all`, or only the hard negatives (`hard`), as the hybrid paper's loss is printed."""
    scale: Temperature
    """Factor of the similarity, 1 / temperature; the start value if it is learned."""
    learn_scale: Literal["yes", "no"] = "no"
    """Whether the scale is learned with the weights (XTREME-R)."""
    dimensions: Annotated[str, Form(r"([0-9]+(, *[0-9]+)*)?")] = ""
    """Numbers of leading dimensions, with commas, that are to serve as vectors of their own (Matryoshka, arXiv
    2205.13147): the loss is the mean over these and the whole vector. Empty for the whole vector alone."""


@dataclass(frozen=True, kw_only=True)
class Encoding(Settings):
    """How texts become vectors, in training and in retrieval alike."""

    towers: Literal["one", "two"] = "one"
    """One encoder for questions and passages, or one each from the same start weights (DPR)."""
    pooling: Pooling
    """How token states become a vector: first token (`cls`), last token (`lasttoken`, for causal models), `mean`,
    `max`, `weightedmean` or `mean_sqrt_len_tokens` over all tokens, or the first token through a dense layer and tanh
    (`pooler`)."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """How two vectors are compared."""
    query_tokens: Annotated[int, Between(4)]
    """Longest question in tokens, special tokens included; longer ones are cut."""
    passage_tokens: Annotated[int, Between(4)]
    """Longest passage in tokens, special tokens included; longer ones are cut."""
    passage_context: Literal["none", "paragraph", "title"] = "none"
    """What is encoded with a passage: nothing, its paragraph (LAReQA), or its title as a text pair (DPR)."""
    query_prefix: str = ""
    """Text that is put before every question, such as `query: `."""
    passage_prefix: str = ""
    """Text that is put before every passage, such as `passage: `."""
    question_mark: Literal["kept", "stripped"] = "kept"
    """`stripped` takes one ASCII question mark off the end of a question, in training and retrieval alike (DPR)."""


@dataclass(frozen=True, kw_only=True)
class Lora(Settings):
    """Low-rank adapters that are trained instead of the weights (LoRA, arXiv 2106.09685)."""

    rank: Count = 0
    """Rank of the adapters; 0 has none and trains all weights. Needs the package `peft`."""
    alpha: Positive = 16
    """Products of the adapters are multiplied by this number over the rank."""
    targets: str = ""
    """Names of the linear layers that get adapters, with commas, such as `query, value`; empty for all of them."""


@dataclass(frozen=True, kw_only=True)
class Selection(Settings):
    """How training is watched, and which weights are kept."""

    keep: Literal["last", "dev_mrr", "dev_mean_rank", "dev_loss", "dev_measure"] = "last"
    """Which weights are kept: the last, or the best by a number of the development set: mean reciprocal rank, mean rank
    of the positive, loss, or a measure of a benchmark's development split."""
    from_share: Share = 0.0
    """Share of the training after which weights may be kept."""
    patience: Count = 0
    """Training stops after this many looks without better weights; 0 for never."""
    dev_steps: Count
    """Updates between two looks at the development set; 0 for one look an epoch."""
    dev_queries: Positive = 1000
    """Most development questions. They are ranked against the passages of all of them."""
    dev_negatives: Count = 0
    """Hard negatives of each development question that join these passages, the first ones of its example."""
    benchmark: str = ""
    """Benchmark whose development split is looked at for `dev_measure`; empty for none."""
    questions: str = ""
    """Folder of that benchmark's development questions, below the sources. Never those of a test."""
    measure: str = ""
    """Measure of that benchmark, such as `map@20`: the mean over the languages, in the pool of all languages."""


@dataclass(frozen=True, kw_only=True)
class Finetune(Settings):
    """Fine-tuning as a bi-encoder on pairs of questions and passages."""

    examples: str
    """Training files below the sources, with commas; each is a data set. `ko=FILE` says the language of its texts."""
    dev_examples: str
    """Held-out files of the same kinds, for the development set; never a test set."""
    language: str
    """Language of the files that do not say theirs; `mul` for files of several languages."""
    passage_unit: Literal["sentence", "paragraph"] = "sentence"
    """What answers a question of a SQuAD file: the sentence in which the answer starts, or the whole paragraph."""
    steps: Count
    """Optimiser updates; 0 where `epochs` counts."""
    epochs: Count = 0
    """Passes over the examples, in updates of whole batches; 0 where `steps` counts."""
    learning_rate: Rate
    """Highest learning rate of AdamW; it falls in a straight line to 0."""
    warmup_steps: Count
    """Updates over which the learning rate rises from 0."""
    weight_decay: Rate = 0.0
    """Weight decay of AdamW, of all weights."""
    clip: Rate = 1.0
    """Largest norm of the gradient; longer ones are shortened to it. 0 never shortens."""
    precision: Literal["fp32", "bf16"]
    """Number format of the matrix products. The weights are kept in fp32 either way."""
    checkpoint_steps: Positive = 500
    """Updates between two checkpoints, from which a killed training goes on. Changes no result."""
    activations: Literal["kept", "recomputed"] = "kept"
    """`recomputed` keeps only the states between layers and computes each layer again for the gradient: less memory,
    about a third more time, the same result."""
    seed: Count
    """Seed of fresh weights, of dropout and of all draws."""
    batches: Batches
    """Which questions an update reads."""
    loss: Loss
    """Which passages compete for a question."""
    encoding: Encoding
    """How texts become vectors."""
    lora: Lora
    """Low-rank adapters."""
    selection: Selection
    """How training is watched, and which weights are kept."""

    def __post_init__(self) -> None:
        """Check every field, and that adapters reach all that is trained.

        Raises:
            BadInput: a value outside its type or limits, or adapters beside a pooler, which they would not train.
        """
        super().__post_init__()
        if self.lora.rank and self.encoding.pooling == "pooler":
            raise BadInput(
                f"lora.rank {self.lora.rank} with encoding.pooling pooler: adapters do not train a pooler; take another"
            )

    @property
    def shares(self) -> int:
        """Into how many equal parts an update can be cut for processes."""
        part = self.batches.shard_queries if self.loss.gather == "none" else self.micro
        return self.batches.batch_queries // part

    @property
    def micro(self) -> int:
        """Questions encoded at once."""
        return self.batches.micro_queries or self.batches.shard_queries


@dataclass(frozen=True, kw_only=True)
class Mine(Settings):
    """Hard negatives for a next round of fine-tuning, found by a fine-tuned model."""

    examples: str
    """Training files below the sources, as in fine-tuning."""
    dev_examples: str
    """Development questions. They are copied to the output unchanged, so that a fine-tuning can read both from one
    folder."""
    language: str
    """Language of the files that do not say theirs; `mul` for files of several languages."""
    passage_unit: Literal["sentence", "paragraph"] = "sentence"
    """What answers a question of a SQuAD file: the sentence in which the answer starts, or the whole paragraph."""
    corpus: str = ""
    """JSON Lines file below the sources with the passages to search; empty for the passages of the examples."""
    depth_from: Positive = 1
    """First rank from which negatives may be taken, counted from 1."""
    depth_to: Positive
    """Last rank from which negatives may be taken, counted from 1 (inclusive)."""
    negatives: Positive
    """Most negatives that are kept of each question."""
    choice: Literal["first", "random"] = "first"
    """Which of the remaining passages are kept: those that rank highest, or random ones within the depth."""
    filters: str
    """Which passages are no negatives, with commas: `answer` drops those that hold an answer string, `document` those
    of the positive's document, `score` those whose score is not below the positive's less `margin`."""
    margin: float = 0.0
    """Distance in the model's score that the filter `score` asks for."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the forward pass."""
    batch_tokens: Positive = 16384
    """Tokens that are encoded at once. More tokens need more memory; the vectors stay the same."""
    seed: Count
    """Seed of the generator that draws negatives when `choice` is `random`."""
