"""Makes the tasks of a recipe: one stage on one row each. Every launcher gets its tasks from here."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from msm.errors import BadInput
from msm.evaluation.settings import Score
from msm.pipeline.recipes import NAME, Values, mapping, merged, rows
from msm.pipeline.stages import STAGES, folder
from msm.settings import Settings, hints, make, section, suggestion


class Task(NamedTuple):
    """One execution of one stage, with every value resolved."""

    stage: str
    name: str
    """FOLDER/ROW, such as `pretrain/msm-1`."""
    settings: Settings
    reads: dict[str, str]
    """Name of each input to its folder."""
    out: str
    keys: tuple[str, ...]
    """Dotted keys of the recipe that its settings and inputs come from; a row is its list's name and its number."""

    @property
    def row(self) -> str:
        """Name of the row, which is that of its folder."""
        return self.name.partition("/")[2]


def tasks(recipe: Mapping[str, Any], where: str) -> list[Task]:
    """Return every task of a recipe, each behind those that it reads.

    Args:
        recipe: the recipe as `msm.pipeline.recipes.load` reads it.
        where: file of the recipe, for messages.

    Raises:
        BadInput: a missing section or field, an unknown setting or row, a value out of range, outputs of one name, or
            rows that read each other in a circle.
    """
    maker = _Maker(recipe, where)
    _texts(maker)
    _start_weights(maker)
    _trained(maker)
    _scored(maker)
    _check_outputs(maker.made, where)
    return _ordered(maker.made, where)


def _texts(maker: "_Maker") -> None:
    """Add the sources, the documents, tokenizer and units of every corpus, and parallel sentences."""
    maker.add_source()
    for key, corpus in maker.rows("corpora"):
        name, documents = corpus["name"], {"documents": f"documents/{corpus['name']}"}
        maker.add("documents", name, maker.sources, maker.values("documents", corpus), (key,))
        maker.add("tokenizer", name, documents, maker.values("tokenizer"))
        maker.add("units", name, documents | {"tokenizer": f"tokenizer/{name}"}, maker.values("units"))
    for key, row in maker.rows("parallel"):
        reads = maker.sources | {"tokenizer": f"tokenizer/{maker.field(key, row, 'corpus')}"}
        maker.add("pairs", row["name"], reads, maker.values("pairs", row), (key,))
    for key, row in maker.rows("taught"):
        reads = {"tokenizer": f"tokenizer/{maker.field(key, row, 'corpus')}", "model": maker.field(key, row, "teacher")}
        maker.add("teach", row["name"], maker.sources | reads, maker.values("pairs", row), (key,))


def _start_weights(maker: "_Maker") -> None:
    """Add fresh weights for every corpus, and the checkpoints of others, with every seed."""
    for key, row in maker.rows("checkpoints"):
        documents = {"documents": f"documents/{maker.field(key, row, 'corpus')}"}
        maker.add("tokenizer", row["name"], documents, maker.values("tokenizer", row), (key,))
    for seed in maker.seeds:
        for _, corpus in maker.rows("corpora"):
            name, values = corpus["name"], maker.values("encoder")
            maker.add("encoder", f"{name}-{seed}", {"tokenizer": f"tokenizer/{name}"}, values, seed=seed)
        for key, row in maker.rows("checkpoints"):
            name, values = row["name"], maker.values("encoder", row)
            maker.add("encoder", f"{name}-{seed}", {"tokenizer": f"tokenizer/{name}"}, values, (key,), seed=seed)


def _trained(maker: "_Maker") -> None:
    """Add pre-training, fine-tuning for every benchmark, mined negatives, and the rounds that read them."""
    for seed in maker.seeds:
        for key, row in maker.seeded("pretraining", seed):
            reads = {
                "units": f"units/{maker.field(key, row, 'corpus')}",
                "weights": f"{maker.field(key, row, 'start')}-{seed}",
            }
            maker.add("pretrain", f"{row['name']}-{seed}", reads, maker.values("pretrain", row), (key,), seed=seed)
        for benchmark_key, benchmark in maker.rows("benchmarks"):
            for key, model in maker.seeded("models", seed):
                maker.add_finetune(benchmark, model, seed, maker.sources, (benchmark_key, key))
            for key, row in maker.rows("mining"):
                model = f"finetune/{benchmark['name']}-{maker.field(key, row, 'model')}-{seed}"
                reads = maker.sources | {"model": model}
                name, values = f"{benchmark['name']}-{row['name']}-{seed}", maker.values("mine", row)
                maker.add("mine", name, reads, values, (benchmark_key, key), seed=seed)
            for key, model in maker.seeded("rounds", seed):
                mined_examples = f"mine/{benchmark['name']}-{maker.field(key, model, 'mined')}-{seed}"
                maker.add_finetune(benchmark, model, seed, {"sources": mined_examples}, (benchmark_key, key))


