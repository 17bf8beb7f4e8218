"""Settings of the stages `finetune` and `mine`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.collections.measure_names import parse_measure
from msm.encoders.settings import Pooling
from msm.errors import BadInput
from msm.settings import Between, Count, Positive, Rate, Settings, Share, Temperature, TextPattern, listed

FILTERS = ("answer", "document", "score")
"""Names of the filters of mined negatives."""
TRAIN, DEV = "train.jsonl.gz", "dev.jsonl.gz"
"""Names of the files of the stage `mine`, for the settings of the next fine-tuning."""


@dataclass(frozen=True, kw_only=True)
class Batches(Settings):
    """Choice of the questions of an update."""

    sampler: Literal["shuffled", "mono", "cross", "hybrid"] = "shuffled"
    """How the questions of a batch are drawn. `shuffled` reads all examples once in each epoch. The others draw a data
    set in proportion to its size, and then: `mono` one language for questions and passages; `cross` passages in another
    language than their question; `hybrid` one of the two kinds (arXiv 2408.10536)."""
    alpha: Share = 0.5
    """Share of the batches of the sampler `hybrid` that are of one language, from 0 to 1."""
    cross_pair: Literal["row", "batch"] = "row"
    """Whether each row of a cross-lingual batch draws its two languages, or the batch draws them once for all rows."""
    translations: str = ""
    """Names of files of parallel questions below the sources, separated by commas. A training question that such a file
    holds may be asked in the other language too. Only the samplers `mono`, `cross` and `hybrid` read them."""
    batch_queries: Annotated[int, Between(2)]
    """Number of questions in an update, over all processes."""
    shard_queries: Positive
    """Number of questions of one device (a shard) in the training that is reproduced; it divides `batch_queries`.
    `loss.gather` says which passages the shards share."""
    micro_queries: Count = 0
    """Number of questions that are encoded at once, to save memory; 0 for all of a shard. Loss and gradient stay the
    same, but for the random choices of dropout."""
    hard_negatives: Count = 0
    """Number of hard negatives of each question, drawn anew every time from those of its example; 0 for none."""


@dataclass(frozen=True, kw_only=True)
class Loss(Settings):
    """Choice of the passages that compete for a question, and the scale of their similarity."""

    gather: Literal["none", "grad"]
    """Candidates of a question: the passages of its shard (`none`), or those of the whole batch, with a gradient to all
    of them (`grad`). DPR's code computes the gradient of `grad`, divided by its number of devices before the gradient
    is clipped. The result does not depend on the number of processes."""
    candidates: Literal["all", "hard"] = "all"
    """Which of the passages that `gather` selects compete with the positive: `all`, or only the hard negatives
    (`hard`), as in the loss that arXiv 2408.10536 prints."""
    scale: Temperature
    """Number that multiplies the similarity, which is the inverse of a temperature; with `learn_scale`, its value at
    the start."""
    learn_scale: Literal["yes", "no"] = "no"
    """Whether the scale is learned with the weights (XTREME-R)."""
    dimensions: Annotated[str, TextPattern(r"([0-9]+(, *[0-9]+)*)?")] = ""
    """Numbers of leading dimensions, separated by commas, such as `64, 128`, that are trained to work as vectors by
    themselves (Matryoshka, arXiv 2205.13147). The loss is the mean over these short vectors and the whole vector; empty
    for the whole vector only."""


@dataclass(frozen=True, kw_only=True)
class Encoding(Settings):
    """The way from text to vector, the same in training and in retrieval."""

    towers: Literal["one", "two"] = "one"
    """Number of encoders: `one` for questions and passages, or `two` that begin with the same weights (DPR)."""
    pooling: Pooling
    """How token states become a vector: first token (`cls`), last token (`lasttoken`, for causal models), `mean`,
    `max`, `weightedmean` or `mean_sqrt_len_tokens` over all tokens, or the first token through a dense layer and tanh
    (`pooler`)."""
    similarity: Literal["cosine", "dot"] = "cosine"
    """Similarity of two vectors: their `cosine`, or their inner product (`dot`)."""
    query_tokens: Annotated[int, Between(4)]
    """Largest number of tokens of a question, special tokens included; longer questions are cut."""
    passage_tokens: Annotated[int, Between(4)]
    """Largest number of tokens of a passage, special tokens included; longer passages are cut."""
    passage_context: Literal["none", "paragraph", "title"] = "none"
    """Text that is encoded with a passage: none, its paragraph (LAReQA), or its title as a text pair (DPR)."""
    query_prefix: str = ""
    """Text that is put before every question, such as `query: `."""
    passage_prefix: str = ""
    """Text that is put before every passage, such as `passage: `."""
    question_mark: Literal["kept", "stripped"] = "kept"
    """Whether a question keeps its question mark. `stripped` removes one ASCII question mark at the end (DPR)."""


@dataclass(frozen=True, kw_only=True)
class Lora(Settings):
    """Low-rank adapters (LoRA, arXiv 2106.09685), which are trained instead of the weights."""

    rank: Count = 0
    """Rank of the adapters; 0 trains all weights without adapters. Adapters need the package `peft`."""
    alpha: Positive = 16
    """Number that, divided by the rank, multiplies the products of the adapters."""
    targets: str = ""
    """Names of the linear layers that get adapters, separated by commas, such as `query, value`; empty for all."""


@dataclass(frozen=True, kw_only=True)
class Selection(Settings):
    """Evaluation during training, and the choice of the weights that are kept."""

    keep: Literal["last", "dev_mrr", "dev_mean_rank", "dev_loss", "dev_measure"] = "last"
    """Which weights are kept: the `last`, or the best on the development set by mean reciprocal rank (`dev_mrr`), mean
    rank of the positive (`dev_mean_rank`), loss (`dev_loss`), or a benchmark's measure (`dev_measure`)."""
    from_share: Share = 0.0
    """Share of the updates after which weights may be kept, from 0 to 1."""
    patience: Count = 0
    """Number of evaluations without better weights after which training stops; 0 never stops."""
    dev_steps: Count
    """Number of updates between two evaluations on the development set; 0 evaluates once in each epoch."""
    dev_queries: Positive = 1000
    """Largest number of development questions. For each question, the passages of all development questions are
    ranked."""
    dev_negatives: Count = 0
    """Number of hard negatives of each development question, the first of its example, that are added to the passages
    of the development set."""
    dev_other_negatives: Count = 0
    """Number of other negatives of each development question, from the `negative_ctxs` of DPR's files, that are also
    added to the passages of the development set. The loss on the development set leaves them out."""
    benchmark: str = ""
    """Name of the benchmark whose development split gives `dev_measure`; empty for none."""
    questions: str = ""
    """Folder of the development questions of `benchmark`, below the sources; never the questions of a test."""
    measure: str = ""
    """Measure of `benchmark` that gives `dev_measure`, such as `map@20`: its mean over the languages, in the pool of
    all languages."""


