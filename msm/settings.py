"""The settings of every stage: meaning, unit and limits; no values, those stand in the recipe.

Flat and plain (`int`, `float`, `str`), so that DVC, Kubeflow and a command line carry them unchanged.
A list is a string with commas.
"""

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from msm.errors import BadInput


class Between(NamedTuple):
    """Limits of a number, both included."""

    low: float
    high: float = float("inf")


class Form(NamedTuple):
    """A pattern that a text must match as a whole."""

    pattern: str


Count = Annotated[int, Between(0)]
Positive = Annotated[int, Between(1)]
Share = Annotated[float, Between(0, 1)]
Rate = Annotated[float, Between(0)]
Temperature = Annotated[float, Between(1e-6)]


@dataclass(frozen=True)
class Settings:
    """Base of every stage's settings; checks each value against its type and limits when made."""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            BadInput: a value outside its type or limits.
        """
        for name, hint in hints(type(self)).items():
            _check(name, getattr(self, name), hint)


S = TypeVar("S", bound=Settings)


def hints(kind: type[Settings]) -> dict[str, Any]:
    """Field name to annotated type."""
    return get_type_hints(kind, include_extras=True)


def base_type(hint: Any) -> type:
    """`int`, `float` or `str` behind an annotated type."""
    if get_origin(hint) is Literal:
        return str
    return base_type(get_args(hint)[0]) if get_origin(hint) is Annotated else hint


def limits(hint: Any) -> Between | None:
    """The limits of a number, if it has any."""
    return next((part for part in get_args(hint)[1:] if isinstance(part, Between)), None)


def choices(hint: Any) -> tuple[str, ...]:
    """The values a choice allows; empty for anything else."""
    return get_args(hint) if get_origin(hint) is Literal else ()


def _check(name: str, value: object, hint: Any) -> None:
    kind = base_type(hint)
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise BadInput(f"{name} must be of type {kind.__name__}, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{name} must be finite, got {value!r}")
    allowed = choices(hint)
    if allowed and value not in allowed:
        raise BadInput(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    form = next((part for part in get_args(hint)[1:] if isinstance(part, Form)), None)
    if form and not re.fullmatch(form.pattern, str(value)):
        raise BadInput(f"{name} must match {form.pattern}, got {value!r}")
    bounds = limits(hint)
    if bounds and isinstance(value, int | float) and not bounds.low <= value <= bounds.high:
        upper = "" if bounds.high == float("inf") else f" and at most {bounds.high:g}"
        raise BadInput(f"{name} must be at least {bounds.low:g}{upper}, got {value!r}")


def make(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Settings from a recipe's values.

    Args:
        kind: the settings class.
        values: one value for every field, no more and no less.
        where: named in the message, such as `recipes/demo.yaml: pretrain`.

    Raises:
        BadInput: an unknown or missing setting, or a value out of range.
    """
    names = {field.name for field in dataclasses.fields(kind)}
    for problem, found in (("unknown", values.keys() - names), ("missing", names - values.keys())):
        if found:
            raise BadInput(f"{where}: {problem} setting: {', '.join(sorted(found))}")
    try:
        return kind(**values)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error


def listed(text: str) -> list[str]:
    """The items of a setting that is a list with commas; blanks around them are dropped."""
    return [item.strip() for item in text.split(",") if item.strip()]


@dataclass(frozen=True)
class Download(Settings):
    """Public files, fetched and verified."""

    collections: str
    """Names in `msm/corpora/sources.json`, and own folders as paths with a slash (`./texts`), with commas."""


@dataclass(frozen=True)
class World(Settings):
    """A small world told in constructed languages."""

    languages: Annotated[int, Between(2, 78)]
    """Constructed languages; the first is the one with training questions."""
    train_documents: Positive
    """Documents told in every language for pre-training."""
    question_documents: Positive
    """Documents with training questions."""
    test_documents: Positive
    """Documents with questions for dev, and as many for test."""
    common_share: Share
    """Share of the names and numbers, of each kind, that all languages write alike; each has own words for the rest."""
    synonyms: Positive
    """Words for each verb; a sentence and its question use different ones if there are several."""
    asked_share: Share
    """Share of the sentences of pre-training documents that their question goes before."""
    seed: Count
    """Of the world, its languages and its texts."""


@dataclass(frozen=True)
class Documents(Settings):
    """Any source to (language, document id, ordered sentences)."""

    collections: str
    """Files or folders below the sources, with commas: `documents/ntrex128.jsonl.gz`, folders of `LANG/*.txt`."""
    languages: str
    """Languages to keep, with commas; `all` keeps every one."""
    document_overlap: Literal["all", "disjoint"]
    """`all`: every language keeps every document; `disjoint`: each document stays in one language only."""
    reorder: Share
    """Share of the documents whose sentences are shuffled, in all languages but the first listed."""
    seed: Count
    """Of `disjoint` and `reorder`."""


