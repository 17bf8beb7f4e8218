"""Settings of the stages `pretrain` and `teach`: those of all objectives, and a section for each kind of objective."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msm.corpora.settings import Parallel
from msm.encoders.settings import StatePooling
from msm.errors import BadInput
from msm.settings import Between, Count, Positive, Rate, Settings, Share, Temperature, TextPattern, listed, present

READS = {
    "msm": ("batches", "mlm", "msm"),
    "mlm": ("batches", "mlm"),
    "crop": ("batches", "mlm", "pairs"),
    "ict": ("batches", "mlm", "pairs"),
    "ccp": ("batches", "mlm", "pairs"),
    "mexma": ("mexma",),
    "distill": ("distill",),
}
"""Sections of the settings that each objective reads."""


@dataclass(frozen=True, kw_only=True)
class Teach(Parallel):
    """Packs parallel sentences and computes a teacher's vectors of those in the pivot language."""

    teacher_pooling: Literal["own", "cls", "mean"] = "own"
    """How the teacher's token states become a vector. `own` follows the teacher's files, including normalisation; `cls`
    (first token) and `mean` do not normalise, so that a student that starts from the teacher already gives the right
    vectors in the pivot language."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format in which the teacher computes."""
    batch_tokens: Positive = 16384
    """Number of tokens that the teacher encodes at once. More tokens need more memory and give the same vectors."""


@dataclass(frozen=True, kw_only=True)
class DocumentBatches(Settings):
    """Sizes of an update, for objectives that read documents."""

    batch_documents: Annotated[int, Between(2)]
    """Number of documents (spans of consecutive units) in an update, over all processes."""
    softmax_documents: Annotated[int, Between(2)]
    """Number of documents, all of one language, that share one softmax; it divides `batch_documents`. The paper takes
    16."""

    @property
    def micro_batches(self) -> int:
        """Number of softmaxes in an update.

        Raises:
            BadInput: `softmax_documents` does not divide `batch_documents`.
        """
        return _parts("batches", "batch_documents", self.batch_documents, "softmax_documents", self.softmax_documents)


@dataclass(frozen=True, kw_only=True)
class Mlm(Settings):
    """Masked language modelling, which stands beside every objective that reads documents.

    The objective `mlm` is the control of the same budget: it reads a second batch of masked tokens in place of the
    masked sentences, with the same weight.
    """

    batch_blocks: Positive
    """Number of blocks of running text in an update whose tokens are masked, over all processes; a multiple of the
    number of softmaxes, which is `batches.batch_documents` divided by `batches.softmax_documents`."""
    block_tokens: Annotated[int, Between(8)]
    """Number of tokens in a block of running text, and in the longest block of the objective `ict`. The paper takes
    256."""
    text: Literal["blocks", "units"] = "blocks"
    """Which text is masked: `blocks` of mixed languages, as in the paper, or copies of the same `units` that the
    sentence vectors are made from, which is faster."""
    mask_share: Share
    """Share of the tokens that are selected: 80 % of them are masked, 10 % replaced at random, 10 % kept. The paper
    takes 0.15."""
    weight: Rate = 1.0
    """Weight of the loss of masked tokens in the sum (arXiv 2302.01626, equation 3)."""


