"""Settings of the stages `pretrain` and `teach`."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msm.corpora.settings import Pairs
from msm.encoders.settings import StatePooling
from msm.settings import Between, Count, Form, Positive, Rate, Settings, Share, Temperature


@dataclass(frozen=True, kw_only=True)
class Teach(Pairs):
    """Parallel sentences to token ids, and a teacher's vectors of those of the pivot language."""

    teacher_pooling: Literal["own", "cls", "mean"]
    """How the teacher's states become a vector; `own`: as its files say, of length 1 if they do; the others: as they
    come, so that a student that starts from the teacher is right in the pivot language from the beginning."""
    precision: Literal["fp32", "bf16"]
    batch_tokens: Positive
    """Tokens encoded at once."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Settings):
    """Pre-training of the sentence encoder: the masked sentence model or a control with the same budget."""

    objective: Literal["msm", "mlm", "crop", "ict", "ccp", "mexma", "distill"]
    """Beside masked tokens: `msm` masked sentences; `mlm` more masked tokens (the control); `crop` two units of a
    document; `ict` a unit and its block; `ccp` two neighbours, and a memory of negatives. On pairs of translations
    instead of documents: `mexma` tokens unmasked with the vector of the translation; `distill` a teacher's vectors."""
    steps: Count
    """Optimiser updates; 0 keeps the start weights."""
    batch_documents: Annotated[int, Between(2)]
    """Runs of units an update, over all processes; or pairs of translations."""
    softmax_documents: Annotated[int, Between(2)]
    """Runs of units in one softmax, all of one language; divides `batch_documents`. The paper: 16. Of pairs: those
    among which KoLeo looks for the nearest; 32 or more."""
    batch_blocks: Positive
    """MLM blocks an update, over all processes; a multiple of the number of softmaxes."""
    block_tokens: Annotated[int, Between(8)]
    """Length of an MLM block; the paper: 256."""
    mlm_text: Literal["blocks", "units"]
    """MLM on blocks of mixed languages (the paper), or on masked copies of the same units (faster)."""
    mask_share: Share
    """Share of the tokens that MLM selects; 80 % masked, 10 % random, 10 % kept. MEXMA: 0.4."""
    mlm_weight: Rate
    """Weight of the masked tokens; `distill` has none."""
    msm_weight: Rate
    """Weight of the contrastive loss, or in the control of the second MLM micro-batch that takes its place; of the
    squared error of `mexma` and `distill`."""
    koleo_weight: Rate
    """Weight of the spread of the vectors; for `mexma` only: 0.01."""
    temperature: Temperature
    """Divides the cosines of the contrastive loss; the released code: 0.1."""
    mu: Rate
    """Weight of the bias taken off the same-document logits; the paper: 0.5."""
    negatives: Literal["all", "cross-document"]
    """Candidates of the softmax; `cross-document` leaves the other units of the same document out."""
    gather: Literal["none", "no_grad", "grad"]
    """Whether a softmax spans all processes, and whether other processes' vectors carry gradient; the paper: `none`."""
    masking: Annotated[str, Form("each|share:0?[.][0-9]+")]
    """`each` sentence in turn, all others seen (the paper); `share:0.3` hides a random share of a document at once."""
    projector: Literal["asymmetric", "shared", "none"]
    document_layers: Positive
    """Layers of the document encoder (the paper: 2), or of the transformer that unmasks in `mexma` (6)."""
    document_heads: Count
    """Their attention heads; 0 for as many as the sentence encoder has. MEXMA: 8."""
    document_dropout: Share
    document_groups: str
    """Languages with a document encoder of their own group, as `en=english, fr=romance`; the rest share one."""
    group_heads: Literal["shared", "separate"]
    """Whether each group has projection heads of its own, too (table 4: Sep Doc + Head)."""
    memory_keys: Count
    """Keys remembered of each language; for `ccp` only, the masked sentence model has no memory."""
    pooling: StatePooling
    """How a unit becomes a vector: first token (`cls`, the paper), last token (`lasttoken`, for causal models), or
    `mean`, `max`, `weightedmean` or `mean_sqrt_len_tokens` over all tokens."""
    language_exponent: Annotated[float, Between(0, 1)]
    """Languages are drawn by their number of runs, or of pairs, to this power; 0.3 in XLM-R."""
    activations: Literal["kept", "recomputed"] = "kept"
    """`recomputed` keeps only the states between layers and computes each layer again for the gradient: less memory,
    about a third more time, the same result."""
    head_steps: Count = 0
    """Updates at the beginning, counted in `steps`, that train only what is new, such as a language-model head that the
    checkpoint lacks: the encoder stands still, so that no gradient of random weights reaches it."""
    head_learning_rate: Rate = 0.001
    """Learning rate of these updates, without warm-up or decay."""
    learning_rate: Rate
    warmup_steps: Count
    schedule: Literal["linear", "cosine"]
    """`linear`: warm-up from 0, then a straight line to 0 (the paper); `cosine`: warm-up from a tenth of the rate, then
    half a cosine to 0 (MEXMA)."""
    schedule_steps: Count
    """Where the decay reaches 0; 0 means at `steps`."""
    beta1: Share
    beta2: Share
    epsilon: Rate
    weight_decay: Rate
    clip: Rate
    """Largest gradient norm; 0 for none."""
    precision: Literal["fp32", "bf16"]
    checkpoint_steps: Positive
    """Steps between two checkpoints."""
    seed: Count

    @property
    def shares(self) -> int:
        """Into how many equal parts an update can be cut for processes; 0 where softmaxes span any number of them."""
        return 0 if self.gather != "none" else self.batch_documents // self.softmax_documents
