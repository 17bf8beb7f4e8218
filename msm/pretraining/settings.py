"""Settings of the stages `pretrain` and `teach`: what all objectives share, and a section for each kind of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msm.corpora.settings import Parallel
from msm.encoders.settings import StatePooling
from msm.errors import BadInput
from msm.settings import Between, Count, Form, Positive, Rate, Settings, Share, Temperature, present

READS = {
    "msm": ("batches", "mlm", "msm"),
    "mlm": ("batches", "mlm"),
    "crop": ("batches", "mlm", "pairs"),
    "ict": ("batches", "mlm", "pairs"),
    "ccp": ("batches", "mlm", "pairs"),
    "mexma": ("mexma",),
    "distill": ("distill",),
}
"""Objective to the sections that it reads."""


@dataclass(frozen=True, kw_only=True)
class Teach(Parallel):
    """Parallel sentences to token ids, and a teacher's vectors of those of the pivot language."""

    teacher_pooling: Literal["own", "cls", "mean"] = "own"
    """How the teacher's token states become a vector. `own` follows the teacher's files, normalised if they say so;
    `cls` and `mean` take the vectors as they come, so that a student that starts from the teacher is right in the pivot
    language from the beginning."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Number format of the teacher's forward pass."""
    batch_tokens: Positive = 16384
    """Tokens that the teacher encodes at once. More tokens need more memory; the vectors stay the same."""


@dataclass(frozen=True, kw_only=True)
class DocumentBatches(Settings):
    """How many documents an update reads, for objectives that read documents."""

    batch_documents: Annotated[int, Between(2)]
    """Documents (spans of consecutive units) of an update, over all processes."""
    softmax_documents: Annotated[int, Between(2)]
    """Documents that share one softmax, all of one language; must divide `batch_documents`. The paper takes 16."""

    @property
    def micro_batches(self) -> int:
        """Softmaxes of an update.

        Raises:
            BadInput: the sizes do not divide.
        """
        return _parts("batches", "batch_documents", self.batch_documents, "softmax_documents", self.softmax_documents)


@dataclass(frozen=True, kw_only=True)
class Mlm(Settings):
    """Masked language modelling, which stands beside every objective that reads documents.

    The objective `mlm` is the control of the same budget: it reads a second batch of masked tokens in place of the
    masked sentences, with the same weight.
    """

    batch_blocks: Positive
    """Blocks of running text whose tokens are masked, of an update, over all processes; a multiple of the number of
    softmaxes."""
    block_tokens: Annotated[int, Between(8)]
    """Tokens of a block of running text, and longest answer of the objective `ict`. The paper takes 256."""
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
    """Divides the cosines of the contrastive loss. The released code takes 0.1."""
    mu: Rate = 0.5
    """Weight of the bias that is taken off the logits of sentences of the same document; 0 takes none off. The paper
    takes 0.5 (table 5)."""
    negatives: Literal["all", "cross-document"] = "all"
    """Candidates of the softmax: `all` its sentences, or only those of other documents (`cross-document`, table 5)."""
    gather: Literal["none", "no_grad", "grad"] = "none"
    """Whether one softmax spans all processes, and whether the vectors of other processes carry a gradient. `none`, as
    in the paper, keeps every softmax on one process."""
    masking: Annotated[str, Form("each|share:0?[.][0-9]+")] = "each"
    """Which sentences are hidden: `each` in turn while all others are seen (the paper), or a random share of a document
    at once, such as `share:0.3`."""
    projector: Literal["asymmetric", "shared", "none"] = "asymmetric"
    """Projection heads of guesses and sentences: one each, one for both, or none (table 7)."""
    document_layers: Positive = 2
    """Layers of the document encoder. The paper takes 2 (table 8)."""
    document_heads: Count = 0
    """Attention heads of the document encoder; 0 for as many as the sentence encoder has."""
    document_dropout: Share = 0.1
    """Dropout of the document encoder."""
    document_groups: str = ""
    """Languages whose group has a document encoder of its own, such as `en=english, fr=romance, es=romance`; all
    others share one (table 4)."""
    group_heads: Literal["shared", "separate"] = "shared"
    """Whether each group of `document_groups` has projection heads of its own as well (table 4: Sep Doc + Head)."""


