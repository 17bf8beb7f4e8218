"""Benchmarks: the reader of their files, the rules by which they are scored, and their published sizes."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from msm.collections.bitext import Bitext
from msm.collections.collection import Collection, Draft, OwnIds, PassageContext, Pool, Rules, assemble
from msm.collections.measure_names import AnswerRule, Measure, parse_measure
from msm.errors import BadInput
from msm.files import read_json

RULES = "rules.json"
"""Name of the file in which your own data may say how they are searched and scored."""
Ties = Literal["trec", "list", "reversed"]
"""Rules for the order of equal scores in official scorers; see `msm.evaluation.ranks`."""
Mean = Literal["macro", "micro"]
"""Kind of mean: of the languages' means (`macro`), or of all questions (`micro`)."""


class PublishedSizes(NamedTuple):
    """Published sizes of one language; None where a size is not known."""

    questions: int | None = None
    passages: int | None = None
    judgements: int | None = None


Reader = Callable[[Path, Sequence[str]], Draft]
"""Function from the folder of the files, and the languages to read (empty for all), to their content."""


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, or your own data that are read and scored in the same way."""

    name: str
    """Name of the benchmark, one word; for your own data, a name of your choice."""
    title: str
    """Name of the benchmark as papers write it."""
    protocol: str
    """Name of the protocol, whose rules decide which passages are relevant."""
    reader: Reader
    """Function that reads the files."""
    measures: tuple[str, ...]
    """Names of the official measures."""
    language_measures: tuple[str, ...] = ()
    """Names of the official measures in pools of one language, where they differ."""
    sources: tuple[str, ...] = ()
    """Papers and data sets that describe the data and the rules."""
    split: str | None = None
    """Split of the published questions, such as `test`; None for your own data."""
    counts: Mapping[str, PublishedSizes] = field(default_factory=dict)
    """Published sizes by language; empty for your own data, which are not checked."""
    passages: int | None = None
    """Published number of all passages together."""
    least_passages: int = 0
    """Smallest possible number of passages, where the exact size of the published corpus is not known."""
    by_language: bool = False
    """Whether every language has a pool of its own, so that some may be left out."""
    asked_in: str = ""
    """Language of all questions, where `counts` are by the language of the passages; empty where both agree."""
    languages: tuple[str, ...] = ()
    """Codes of the languages to read; empty for all."""
    answers: AnswerRule | None = None
    """Rule by which passages are matched with answers, where they are not judged; it decides the measures."""
    least_depth: int = 1
    """Smallest number of passages that a run must keep, beside the cutoffs of the measures."""
    passage_context: PassageContext = "none"
    """Text of a passage that the official run searches, as in `Rules`; your own data may say another."""
    own_ids: OwnIds = "kept"
    """Whether passages with the id of the question are kept or dropped, as in `Rules`; your own data may say
    otherwise."""
    ties: Ties = "trec"
    """Official rule for the order of equal scores."""
    mean: Mean = "macro"
    """Official kind of mean over all languages."""
    instruction: str = ""
    """Published instruction for models whose prompt asks for one, as in `Rules`; your own data may have another."""
    printed_as: str = ""
    """Name of the benchmark whose published numbers are comparable; empty for the benchmark itself."""
    fetch: Callable[[Path], None] | None = None
    """Function that downloads the files that the folder lacks, before their checksums are taken; None where a reader
    downloads nothing."""

    def measured_by(self, names: Sequence[str]) -> "Benchmark":
        """Return the benchmark with other measures, or unchanged where none is named.

        Raises:
            BadInput: an unknown measure, or passages that are matched with answers, whose measures follow from that.
        """
        if names and self.answers:
            raise BadInput(f"{self.name}: its passages are not judged, so its measures cannot be chosen")
        measures = tuple(str(parse_measure(name)) for name in names)
        return replace(self, measures=measures, language_measures=()) if measures else self

    def parsed_measures(self, pool: Pool | None = None) -> list[Measure]:
        """Return the official measures of a pool."""
        one_language = pool is not None and pool.candidate_language is not None
        names = self.language_measures if one_language and self.language_measures else self.measures
        return [parse_measure(name) for name in names]

    def protocol_of(self, collection: Collection) -> str:
        """Return all choices, apart from the model, that decide a score of the collection."""
        return f"{self.protocol}; own ids {collection.rules.own_ids}; printed mean {self.mean}"

    def read(self, folder: Path) -> Collection:
        """Read the collection in a folder, and check the sizes of a published one.

        The questions are checked first: a wrong file is found before millions of passages are read. Data of one's own
        may hold a file `rules.json` that says what the files do not: `passage_context`, `own_ids`, `instruction`.

        Raises:
            BadInput: a file is missing or malformed, or the sizes are not the published ones.
        """
        rules = self._rules(folder)
        draft = self.reader(folder, self.languages or tuple(self.counts if self.by_language else ()))
        self._check_questions(folder, draft)
        if rules.own_ids == "dropped":
            _check_own_ids(folder, draft)
        try:
            collection = assemble(draft)
        except BadInput as error:
            raise error if str(folder) in str(error) else BadInput(f"{folder}: {error}") from error
        self._check_passages(folder, collection)
        return collection._replace(rules=rules)

    def _rules(self, folder: Path) -> Rules:
        rules = Rules(self.passage_context, self.own_ids, self.instruction)
        path = folder / RULES
        return rules if self.split or not path.is_file() else _said_rules(path, rules)

    def owned(self, name: str) -> "Benchmark":
        """Return the benchmark for your own data, which have no published sizes."""
        return replace(
            self, name=name, title=name, split=None, counts={}, passages=None, least_passages=0, by_language=False
        )

    def _checked_languages(self, counts: Mapping[str, int]) -> list[str]:
        if not self.counts:
            return []
        return sorted(self.languages or {*self.counts, *counts})

    def _check_questions(self, folder: Path, draft: Draft) -> None:
        if self.languages and not draft.queries:
            raise BadInput(f"{folder}: no question in {', '.join(self.languages)}")
        questions = Counter(query.language for query in draft.queries)
        languages = {query.query_id: query.language for query in draft.queries}
        judgements = Counter(languages.get(qrel.query_id, "") for qrel in draft.qrels)
        if self.asked_in and self.counts:
            self._check_together(folder, questions.total(), judgements.total())
            return
        for language in self._checked_languages(questions):
            counts = self.counts.get(language, PublishedSizes(0))
            self._check(folder, f"{language} has", "questions", questions[language], counts.questions)
            self._check(folder, f"{language} has", "judgements", judgements[language], counts.judgements)

    def _check_together(self, folder: Path, questions: int, judgements: int) -> None:
        """Compare the sizes of all languages together, where a question's language does not name its passages."""
        all_counts = [self.counts[language] for language in self._checked_languages({})]
        self._check(folder, "there are", "questions", questions, sum(counts.questions or 0 for counts in all_counts))
        self._check(folder, "there are", "judgements", judgements, sum(counts.judgements or 0 for counts in all_counts))

    def _check_passages(self, folder: Path, collection: Collection) -> None:
        counts = collection.passages.counts
        for language in self._checked_languages({}):
            self._check(folder, f"{language} has", "passages", counts[language], self.counts[language].passages)
        self._check(folder, "there are", "passages", len(collection.passages), self.passages)
        if len(collection.passages) < self.least_passages:
            raise self._unofficial(folder, f"{len(collection.passages)} passages are not the published corpus")

    def _check(self, folder: Path, where: str, things: str, count: int, published_count: int | None) -> None:
        if published_count is not None and count != published_count:
            raise self._unofficial(folder, f"{where} {count} {things} instead of {published_count}")

    def _unofficial(self, folder: Path, problem: str) -> BadInput:
        return BadInput(
            f"{folder}: not the published {self.title}: {problem}; data of your own in the same files are "
            f"--format {self.name} and bear another name"
        )