@dataclass(frozen=True, kw_only=True)
class Msm(Settings):
    """Masked sentences: a document encoder guesses the vector of a hidden sentence (arXiv 2302.01626)."""

    weight: Rate = 1.0
    """Weight of the contrastive loss of masked sentences in the sum (arXiv 2302.01626, equation 3)."""
    temperature: Temperature = 0.1
    """Temperature, a number above 0 that divides the cosines of the contrastive loss. The released code takes 0.1."""
    mu: Rate = 0.5
    """Share of the bias that is subtracted from the logits of sentences of the same document; 0 subtracts none. The
    bias is the mean lead of their logits over those of other documents. The paper takes 0.5 (table 5)."""
    bias_over: Literal["query", "document", "batch"] = "query"
    """Hidden sentences over which the bias of `mu` is measured: each alone (`query`, as in the paper), or the mean over
    all hidden sentences of a `document` or of the `batch`."""
    bias_gradient: Literal["cut", "kept"] = "cut"
    """Whether the gradient passes through the bias of `mu` (`kept`), or the bias counts as a constant (`cut`), as in
    the paper."""
    negatives: Literal["all", "cross-document"] = "all"
    """Candidates of the softmax beside the hidden sentence itself: `all` its sentences, or only those of other
    documents (`cross-document`, table 5)."""
    gather: Literal["none", "no_grad", "grad"] = "none"
    """Whether one softmax spans all processes: `none` keeps every softmax on one process (the paper). With `grad` and
    `no_grad`, one softmax spans all processes; both give the same gradient. With `grad`, the gradients of vectors are
    sent back to the process that made the vectors; with `no_grad`, each process takes the gradients of its own vectors
    only, as DPR does."""
    masking: Annotated[str, TextPattern("each|share:0?[.][0-9]+")] = "each"
    """Which sentences are hidden: `each` in turn while all others are seen (the paper), or a random share of a document
    at once, such as `share:0.3`."""
    projector: Literal["asymmetric", "shared", "none"] = "asymmetric"
    """Projection heads of guesses and sentences: `asymmetric` is one for each, `shared` is one for both (table 7)."""
    document_layers: Positive = 2
    """Number of layers of the document encoder. The paper takes 2 (table 8)."""
    document_heads: Count = 0
    """Number of attention heads of the document encoder; 0 for as many as the sentence encoder has."""
    document_dropout: Share = 0.1
    """Dropout rate of the document encoder."""
    document_groups: str = ""
    """Languages whose group has a document encoder of its own, such as `en=english, fr=romance, es=romance`; all
    others share one (table 4)."""
    group_heads: Literal["shared", "separate"] = "shared"
    """Whether each group of `document_groups` has projection heads of its own as well (table 4: Sep Doc + Head)."""

    def __post_init__(self) -> None:
        """Check the groups.

        Raises:
            BadInput: an entry does not have the form `LANGUAGE=GROUP`, or a language comes twice.
        """
        super().__post_init__()
        entries = listed(self.document_groups)
        for entry in entries:
            if not re.fullmatch(r"[\w-]+=[\w-]+", entry):
                raise BadInput(f"document_groups must be LANGUAGE=GROUP with commas between, got {entry!r}")
        if len(self.groups) < len(entries):
            raise BadInput(f"document_groups must name each language once, got {self.document_groups!r}")

    @property
    def groups(self) -> dict[str, str]:
        """Language to the name of the group whose document encoder it has."""
        return dict(entry.split("=") for entry in listed(self.document_groups))


@dataclass(frozen=True, kw_only=True)
class Pairs(Settings):
    """The baselines CROP, ICT and CCP, which pull two parts of one document together."""

    weight: Rate = 1.0
    """Weight of the contrastive loss of `crop`, `ict` or `ccp` in the sum with the loss of masked tokens. In this
    section a pair is two parts of one document, not two translations."""
    temperature: Temperature = 0.1
    """Temperature, a number above 0 that divides the cosines of the contrastive loss."""
    projector: Literal["asymmetric", "shared", "none"] = "asymmetric"
    """Projection heads of queries and of keys, the two parts of a document: `asymmetric` is one for each, `shared` is
    one for both."""
    memory_keys: Count = 0
    """Number of keys of earlier updates that are kept for each language as further negatives of `ccp` (arXiv
    2206.03281); 0 for none. It must be 0 for `crop` and `ict`."""


@dataclass(frozen=True, kw_only=True)
class PairBatches(Settings):
    """Sizes of an update, for objectives that read translations."""

    batch_pairs: Annotated[int, Between(2)]
    """Number of pairs of translations in an update, over all processes."""
    micro_pairs: Annotated[int, Between(2)]
    """Number of pairs that are encoded together; it divides `batch_pairs`."""

    @property
    def micro_batches(self) -> int:
        """Number of parts of an update that are encoded one after another.

        Raises:
            BadInput: `micro_pairs` does not divide `batch_pairs`.
        """
        return _parts(self.section, "batch_pairs", self.batch_pairs, "micro_pairs", self.micro_pairs)

    @property
    def section(self) -> str:
        """Name of this section in a recipe."""
        return type(self).__name__.lower()


