"""Settings of the stages `finetune` and `mine`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.encoders.settings import Pooling
from msm.settings import Between, Count, Form, Positive, Rate, Settings, Share, Temperature


@dataclass(frozen=True, kw_only=True)
class Finetune(Settings):
    """Fine-tuning as a bi-encoder on question and passage pairs."""

    examples: str
    """Training files below the sources, with commas; each is a data set. `ko=FILE` says the language of its texts."""
    dev_examples: str
    """Held-out files of the same kinds; never a test set."""
    language: str
    """Of the files that say none; `mul` for those of several."""
    passage_unit: Literal["sentence", "paragraph"]
    """What answers a question of a SQuAD file: the sentence in which the answer starts, or the whole paragraph."""
    translations: str
    """Files of parallel questions; a training question that stands there can be asked in the other language too."""
    sampler: Literal["shuffled", "mono", "cross", "hybrid"]
    """`shuffled`: all examples once an epoch. The others draw the data set of a batch by its size, then `mono`: one
    language for questions and passages; `cross`: passages in another language; `hybrid`: either of the two."""
    alpha: Share
    """Share of the mono batches in `hybrid`."""
    cross_pair: Literal["row", "batch"]
    """Whether each row of a cross batch draws its two languages, or the batch does once."""
    steps: Count
    """Optimiser updates; 0 where `epochs` counts."""
    epochs: Count
    """Passes over the examples, in updates of whole batches; 0 where `steps` counts."""
    batch_queries: Annotated[int, Between(2)]
    """Questions of an update, over all processes."""
    shard_queries: Positive
    """Questions of one device in the original training; divides `batch_queries`. `gather` says what shards share."""
    gather: Literal["none", "no_grad", "grad"]
    """Candidates of a question: the passages of its shard (`none`), or of the whole batch with a gradient to those of
    its own shard (`no_grad`, DPR) or to all (`grad`). The result does not depend on the number of processes."""
    micro_queries: Count
    """Questions encoded at once, to save memory; 0 for those of a shard. Changes no loss and no gradient, but which
    units dropout hides."""
    hard_negatives: Count
    """Hard negatives of each question, drawn anew every time among those of its example; 0 for none."""
    candidates: Literal["all", "hard"]
    """`hard` leaves the positives of other questions out: the loss as printed in the hybrid paper."""
    learning_rate: Rate
    warmup_steps: Count
    weight_decay: Rate
    clip: Rate
    towers: Literal["one", "two"]
    """One encoder for questions and passages, or one each from the same start weights (DPR)."""
    pooling: Pooling
    """How a text becomes a vector: first token (`cls`), last token (`lasttoken`, for causal models), `mean`, `max`,
    `weightedmean` or `mean_sqrt_len_tokens` over all tokens, or the first token through a dense layer and tanh
    (`pooler`)."""
    similarity: Literal["cosine", "dot"]
    scale: Temperature
    """Multiplies the similarity, 1 / temperature; start value where it is learned."""
    learn_scale: Literal["yes", "no"]
    query_tokens: Annotated[int, Between(4)]
    passage_tokens: Annotated[int, Between(4)]
    passage_context: Literal["none", "paragraph", "title"]
    """What is encoded with a passage: nothing, its paragraph (LAReQA), or its title as a text pair (DPR)."""
    query_prefix: str
    passage_prefix: str
    question_mark: Literal["kept", "stripped"]
    """`stripped` takes one ASCII `?` off the end of a question, in training and retrieval alike (DPR)."""
    precision: Literal["fp32", "bf16"]
    dev_steps: Count
    """Steps between two looks at the dev set; 0 for one an epoch."""
    dev_queries: Positive
    """Most dev questions; they are ranked against the passages of all of them."""
    dev_negatives: Count
    """Hard negatives of each dev question that join these passages, the first ones of its example."""
    selection: Literal["last", "dev_mrr", "dev_mean_rank", "dev_loss", "dev_measure"]
    """Which weights are kept: the last, or the best by the dev set's mean reciprocal rank, mean rank of the positive
    or loss, or by a measure of a benchmark's dev split."""
    select_from: Share
    """Share of the training after which looks begin to count for the selection."""
    patience: Count
    """Training stops after so many looks without a better one; 0 for never."""
    dev_benchmark: str
    """Benchmark of `dev_measure`; empty where it is not looked at."""
    dev_questions: str
    """Folder of its questions below the sources."""
    dev_measure: str
    """Such as `map@20`; mean over the languages, in the pool of all."""
    checkpoint_steps: Positive
    seed: Count
    dimensions: Annotated[str, Form(r"([0-9]+(, *[0-9]+)*)?")] = ""
    """Numbers of leading dimensions, with commas, that are to serve as vectors of their own (Matryoshka, arXiv
    2205.13147): the loss is the mean over these and the whole vector. Empty for the whole vector alone."""
    lora_rank: Count = 0
    """Rank of the low-rank adapters (LoRA, arXiv 2106.09685) that are trained instead of the weights; 0 trains all
    weights. Needs the package `peft`."""
    lora_alpha: Positive = 16
    """Their products are multiplied by this number over the rank."""
    lora_targets: str = ""
    """Names of the linear layers that get adapters, with commas, such as `query, value`; empty for all of them."""
    activations: Literal["kept", "recomputed"] = "kept"
    """`recomputed` keeps only the states between layers and computes each layer again for the gradient: less memory,
    about a third more time, the same result."""

    @property
    def shares(self) -> int:
        """Into how many equal parts an update can be cut for processes."""
        return self.batch_queries // (self.shard_queries if self.gather == "none" else self.micro)

    @property
    def micro(self) -> int:
        """Questions encoded at once."""
        return self.micro_queries or self.shard_queries


@dataclass(frozen=True, kw_only=True)
class Mine(Settings):
    """Hard negatives of a fine-tuned model, for a next round."""

    examples: str
    """Training files below the sources, as in fine-tuning."""
    dev_examples: str
    """Written beside the mined examples, as they are."""
    language: str
    passage_unit: Literal["sentence", "paragraph"]
    corpus: str
    """JSON Lines below the sources with the passages to search; empty for those of the examples."""
    depth_from: Positive
    """First rank that is looked at, from 1."""
    depth_to: Positive
    """Last one."""
    negatives: Positive
    """Most negatives kept of each question."""
    choice: Literal["first", "random"]
    """Those that rank highest, or any within the depth."""
    filters: str
    """What is no negative, with commas: `answer` (holds an answer string), `document` (of the positive's), `score` (not
    below that of the positive less the margin)."""
    margin: float
    """In units of the model's score."""
    precision: Literal["fp32", "bf16"]
    batch_tokens: Positive
    """Tokens encoded at once."""
    seed: Count
    """Of `random`."""