def _check_own_ids(folder: Path, draft: Draft) -> None:
    for qrel in draft.qrels:
        if qrel.query_id == qrel.passage_id and qrel.label >= 1:
            raise BadInput(
                f"{folder}: passage {qrel.passage_id} is judged relevant to the query of the same id, and this format "
                f'drops passages with the id of the question; write {RULES} with {{"own_ids": "kept"}} beside the files'
            )


def _said_rules(path: Path, rules: Rules) -> Rules:
    """The rules as a file says them."""
    values = read_json(path)
    choices = {"passage_context": get_args(PassageContext), "own_ids": get_args(OwnIds)}
    if not isinstance(values, dict) or not values.keys() <= set(Rules._fields):
        raise BadInput(f"{path}: expected a JSON object with any of {', '.join(Rules._fields)}, got {values!r:.60}")
    for name, value in values.items():
        if not isinstance(value, str) or value not in choices.get(name, (value,)):
            raise BadInput(f"{path}: {name} must be {' or '.join(choices.get(name, ('text',)))}, got {value!r:.60}")
    return rules._replace(**values)


@dataclass(frozen=True)
class BitextBenchmark:
    """A benchmark of aligned sentences, in which translations are mined, or your own aligned sentences."""

    name: str
    """Name of the benchmark, one word; for your own data, a name of your choice."""
    title: str
    """Name of the benchmark as papers write it."""
    protocol: str
    """Name of the protocol, whose rules decide which targets are right."""
    reader: Callable[[Path, str], Iterator[Bitext]]
    """Function that reads pairs of languages in a folder."""
    pairs: str
    """Pairs of languages that are read where none are named: those whose mean is published."""
    measures: tuple[str, ...]
    """Names of the official measures."""
    split: str | None = None
    """Split of the published files, such as `test`; None for your own data."""
    equal_texts_are_right: bool = False
    """Whether another target with the same text as the aligned one is right too."""
    printed_as: str = ""
    """Name of the benchmark whose published numbers are comparable; empty for the benchmark itself."""

    def read(self, folder: Path, pairs: str) -> Iterator[Bitext]:
        """Read some pairs of languages.

        Raises:
            BadInput: a file is missing, malformed or not aligned with the other one.
        """
        return self.reader(folder, pairs)