def _scored(maker: "_Maker") -> None:
    """Add runs and scores of models, of BM25 and of both together, and the report on all of them."""
    models = [*maker.rows("models"), *maker.retrievals()]
    for benchmark_key, benchmark in maker.rows("benchmarks"):
        for key, model in (*models, *maker.rows("rounds")):
            maker.add_scores(benchmark, benchmark["name"], model, (benchmark_key, key))
        for key, model in maker.rows("lexical_models"):
            row = f"{benchmark['name']}-{model['name']}"
            files = maker.benchmark_files(benchmark_key, benchmark)
            maker.add("lexical", row, maker.sources, maker.values("lexical", model), (benchmark_key, key), **files)
            maker.add_score(benchmark, model, row, "lexical", (benchmark_key, key), seed=0)
        for key, row in maker.rows("fusions"):
            maker.add_fusions(benchmark, row, (benchmark_key, key))
    for benchmark_key, benchmark in maker.rows("further_benchmarks"):
        for key, model in models:
            maker.add_scores(benchmark, maker.field(benchmark_key, benchmark, "tuned"), model, (benchmark_key, key))
    maker.add("report", "all", {"scores": "score"}, maker.values("report"), recipe=maker.name)


class _SectionValues(NamedTuple):
    """Values of a stage: those of a section that its rows share, and those of rows, a later one winning."""

    section: str
    common_values: Values
    rows: tuple[Values, ...]


