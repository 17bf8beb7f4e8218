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
            judged = rng.choice(ids, rng.integers(1, min(9, passages)), replace=False)
            found = rng.choice(ids, rng.integers(1, passages), replace=False)
            if query % 7 != 0:
                self.qrels[f"q{query}"] = {str(p): int(rng.integers(-1, 4)) for p in judged}
            if query % 5 != 0:
                self.run[f"q{query}"] = {str(p): float(rng.integers(scores)) for p in found}
        self.qrels["zeros"], self.run["zeros"] = {"a0": 0}, {"a0": 1.0}

    def arrays(self) -> tuple[Qrels, Run]:
        """Qrels and run with id tables in different orders and lines in any order."""
        lines = [(q, p, s) for q, found in self.run.items() for p, s in found.items()]
        positions = np.random.default_rng(0).permutation(len(lines))
        queries, passages = list(self.run)[::-1], sorted({p for _, p, _ in lines})
        kept = [lines[n] for n in positions]
        run = sorted_run(
            queries,
            passages,
            np.array([queries.index(q) for q, _, _ in kept]),
            np.array([passages.index(p) for _, p, _ in kept]),
            np.array([s for _, _, s in kept]),
        )
        self.lines = kept
        judged = [(q, p, n) for q, labels in self.qrels.items() for p, n in labels.items()]
        queries, passages = list(self.qrels), sorted({p for _, p, _ in judged}, reverse=True)
        places = [(queries.index(q), passages.index(p), n) for q, p, n in judged]
        return Qrels(pa.array(queries), pa.array(passages), *np.array(places).T), run
