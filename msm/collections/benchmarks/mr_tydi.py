"""Mr. TyDi v1.1: question and passages in the same language, 11 languages. v1.0 has other passages."""

from msm.collections.benchmark import Benchmark, PublishedSizes
from msm.collections.readers.mr_tydi import read

TRAIN_AND_DEV = {
    "ar": (12377, 3115),
    "bn": (1713, 440),
    "en": (3547, 878),
    "fi": (6561, 1738),
    "id": (4902, 1224),
    "ja": (3697, 928),
    "ko": (1295, 303),
    "ru": (5366, 1375),
    "sw": (2072, 526),
    "te": (3880, 983),
    "th": (3319, 807),
}
"""Questions of the other splits."""

BENCHMARK = Benchmark(
    name="mr_tydi",
    title="Mr. TyDi",
    protocol="mr_tydi",
    reader=read,
    measures=("mrr@100", "recall@100"),
    sources=("arXiv:2108.08787", "github.com/castorini/mr.tydi"),
    split="test",
    counts={
        "ar": PublishedSizes(1081, 2106586, 1257),
        "bn": PublishedSizes(111, 304059, 130),
        "en": PublishedSizes(744, 32907100, 935),
        "fi": PublishedSizes(1254, 1908757, 1451),
        "id": PublishedSizes(829, 1469399, 961),
        "ja": PublishedSizes(720, 7000027, 923),
        "ko": PublishedSizes(421, 1496126, 492),
        "ru": PublishedSizes(995, 9597504, 1168),
        "sw": PublishedSizes(670, 136689, 743),
        "te": PublishedSizes(646, 548224, 677),
        "th": PublishedSizes(1190, 568855, 1368),
    },
    by_language=True,
    passage_context="title_text",
    instruction="Given a question, retrieve Wikipedia passages that answer the question",
)