class _Maker:
    """Makes tasks from a recipe's sections and rows.

    Args:
        recipe: the whole recipe.
        where: file of the recipe, for messages.
    """

    def __init__(self, recipe: Mapping[str, Any], where: str) -> None:
        self.recipe, self.where = recipe, where
        self.made: list[Task] = []
        self.name = str(self.need("recipe"))
        self.source = mapping(self.need("source"), f"{where}: source")
        self.sources = {"sources": f"sources/{self.field('source', self.source, 'name')}"}
        seeds = self.need("seeds")
        if not isinstance(seeds, list) or not seeds:
            raise BadInput(f"{where}: seeds must be a list, got {seeds!r}")
        self.seeds = seeds

    def need(self, key: str) -> Any:
        """Return the value of a key that every recipe has."""
        if key not in self.recipe:
            raise BadInput(f"{self.where}: missing {key}")
        return self.recipe[key]

    def field(self, key: str, row: Mapping[str, Any], name: str) -> str:
        """Return a field that a row must have."""
        if name not in row:
            raise BadInput(f"{self.where}: {key.partition('.')[0]} {row.get('name', '')}: missing {name}")
        return str(row[name])

    def rows(self, name: str) -> list[tuple[str, Values]]:
        """Return the key and values of every row of a list."""
        return [(f"{name}.{number}", row) for number, row in enumerate(rows(self.recipe, name, self.where))]

    def retrievals(self) -> list[tuple[str, Values]]:
        """Return the rows that search with a model of another row, on all benchmarks or on one."""
        retrieval_rows = self.rows("retrievals")
        names = [row["name"] for name in ("benchmarks", "further_benchmarks") for _, row in self.rows(name)]
        for key, row in retrieval_rows:
            self.field(key, row, "model")
            if (name := row.get("benchmark", names[0] if names else "")) not in names:
                raise BadInput(f"{self.where}: retrievals {row['name']}: no benchmark {name}{suggestion(name, names)}")
        return retrieval_rows

    def seeded(self, name: str, seed: int) -> list[tuple[str, Values]]:
        """Return the rows that are trained with a seed."""
        return [(key, row) for key, row in self.rows(name) if seed in self.row_seeds(key, row)]

    def row_seeds(self, key: str, row: Values, below: tuple[str, ...] = ()) -> list[Any]:
        """Return the seeds of a row: its own, else those of the row that it starts from or searches with, else all.

        Args:
            key: key of the row.
            row: values of the row.
            below: keys of rows that take their seeds from it; a circle of rows is refused elsewhere.
        """
        if "seeds" not in row:
            above = self._row_above(row)
            return self.row_seeds(*above, (*below, key)) if above and above[0] not in (*below, key) else self.seeds
        seeds = row["seeds"]
        if not isinstance(seeds, list) or not seeds or not set(seeds) <= set(self.seeds):
            where = f"{self.where}: {key.partition('.')[0]} {row['name']}"
            raise BadInput(f"{where}: seeds must be a list of the recipe's seeds {self.seeds}, got {seeds!r}")
        return seeds

    def _row_above(self, row: Values) -> tuple[str, Values] | None:
        lists = ("models", "retrievals", "rounds") if "start" not in row else ("pretraining",)
        name = str(row.get("start") or row.get("model") or row.get("dense") or "").removeprefix("pretrain/")
        above = [other for kind in lists for other in self.rows(kind) if other[1]["name"] == name]
        return above[0] if above else None

    def values(self, name: str, *differences: Mapping[str, Any]) -> _SectionValues:
        """Return the values of a section, and the differences that rows state under the same name."""
        shared_values = dict(mapping(self.recipe.get(name, {}), f"{self.where}: {name}"))
        parts = (row.get(name) or {} for row in differences)
        return _SectionValues(
            name, shared_values, tuple(dict(mapping(part, f"{self.where}: {name}")) for part in parts)
        )

    def add(
        self,
        stage: str,
        row: str,
        reads: Mapping[str, str],
        values: _SectionValues,
        keys: Sequence[str] = (),
        **constants: Any,
    ) -> None:
        """Add a task.

        Args:
            stage: name in the stage table.
            row: name of the folder.
            reads: input name to FOLDER/ROW.
            values: values of the settings.
            keys: keys of the rows that it comes from.
            constants: settings that do not come from the recipe's sections.
        """
        name, kind = f"{folder(stage)}/{row}", STAGES[stage].settings
        whole = values.common_values
        for difference in values.rows:
            whole = merged(whole, difference)
        whole = {**whole, **constants}
        stated_names = {inner for difference in values.rows for inner in difference}
        unused_sections = _sections(kind) - set(kind.sections(whole))
        if stray := sorted(unused_sections & stated_names):
            raise BadInput(f"{self.where}: {name}: {stray[0]} is not read with the objective {whole.get('objective')}")
        settings = make(
            kind, {key: value for key, value in whole.items() if key not in unused_sections}, f"{self.where}: {name}"
        )
        root = f"artifacts/{self.name}"
        shared_keys = [
            f"{values.section}.{key}"
            for key in values.common_values
            if key not in unused_sections and key not in constants
        ]
        if not NAME.fullmatch(row):
            raise BadInput(f"{self.where}: {name}: no name of a row; letters, digits and . + : @ , - make one")
        folders = {input_name: f"{root}/{path}" for input_name, path in reads.items()}
        self.made.append(Task(stage, name, settings, folders, f"{root}/{name}", (*shared_keys, *keys)))

    def add_source(self) -> None:
        """Add the task that makes the sources."""
        stage = self.field("source", self.source, "stage")
        if stage not in ("download", "world"):
            raise BadInput(f"{self.where}: source: unknown stage {stage!r}; it is download or world")
        values = dict(mapping(self.source.get("settings", {}), f"{self.where}: source: settings"))
        self.add(stage, str(self.source["name"]), {}, _SectionValues("source.settings", values, ()))

    def add_finetune(
        self, benchmark: Values, model: Values, seed: int, sources: Mapping[str, str], keys: Sequence[str]
    ) -> None:
        """Add the fine-tuning of a model for a benchmark."""
        reads = {**sources, "weights": f"{self.field(keys[-1], model, 'start')}-{seed}"}
        row, values = f"{benchmark['name']}-{model['name']}-{seed}", self.values("finetune", benchmark, model)
        self.add("finetune", row, reads, values, keys, seed=seed)

    def add_scores(self, benchmark: Values, fine_tuning: str, model: Values, keys: Sequence[str]) -> None:
        """Add the runs and scores of a model, of every seed; `fine_tuning`: the benchmark that it is fine-tuned for.

        A row of `retrievals` searches with a model of another name, and may be of one benchmark only.
        """
        if model.get("benchmark", benchmark["name"]) != benchmark["name"]:
            return
        for seed in self.row_seeds(keys[-1], model):
            row = f"{benchmark['name']}-{model['name']}-{seed}"
            reads = self.sources | {"model": f"finetune/{fine_tuning}-{model.get('model', model['name'])}-{seed}"}
            files = self.benchmark_files(keys[0], benchmark)
            model_keys = keys if "retrieve" in model else keys[:1]
            self.add("retrieve", row, reads, self.values("retrieve", model), model_keys, **files)
            self.add_score(benchmark, model, row, "retrieve", keys, seed)

    def add_fusions(self, benchmark: Values, row: Values, keys: Sequence[str]) -> None:
        """Add a dense and a BM25 run as one, and its scores, of every seed of the dense one."""
        dense, sparse = (f"{benchmark['name']}-{self.field(keys[-1], row, side)}" for side in ("dense", "sparse"))
        for seed in self.row_seeds(keys[-1], row):
            name = f"{benchmark['name']}-{row['name']}-{seed}"
            reads = {"dense": f"retrieve/{dense}-{seed}", "sparse": f"lexical/{sparse}"}
            self.add("fuse", name, reads, self.values("fuse", row), keys)
            self.add_score(benchmark, row, name, "fuse", keys, seed)

    def add_score(
        self, benchmark: Values, model: Values, row: str, ranked_by: str, keys: Sequence[str], seed: int
    ) -> None:
        """Add the scores of a run."""
        reads = self.sources | {"run": f"{ranked_by}/{row}"}
        files = self.benchmark_files(keys[0], benchmark)
        files |= {"split": self.field(keys[0], benchmark, "split"), "model": model["name"], "seed": seed}
        self.add("score", row, reads, self.values("score", model), keys, **files)

    def benchmark_files(self, key: str, benchmark: Values) -> dict[str, str]:
        """Return the settings that give the name and the folder of a benchmark."""
        return {"benchmark": benchmark["name"], "questions": self.field(key, benchmark, "questions")}