@dataclass(frozen=True, kw_only=True)
class Pairs(Settings):
    """Two parts of one document are pulled together: the baselines CROP, ICT and CCP."""

    weight: Rate = 1.0
    """Weight of the contrastive loss in the sum with the loss of masked tokens."""
    temperature: Temperature = 0.1
    """Divides the cosines of the contrastive loss."""
    projector: Literal["asymmetric", "shared", "none"] = "asymmetric"
    """Projection heads of queries and keys: one each, one for both, or none."""
    memory_keys: Count = 0
    """Keys of earlier updates that are remembered of each language as further negatives of `ccp` (arXiv 2206.03281); 0
    for none. `crop` and `ict` have no memory."""


@dataclass(frozen=True, kw_only=True)
class PairBatches(Settings):
    """How many translations an update reads."""

    batch_pairs: Annotated[int, Between(2)]
    """Pairs of translations of an update, over all processes."""
    micro_pairs: Annotated[int, Between(2)]
    """Pairs that are encoded together; must divide `batch_pairs`."""

    @property
    def micro_batches(self) -> int:
        """Parts of an update that are encoded one after another.

        Raises:
            BadInput: the sizes do not divide.
        """
        return _parts(self.section, "batch_pairs", self.batch_pairs, "micro_pairs", self.micro_pairs)

    @property
    def section(self) -> str:
        """Name of the section in a recipe."""
        return type(self).__name__.lower()


@dataclass(frozen=True, kw_only=True)
class Mexma(PairBatches):
    """MEXMA: hidden tokens are found with the vector of the translation (arXiv 2409.12737).

    KoLeo looks for the nearest vector among `micro_pairs` pairs; 32 or more are sensible, the paper takes 150.
    """

    mask_share: Share = 0.4
    """Share of the tokens of a sentence that are hidden. The paper takes 0.4."""
    alignment_weight: Rate = 1.0
    """Weight of the squared distance between the two vectors of a pair."""
    unmasking_weight: Rate = 1.0
    """Weight of the loss of the hidden tokens."""
    koleo_weight: Rate = 0.01
    """Weight of the loss that spreads the vectors of a batch (KoLeo). The paper takes 0.01."""
    layers: Positive = 6
    """Layers of the transformer that finds the hidden tokens and is thrown away afterwards. The paper takes 6."""
    heads: Count = 8
    """Attention heads of that transformer; 0 for as many as the sentence encoder has. The paper takes 8."""
    dropout: Share = 0.1
    """Dropout of that transformer, outside of its attention."""


