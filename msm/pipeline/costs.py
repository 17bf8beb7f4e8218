"""Estimates the cost of a recipe from its settings: operations, hours and bytes of every stage. Nothing is run."""

from collections.abc import Sequence
from typing import NamedTuple

from msm.finetuning.settings import Finetune
from msm.pipeline.checks import block
from msm.pipeline.stages import STAGES
from msm.pipeline.tasks import Task
from msm.pretraining.settings import Pretrain
from msm.settings import Settings, present

PEAK = {"bf16": 312e12, "fp32": 19.5e12}
"""Floating-point operations a second of an A100 (NVIDIA's data sheet, dense): bf16 on tensor cores, plain fp32."""
BYTES = {"weights": 4, "training": 16}
"""Bytes of a parameter: fp32 weights; weights, gradient and the two moments of AdamW."""
BASE = {"width": 768, "layers": 12, "feed_forward": 3072, "positions": 514}
PIECES = 250_002
"""Sizes of XLM-R base, for recipes that start from its checkpoint; `LARGE`: from one with `large` in its name."""
LARGE = {"width": 1024, "layers": 24, "feed_forward": 4096, "positions": 514}
TEXT = 2.5e12
"""Bytes of the paper's clean text."""
KEPT = 2
"""Number of training states on disk at one time: the last one, and the one that is being written."""


class CostSizes(NamedTuple):
    """Sizes of a recipe's encoder and units that the estimate needs."""

    body: int
    """Number of parameters of the transformer layers."""
    width: int
    pieces: int
    positions: int
    unit_tokens: int
    document_units: int
    sentence_tokens: int
    """Largest number of tokens of a parallel sentence."""

    @property
    def parameters(self) -> int:
        """Number of parameters of the encoder: layers, embeddings of pieces, positions and one type, and their norm."""
        return self.body + self.width * (self.pieces + self.positions + 3)

    @property
    def token_bytes(self) -> int:
        """Number of bytes of a token in a shard."""
        return 2 if self.pieces <= 1 << 16 else 4


class Cost(NamedTuple):
    """Cost of all rows of one stage."""

    stage: str
    rows: int
    gpus: int
    """Number of GPUs that one row runs on."""
    operations: float
    """Number of floating-point operations of all rows."""
    hours: float
    """Hours of all rows, one after another; 0 for stages whose time does not follow from settings."""
    read_bytes: float
    """Number of bytes of packed tokens that training reads."""
    weight_bytes: float
    """Number of bytes of the finished weights."""
    scratch: float
    """Number of bytes of training states while one row runs."""


def plan(tasks: Sequence[Task], *, mfu: float, gpus: int = 0, examples: int = 0) -> list[Cost]:
    """Estimate the cost of every stage of a recipe.

    Args:
        tasks: tasks of the recipe.
        mfu: share of the GPUs' peak speed that training reaches, from 0 to 1.
        gpus: number of GPUs of a training row; 0 takes the table of stages.
        examples: number of fine-tuning examples, for recipes with epochs.
    """
    sizes = read_sizes(tasks)
    costs = []
    for stage in dict.fromkeys(task.stage for task in tasks):
        rows = [task.settings for task in tasks if task.stage == stage]
        stage_gpus = (gpus or STAGES[stage].gpus) if STAGES[stage].gpus > 1 else STAGES[stage].gpus
        work = [training(row, sizes, examples) for row in rows]
        peaks = [PEAK[getattr(row, "precision", "fp32")] for row in rows]
        seconds = sum(operations / peak for (operations, _), peak in zip(work, peaks, strict=True))
        operations = sum(operations for operations, _ in work)
        weights = sizes.parameters if STAGES[stage].payload == "model" else 0
        costs.append(
            Cost(
                stage,
                len(rows),
                stage_gpus,
                operations,
                hours=seconds / (mfu * max(stage_gpus, 1) * 3600),
                read_bytes=sum(tokens for _, tokens in work) * sizes.token_bytes,
                weight_bytes=len(rows) * weights * BYTES["weights"],
                scratch=weights * BYTES["training"] * KEPT if operations else 0,
            )
        )
    return costs


def read_sizes(tasks: Sequence[Task]) -> CostSizes:
    """Read the sizes of encoder and units from a recipe; a recipe with a checkpoint gets the sizes of XLM-R."""
    by_stage = {task.stage: vars(task.settings) for task in reversed(tasks)}
    encoder, units = by_stage["encoder"], by_stage["units"]
    public = LARGE if "large" in encoder["checkpoint"] else BASE
    width, layers, inner, positions = (encoder[name] or usual for name, usual in public.items())
    return CostSizes(
        body=layers * block(width, inner),
        width=width,
        pieces=by_stage["tokenizer"]["pieces"] or PIECES,
        positions=positions,
        unit_tokens=units["unit_tokens"],
        document_units=units["document_units"],
        sentence_tokens=by_stage.get("pairs", by_stage.get("teach", {})).get("sentence_tokens", 0),
    )


def training(row: Settings, sizes: CostSizes, examples: int) -> tuple[float, float]:
    """Floating-point operations and tokens of one training row; 0 for a stage that trains nothing.

    Forward and backward take 6 operations a parameter and token. Attention's own products add less than a tenth at
    these lengths and are left out. The vocabulary is multiplied at masked positions only; the document encoder reads
    a document once for every unit that it hides in turn, as the paper states it, or once where it hides a share.
    Parallel sentences count at full length; MEXMA reads both sides twice, and its fresh layers the masked ones.
    """
    if isinstance(row, Pretrain) and row.parallel:
        once = 2 * row.parallel.batch_pairs * sizes.sentence_tokens
        each: float = sizes.body
        if row.mexma:
            fresh = row.mexma.layers * block(sizes.width, row.mexma.inner_width or 4 * sizes.width)
            each = 2 * sizes.body + fresh + row.mexma.mask_share * sizes.width * sizes.pieces
        return row.steps * 6.0 * each * once, float(row.steps * once)
    if isinstance(row, Pretrain):
        clean, masked_tokens = texts(row, sizes)
        share = present(row.mlm).mask_share
        each = 6 * (sizes.body * (clean + masked_tokens) + sizes.width * sizes.pieces * share * masked_tokens)
        if row.msm:
            vectors = present(row.batches).batch_documents * sizes.document_units
            vectors *= sizes.document_units if row.msm.masking == "each" else 1
            each += 6 * row.msm.document_layers * block(sizes.width, 4 * sizes.width) * vectors
        return row.steps * each, row.steps * (clean + masked_tokens)
    if isinstance(row, Finetune):
        questions = row.steps * row.batches.batch_queries or row.epochs * examples
        length = row.encoding.query_tokens + (1 + row.batches.hard_negatives) * row.encoding.passage_tokens
        return 6.0 * sizes.body * questions * length, 0.0
    return 0.0, 0.0


def texts(row: Pretrain, sizes: CostSizes) -> tuple[int, int]:
    """Return the numbers of tokens of an update at full length: of texts as they are, and of masked texts.

    The control reads as many tokens as the other objectives, all of them in masked texts.
    """
    documents, mlm = present(row.batches).batch_documents, present(row.mlm)
    units = documents * sizes.document_units * sizes.unit_tokens
    blocks = mlm.batch_blocks * mlm.block_tokens
    if row.objective == "mlm":
        return 0, units + blocks
    clean = documents * (sizes.unit_tokens + mlm.block_tokens) if row.objective == "ict" else units
    return clean, clean if mlm.text == "units" else blocks