def _sections(kind: type[Settings]) -> set[str]:
    return {name for name, hint in hints(kind).items() if section(hint)}


def _check_outputs(all_tasks: Sequence[Task], where: str) -> None:
    """Check that no two tasks write one folder, even on a file system without colons or capital letters."""
    outs: dict[str, Task] = {}
    for task in all_tasks:
        other = outs.setdefault(task.out.replace(":", ".").lower(), task)
        if other is not task:
            raise BadInput(f"{where}: two rows write {task.out}" + ("" if other.out == task.out else f" ({other.out})"))
    names: dict[str, str] = {}
    for score in (task.settings for task in all_tasks if isinstance(task.settings, Score)):
        first = names.setdefault(score.name, score.benchmark)
        if first != score.benchmark:
            raise BadInput(f"{where}: scores of {first} and {score.benchmark} would bear one name; give one another")


def find_task(name: str, all_tasks: Sequence[Task], where: str) -> Task:
    """Return the task of a name.

    Raises:
        BadInput: there is none; the message gives the nearest name.
    """
    task = next((task for task in all_tasks if task.name == name), None)
    if task is None:
        raise BadInput(f"{where}: no task {name}{suggestion(name, [task.name for task in all_tasks])}")
    return task


def behind(task: Task, all_tasks: Sequence[Task]) -> list[Task]:
    """Return a task and everything that it reads, directly or not, in order."""
    outs = {task.out}
    for other in reversed(all_tasks):
        if other.out in outs:
            outs |= {above.out for above in inputs(other, all_tasks)}
    return [other for other in all_tasks if other.out in outs]


def inputs(task: Task, all_tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks that a task reads; the report reads all scores."""
    reads = set(task.reads.values())
    if task.stage == "report":
        return [other for other in all_tasks if other.stage == "score"]
    return [other for other in all_tasks if other.out in reads]


def _ordered(all_tasks: list[Task], where: str) -> list[Task]:
    """Return every task behind those that it reads, in the given order where that leaves a choice."""
    by_out = {task.out: task for task in all_tasks}
    tasks_in_order: dict[str, Task] = {}
    open_tasks: list[str] = []

    def visit(task: Task) -> None:
        if task.out in tasks_in_order:
            return
        if task.out in open_tasks:
            circle = [*open_tasks[open_tasks.index(task.out) :], task.out]
            raise BadInput(f"{where}: {' reads '.join(by_out[out].name for out in circle)}")
        open_tasks.append(task.out)
        if task.stage != "report":
            for out in task.reads.values():
                visit(_writer(out, by_out, task, where))
        open_tasks.pop()
        tasks_in_order[task.out] = task

    for task in all_tasks:
        visit(task)
    return list(tasks_in_order.values())


def _writer(out: str, by_out: Mapping[str, Task], task: Task, where: str) -> Task:
    if out not in by_out:
        name = "/".join(out.split("/")[2:])
        names = [other.name for other in by_out.values()]
        raise BadInput(f"{where}: {task.name} reads {name}, which nothing makes{suggestion(name, names)}")
    return by_out[out]