@dataclass(frozen=True, kw_only=True)
class Mexma(PairBatches):
    """MEXMA: hidden tokens are guessed with the help of the vector of the translation (arXiv 2409.12737).

    The loss KoLeo looks for the nearest vector among `micro_pairs` pairs, so these should be 32 or more; the paper
    takes 150.
    """

    mask_share: Share = 0.4
    """Share of the tokens of a sentence that are hidden. The paper takes 0.4."""
    alignment_weight: Rate = 1.0
    """Weight of the squared distance between the two vectors of a pair."""
    unmasking_weight: Rate = 1.0
    """Weight of the loss of the hidden tokens."""
    koleo_weight: Rate = 0.01
    """Weight of the loss KoLeo, which spreads the vectors of a batch. The paper takes 0.01."""
    layers: Positive = 6
    """Number of layers of the transformer that guesses the hidden tokens in training. The paper takes 6."""
    heads: Count = 8
    """Number of attention heads of the transformer that guesses the hidden tokens; 0 for as many as the sentence
    encoder has. The paper takes 8."""
    inner_width: Count = 0
    """Width between the two linear layers of a feed-forward block of the transformer that guesses the hidden tokens; 0
    for the width in the encoder. The released code takes 3072."""
    dropout: Share = 0.1
    """Dropout rate of the transformer that guesses the hidden tokens, outside of its attention."""
    token_gradient: Literal["kept", "cut"] = "kept"
    """Whether the loss of the hidden tokens trains the sentence encoder through the token states of the masked sentence
    too (`kept`, as the paper proposes), or through the vector of the translation only (`cut`, the paper's ablation)."""