@dataclass(frozen=True, kw_only=True)
class Distill(PairBatches):
    """A teacher's vectors are learned by mean squared error, in both languages (arXiv 2004.09813, equation 1)."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Settings):
    """Pre-training of the sentence encoder: masked sentences, a control of the same budget, baselines, translations."""

    objective: Literal["msm", "mlm", "crop", "ict", "ccp", "mexma", "distill"]
    """What is learned. Of documents: `msm` masked sentences beside masked tokens; `mlm` masked tokens only, the control
    of the same budget; `crop` two units of a document; `ict` a unit and the block around it; `ccp` two neighbours and a
    memory of negatives. Of pairs of translations: `mexma` tokens found with the vector of the translation; `distill`
    the vectors of a teacher."""
    steps: Count
    """Optimiser updates; 0 keeps the start weights."""
    pooling: StatePooling
    """How the token states of a sentence become its vector: first token (`cls`, as in the paper), last token
    (`lasttoken`, for causal models), or `mean`, `max`, `weightedmean` or `mean_sqrt_len_tokens` over all tokens."""
    language_exponent: Annotated[float, Between(0, 1)]
    """Languages are drawn in proportion to their amount of data to this power: 1 as they are, 0 all alike. XLM-R takes
    0.3."""
    activations: Literal["kept", "recomputed"] = "kept"
    """`recomputed` keeps only the states between layers and computes each layer again for the gradient: less memory,
    about a third more time, the same result."""
    head_steps: Count = 0
    """Updates at the beginning, counted in `steps`, that train only what is new, such as a language-model head that the
    checkpoint lacks: the encoder stands still, so that no gradient of random weights reaches it."""
    head_learning_rate: Rate = 0.001
    """Learning rate of these first updates, without warm-up or decay."""
    learning_rate: Rate
    """Highest learning rate of AdamW."""
    warmup_steps: Count
    """Updates over which the learning rate rises."""
    schedule: Literal["linear", "cosine"] = "linear"
    """Course of the learning rate: `linear` rises from 0 and falls in a straight line to 0 (the paper); `cosine` rises
    from a tenth and falls along half a cosine to 0 (MEXMA)."""
    schedule_steps: Count = 0
    """Update at which the learning rate reaches 0; 0 for that of `steps`."""
    beta1: Share = 0.9
    """Decay of AdamW's mean of gradients."""
    beta2: Share = 0.98
    """Decay of AdamW's mean of squared gradients. The released code takes 0.98, MEXMA 0.999."""
    epsilon: Rate = 1e-6
    """Number that AdamW adds to the root of its mean of squared gradients."""
    weight_decay: Rate
    """Weight decay of AdamW, of all weights."""
    clip: Rate
    """Largest norm of the gradient; longer ones are shortened to it. 0 never shortens."""
    precision: Literal["fp32", "bf16"]
    """Number format of the matrix products. The weights are kept in fp32 either way."""
    checkpoint_steps: Positive = 500
    """Updates between two checkpoints, from which a killed training goes on. Changes no result."""
    seed: Count
    """Seed of fresh weights, of dropout and of all draws."""
    batches: DocumentBatches | None = None
    """How many documents an update reads."""
    mlm: Mlm | None = None
    """Masked language modelling."""
    msm: Msm | None = None
    """Masked sentences."""
    pairs: Pairs | None = None
    """CROP, ICT and CCP."""
    mexma: Mexma | None = None
    """MEXMA."""
    distill: Distill | None = None
    """Distillation."""

    def __post_init__(self) -> None:
        """Check the values, and that the sections are those that the objective reads.

        Raises:
            BadInput: a value outside its limits, or a section too many or too few.
        """
        super().__post_init__()
        if self.objective != "ccp" and self.pairs is not None and self.pairs.memory_keys:
            raise BadInput(f"pairs.memory_keys must be 0 with the objective {self.objective}, which has no memory")
        for name in {name for names in READS.values() for name in names}:
            if (getattr(self, name) is not None) != (name in READS[self.objective]):
                raise BadInput(f"the objective {self.objective} reads the sections {', '.join(READS[self.objective])}")

    @classmethod
    def sections(cls, values: Mapping[str, Any]) -> list[str]:
        """Sections that the objective among these values reads."""
        return list(READS.get(str(values.get("objective")), ()))

    @property
    def parallel(self) -> PairBatches | None:
        """Sizes of an update of translations; None for an objective that reads documents."""
        return self.mexma or self.distill

    @property
    def micro_batches(self) -> int:
        """Into how many micro-batches an update is cut."""
        return (self.parallel or present(self.batches)).micro_batches

    @property
    def gather(self) -> str:
        """Whether softmaxes span all processes; `none` but where the masked sentences ask for it."""
        return self.msm.gather if self.msm else "none"

    @property
    def shares(self) -> int:
        """Into how many equal parts an update can be cut for processes; 0 where softmaxes span any number of them."""
        return 0 if self.gather != "none" else self.micro_batches


def _parts(section: str, whole_name: str, whole: int, part_name: str, part: int) -> int:
    count, rest = divmod(whole, part)
    if rest:
        raise BadInput(f"{section}.{part_name} must divide {whole_name}={whole}, got {part}")
    return count
