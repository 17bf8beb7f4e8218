"""Random judgements and runs, with several grades, ties, and questions that one side lacks."""

import numpy as np
import pyarrow as pa

from msm.collections.runs import Qrels, Run, sorted_run


class Sample:
    """Random labels and scores of few different values, so that most rankings tie."""

    def __init__(
        self, seed: int, *, queries: int = 40, passages: int = 30, top_label: int = 3, scores: int = 6
    ) -> None:
        rng = np.random.default_rng(seed)
        self.qrels: dict[str, dict[str, int]] = {}
        self.run: dict[str, dict[str, float]] = {}
        ids = [f"{'abc'[n % 3]}{n}" for n in range(passages)]
        for query in range(queries):
            judged_passages = rng.choice(ids, rng.integers(1, min(9, passages)), replace=False)
            passages_of_run = rng.choice(ids, rng.integers(1, passages), replace=False)
            if query % 7 != 0:
                self.qrels[f"q{query}"] = {str(p): int(rng.integers(-1, 4)) for p in judged_passages}
            if query % 5 != 0:
                self.run[f"q{query}"] = {str(p): float(rng.integers(scores)) for p in passages_of_run}
        self.qrels["zeros"], self.run["zeros"] = {"a0": 0}, {"a0": 1.0}

    def arrays(self) -> tuple[Qrels, Run]:
        """Qrels and run with id tables in different orders and lines in any order."""
        lines = [(q, p, s) for q, hits in self.run.items() for p, s in hits.items()]
        positions = np.random.default_rng(0).permutation(len(lines))
        queries, passages = list(self.run)[::-1], sorted({p for _, p, _ in lines})
        run_lines = [lines[n] for n in positions]
        run = sorted_run(
            queries,
            passages,
            np.array([queries.index(q) for q, _, _ in run_lines]),
            np.array([passages.index(p) for _, p, _ in run_lines]),
            np.array([s for _, _, s in run_lines]),
        )
        self.lines = run_lines
        judgements = [(q, p, n) for q, labels in self.qrels.items() for p, n in labels.items()]
        queries, passages = list(self.qrels), sorted({p for _, p, _ in judgements}, reverse=True)
        places = [(queries.index(q), passages.index(p), n) for q, p, n in judgements]
        return Qrels(pa.array(queries), pa.array(passages), *np.array(places).T), run