@dataclass(frozen=True, kw_only=True)
class Distill(PairBatches):
    """Distillation: both languages learn a teacher's vectors by mean squared error (arXiv 2004.09813, equation 1)."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Settings):
    """Pre-trains a sentence encoder: masked sentences, a control of the same budget, baselines, or translations."""

    objective: Literal["msm", "mlm", "crop", "ict", "ccp", "mexma", "distill"]
    """What the encoder learns. From documents: `msm` masked sentences and masked tokens; `mlm` masked tokens only, the
    control of the same budget; `crop` two units of a document; `ict` a unit and the block around it; `ccp` two near
    units, with a memory of negatives. From translations: `mexma` hidden tokens with the help of the translation's
    vector; `distill` the vectors of a teacher."""
    steps: Count
    """Number of optimiser updates; 0 keeps the start weights."""
    pooling: StatePooling
    """How the token states of a sentence become its vector: first token (`cls`, as in the paper), last token
    (`lasttoken`, for causal models), or `mean`, `max`, `weightedmean` or `mean_sqrt_len_tokens` over all tokens."""
    language_exponent: Annotated[float, Between(0, 1)]
    """Exponent, from 0 to 1, in the sampling of languages: a language is drawn in proportion to its amount of data,
    raised to this power. 1 follows the amounts, 0 draws all languages equally often. XLM-R takes 0.3."""
    activations: Literal["kept", "recomputed"] = "kept"
    """Whether the states inside layers are kept for the gradient. `recomputed` keeps only the states between layers and
    computes each layer again, which takes less memory and about a third more time and gives the same result."""
    head_steps: Count = 0
    """Number of updates at the beginning, counted in `steps`, that train only new weights, such as a language-model
    head that the checkpoint lacks. During these updates the encoder is frozen, so that no gradient of random weights
    reaches it."""
    head_learning_rate: Rate = 0.001
    """Learning rate of the first `head_steps` updates, without warm-up or decay."""
    learning_rate: Rate
    """Highest learning rate of AdamW, reached after the warm-up."""
    warmup_steps: Count
    """Number of updates over which the learning rate rises."""
    schedule: Literal["linear", "cosine"] = "linear"
    """Shape of the learning rate over time: `linear` rises from 0 and falls in a straight line to 0 (the paper);
    `cosine` rises from a tenth and falls along half a cosine to 0 (MEXMA)."""
    schedule_steps: Count = 0
    """Number of the update at which the learning rate reaches 0; 0 for the last one."""
    beta1: Share = 0.9
    """Decay rate of AdamW's running mean of gradients."""
    beta2: Share = 0.98
    """Decay rate of AdamW's running mean of squared gradients. The released code takes 0.98, MEXMA 0.999."""
    epsilon: Rate = 1e-6
    """Number that AdamW adds to the root of its mean of squared gradients before it divides by it."""
    weight_decay: Rate
    """Weight decay of AdamW, applied to all weights."""
    clip: Rate
    """Largest norm of the gradient; a longer gradient is scaled down to it. 0 never scales."""
    precision: Literal["fp32", "bf16"]
    """Number format of the matrix products. Weights are kept in fp32 either way."""
    checkpoint_steps: Positive = 500
    """Number of updates between two checkpoints, from which a killed training resumes. It changes no result."""
    seed: Count
    """Seed of fresh weights, of dropout and of all draws."""
    batches: DocumentBatches | None = None
    """Sizes of an update, for objectives that read documents."""
    mlm: Mlm | None = None
    """Settings of masked language modelling."""
    msm: Msm | None = None
    """Settings of masked sentences."""
    pairs: Pairs | None = None
    """Settings of the baselines CROP, ICT and CCP."""
    mexma: Mexma | None = None
    """Settings of MEXMA."""
    distill: Distill | None = None
    """Settings of the distillation."""

    def __post_init__(self) -> None:
        """Check the values, and that the sections given are those that the objective reads.

        Raises:
            BadInput: a value is outside its limits, a section is missing or not read by the objective, or sizes do not
                divide each other.
        """
        super().__post_init__()
        if self.objective != "ccp" and self.pairs is not None and self.pairs.memory_keys:
            raise BadInput(f"pairs.memory_keys must be 0 with the objective {self.objective}, which has no memory")
        for name in {name for names in READS.values() for name in names}:
            if (getattr(self, name) is not None) != (name in READS[self.objective]):
                raise BadInput(f"the objective {self.objective} reads the sections {', '.join(READS[self.objective])}")
        if self.mlm and self.mlm.batch_blocks % (parts := self.micro_batches):
            raise BadInput(f"mlm.batch_blocks must be a multiple of {parts} softmaxes, got {self.mlm.batch_blocks}")
        self._check_heads()

    def _check_heads(self) -> None:
        """Check that some weights learn while the encoder is frozen, and that updates are left for the encoder."""
        if not self.head_steps:
            return
        if self.head_steps >= self.steps:
            raise BadInput(f"head_steps must be below steps, got {self.head_steps} and {self.steps}")
        bare = self.pairs and self.pairs.projector == "none" and self.mlm and not self.mlm.weight
        if bare or self.distill:
            raise BadInput(f"head_steps: with these settings {self.objective} trains nothing but the encoder")

    @classmethod
    def sections(cls, values: Mapping[str, Any]) -> list[str]:
        """Return the names of the sections that the objective of these values reads."""
        return list(READS.get(str(values.get("objective")), ()))

    @property
    def parallel(self) -> PairBatches | None:
        """Sizes of an update of translations; None for an objective that reads documents."""
        return self.mexma or self.distill

    @property
    def micro_batches(self) -> int:
        """Number of micro-batches in an update."""
        return (self.parallel or present(self.batches)).micro_batches

    @property
    def gather(self) -> str:
        """Whether one softmax spans all processes, as `msm.gather` says; `none` for other objectives."""
        return self.msm.gather if self.msm else "none"

    @property
    def shares(self) -> int:
        """Number of equal parts into which an update can be divided among processes; 0 for any number."""
        return 0 if self.gather != "none" else self.micro_batches


def _parts(section: str, whole_name: str, whole: int, part_name: str, part: int) -> int:
    count, rest = divmod(whole, part)
    if rest:
        raise BadInput(f"{section}.{part_name} must divide {whole_name}={whole}, got {part}")
    return count