@dataclass(frozen=True)
class Tokenizer(Settings):
    """A public tokenizer, or a SentencePiece unigram model trained on the documents."""

    name: str
    """`trained`, or the folder or hub name of a Hugging Face tokenizer."""
    pieces: Count
    """Vocabulary size of a trained one, special tokens included."""
    character_coverage: Annotated[float, Between(0.9, 1)]
    """Share of the characters that a trained one must spell."""
    language_sentences: Positive
    """Most sentences that training reads of one language; keeps large languages from crowding out small ones."""


@dataclass(frozen=True)
class Units(Settings):
    """Documents to packed token shards (protocol of the released code: greedy whole-sentence units)."""

    unit_tokens: Annotated[int, Between(8)]
    """Longest unit, its first special token included; the paper: 64."""
    document_units: Annotated[int, Between(2)]
    """Longest run of units that the document encoder reads; the paper: 32."""
    min_units: Annotated[int, Between(2)]
    """Shortest run that is kept; the paper: 32, that is, no padding ever."""


@dataclass(frozen=True)
class Pairs(Settings):
    """Parallel sentences to token ids."""

    collections: str
    """Files or folders below the sources, with commas: documents with sentences in several languages, questions with
    their English, folders of aligned lines; see `msm.corpora.bitext`."""
    pivot: str
    """Language of one side of every pair; with a teacher, the one that it knows."""
    languages: str
    """The other languages, with commas; `all` for every one."""
    sentence_tokens: Annotated[int, Between(8)]
    """Longest sentence, special tokens included; MEXMA: 200."""


@dataclass(frozen=True)
class Teach(Pairs):
    """Parallel sentences to token ids, and a teacher's vectors of those of the pivot language."""

    teacher_pooling: Literal["own", "cls", "mean"]
    """How the teacher's states become a vector; `own`: as its files say, of length 1 if they do; the others: as they
    come, so that a student that starts from the teacher is right in the pivot language from the beginning."""
    precision: Literal["fp32", "bf16"]
    batch_tokens: Positive
    """Tokens encoded at once."""


@dataclass(frozen=True)
class Encoder(Settings):
    """The start weights of a sentence encoder."""

    checkpoint: str
    """Folder or hub name of a Hugging Face encoder; empty for fresh weights of the sizes below."""
    layers: Count
    width: Count
    heads: Count
    feed_forward: Count
    positions: Count
    """Longest input in tokens."""
    dropout: Share
    seed: Count


@dataclass(frozen=True)
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
    pooling: Literal["cls", "mean"]
    """How a unit becomes a vector; the paper: `cls`."""
    language_exponent: Annotated[float, Between(0, 1)]
    """Languages are drawn by their number of runs, or of pairs, to this power; 0.3 in XLM-R."""
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


@dataclass(frozen=True)
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
    pooling: Literal["cls", "mean", "pooler"]
    """How a text becomes a vector: first token, mean over tokens, or first token through a dense layer and tanh."""
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

    @property
    def shares(self) -> int:
        """Into how many equal parts an update can be cut for processes."""
        return self.batch_queries // (self.shard_queries if self.gather == "none" else self.micro)

    @property
    def micro(self) -> int:
        """Questions encoded at once."""
        return self.micro_queries or self.shard_queries


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Retrieve(Settings):
    """Encode a benchmark's questions and candidates, search exactly, write TREC runs."""

    benchmark: str
    """A name in `msm.collections.registry.BENCHMARKS`, or the name of a pool of one's own in the same protocol."""
    questions: str
    """Folder of the questions below the sources."""
    depth: Positive
    """Passages kept per question in the multilingual pool; more where a measure of the benchmark looks deeper."""
    pool_depth: Positive
    """The same in the pool of one language."""
    batch_tokens: Positive
    """Tokens encoded at once."""
    precision: Literal["fp32", "bf16"]


@dataclass(frozen=True)
class Lexical(Settings):
    """BM25 over the same questions and candidates."""

    benchmark: str
    questions: str
    analyzer: Literal["words", "characters"]
    """Terms: words, or character n-grams of 2 to 4 within words."""
    k1: Rate
    b: Share
    depth: Positive
    pool_depth: Positive
    passage_context: Literal["none", "paragraph"]


@dataclass(frozen=True)
class Score(Settings):
    """Runs and judgements to `scores.jsonl`."""

    benchmark: str
    questions: str
    split: str
    setting: Literal["zero-shot", "multilingual", "multilingual, selected on these questions"]
    """Where the fine-tuning data come from. A checkpoint that was selected on the very questions it is scored on is
    said to be, and stands in a table of its own."""
    model: str
    """The row's name in tables."""
    ties: Literal["trec", "list", "pessimistic", "optimistic"]
    seed: Count

    @property
    def name(self) -> str:
        """What scores call the benchmark: `mr_tydi:NAME` is NAME. Pairs of bitext stay part of it: a mean is theirs."""
        return self.benchmark.rpartition(":")[2]


@dataclass(frozen=True)
class Report(Settings):
    """Score files of a recipe to tables."""

    recipe: str
    """Name of the recipe."""
    controls: str
    """Models that every other one is compared with, with commas; the floor first, such as `untrained, mlm`."""
    bootstrap: Annotated[int, Between(100)]
    """Resamples of the intervals."""
    seed: Count