@dataclass(frozen=True, kw_only=True)
class Finetune(Settings):
    """Fine-tunes a bi-encoder on questions and their passages."""

    examples: str
    """Names of training files below the sources, separated by commas; each file is a data set. `ko=FILE` gives the
    language of the texts in a file."""
    dev_examples: str
    """Names of held-out files of the same kinds, separated by commas, which form the development set; never a test
    set."""
    language: str
    """Code of the language of all files that do not name theirs; `mul` for files of several languages."""
    passage_unit: Literal["sentence", "paragraph"] = "sentence"
    """Passage of a question in a SQuAD file: the sentence in which the answer starts, or the whole paragraph."""
    steps: Count
    """Number of optimiser updates; 0 if `epochs` is given."""
    epochs: Count = 0
    """Number of passes over the examples, in whole batches; 0 if `steps` is given."""
    learning_rate: Rate
    """Highest learning rate of AdamW; it falls in a straight line to 0."""
    warmup_steps: Count
    """Number of updates over which the learning rate rises from 0."""
    weight_decay: Rate = 0.0
    """Weight decay of AdamW, applied to all weights."""
    clip: Rate = 1.0
    """Largest norm of the gradient; a longer gradient is scaled down to it. 0 never scales."""
    precision: Literal["fp32", "bf16"]
    """Number format of the matrix products. Weights are kept in fp32 either way."""
    checkpoint_steps: Positive = 500
    """Number of updates between two checkpoints, from which a killed training resumes. It changes no result."""
    activations: Literal["kept", "recomputed"] = "kept"
    """Whether the states inside layers are kept for the gradient. `recomputed` keeps only the states between layers and
    computes each layer again, which takes less memory and about a third more time and gives the same result."""
    seed: Count
    """Seed of fresh weights, of dropout and of all draws."""
    batches: Batches
    """Choice of the questions of an update."""
    loss: Loss
    """Choice of the passages that compete for a question."""
    encoding: Encoding
    """The way from text to vector."""
    lora: Lora
    """Settings of low-rank adapters."""
    selection: Selection
    """Evaluation during training, and the choice of the weights that are kept."""

    def __post_init__(self) -> None:
        """Check every field, and that adapters reach all parts that are trained.

        Raises:
            BadInput: a value is outside its type or limits, sizes do not divide each other, there are adapters and a
                pooler, which they do not train, or one value is of no use without another.
        """
        super().__post_init__()
        _divides("batches.shard_queries", self.batches.shard_queries, self.batches.batch_queries)
        together = self.batches.shard_queries if self.loss.gather == "none" else self.batches.batch_queries
        _divides("batches.micro_queries", self.micro, together)
        if self.loss.candidates == "hard" and not self.batches.hard_negatives:
            raise BadInput("loss.candidates=hard leaves only hard negatives, and batches.hard_negatives is 0")
        if self.batches.translations and self.batches.sampler == "shuffled":
            raise BadInput("translations are for the samplers mono, cross and hybrid; sampler is shuffled")
        if not listed(self.dev_examples):
            raise BadInput("dev_examples names no file; every fine-tuning is watched on questions that it does not see")
        if self.steps and self.epochs:
            raise BadInput(f"either steps or epochs must be 0, got {self.steps} and {self.epochs}")
        self._check_selection()
        if self.lora.rank and self.encoding.pooling == "pooler":
            raise BadInput(
                f"lora.rank {self.lora.rank} with encoding.pooling pooler: adapters do not train a pooler; take another"
            )

    def _check_selection(self) -> None:
        selection = self.selection
        names = [selection.benchmark, selection.questions, selection.measure]
        if (any(names) or selection.keep == "dev_measure") and not all(names):
            raise BadInput("selection: benchmark, questions and measure belong together; one of them is empty")
        if selection.measure:
            parse_measure(selection.measure)

    @property
    def shares(self) -> int:
        """Number of equal parts into which an update can be divided among processes."""
        part = self.batches.shard_queries if self.loss.gather == "none" else self.micro
        return self.batches.batch_queries // part

    @property
    def micro(self) -> int:
        """Number of questions that are encoded at once."""
        return self.batches.micro_queries or self.batches.shard_queries


@dataclass(frozen=True, kw_only=True)
class Mine(Settings):
    """Mines hard negatives for the next round of fine-tuning with a fine-tuned model."""

    examples: str
    """Names of training files below the sources, separated by commas, as in fine-tuning."""
    dev_examples: str
    """Names of files of development questions, separated by commas. They are copied to the output unchanged, so that a
    fine-tuning can read training and development questions from one folder."""
    language: str
    """Code of the language of all files that do not name theirs; `mul` for files of several languages."""
    passage_unit: Literal["sentence", "paragraph"] = "sentence"
    """Passage of a question in a SQuAD file: the sentence in which the answer starts, or the whole paragraph."""
    corpus: str = ""
    """Name of a JSON Lines file below the sources with the passages to search; empty for those of the examples."""
    depth_from: Positive = 1
    """First rank from which negatives may be taken, counted from 1."""
    depth_to: Positive
    """Last rank from which negatives may be taken, counted from 1 (inclusive)."""
    negatives: Positive
    """Largest number of negatives that are kept for each question."""
    choice: Literal["first", "random"] = "first"
    """Which of the remaining passages are kept: the `first` in rank, or `random` ones within the depth."""
    filters: str
    """Names of filters, separated by commas: `answer` drops passages that hold an answer string, `document` those of
    the positive's document, `score` those whose score is not below the positive's score minus `margin`."""
    margin: float = 0.0
    """Smallest difference, in units of the model's score, by which a negative must score less than the positive for the
    filter `score`."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format in which the model computes."""
    batch_tokens: Positive = 16384
    """Number of tokens that are encoded at once. More tokens need more memory and give the same vectors."""
    seed: Count
    """Seed of the generator that draws negatives when `choice` is `random`."""

    def __post_init__(self) -> None:
        """Check every field, the filters and the range of ranks.

        Raises:
            BadInput: a value is outside its type or limits, a filter is unknown, or the range is empty.
        """
        super().__post_init__()
        if unknown_names := sorted(set(listed(self.filters)) - {*FILTERS}):
            raise BadInput(f"filters are answer, document and score, got {unknown_names[0]}")
        if self.depth_from > self.depth_to:
            raise BadInput(f"depth_from must be at most depth_to, got {self.depth_from} and {self.depth_to}")


def _divides(name: str, part: int, whole: int) -> None:
    if whole % part:
        raise BadInput(f"{name} must divide {whole}, got {part}")
