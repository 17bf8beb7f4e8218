"""Stage `teach`: parallel sentences, and a teacher's vector of every sentence of the pivot language.

The teacher reads text with a tokenizer of its own, and each sentence once, however often training will see it.

Source: Reimers and Gurevych 2020, arXiv 2004.09813.
"""

from pathlib import Path
from typing import Any

import numpy as np

from msm.corpora import pairs
from msm.corpora.pair_shards import TEACHER
from msm.encoders.loading import open_encoder
from msm.encoders.usage import Usage
from msm.execution import Execution
from msm.pretraining.settings import Teach
from msm.training import pick_device


def run(
    settings: Teach, *, sources: Path, tokenizer: Path, model: Path, out: Path, execution: Execution
) -> dict[str, Any]:
    """Write pairs and the teacher's vectors.

    Args:
        settings: of the stage.
        sources: the folder that the collections are in.
        tokenizer: folder of the student's tokenizer.
        model: folder of the teacher: a model of ours, a sentence-transformers model, or a Hugging Face encoder.
        out: empty folder to fill, see `msm.corpora.pair_shards`.
        execution: device.

    Returns:
        Facts of the pairs, and width, pooling and similarity of the teacher.

    Raises:
        BadInput: as in the stage `pairs`; nothing says how the teacher makes vectors.
    """
    facts, texts = pairs.write(settings, sources, tokenizer, out)
    own = settings.teacher_pooling == "own"
    # Sentences are neither questions nor passages: no prompt, and every mark stays.
    usage = Usage(
        pooling=None if own else settings.teacher_pooling,
        similarity=None if own else "dot",
        query_prompt="",
        passage_prompt="",
        query_tokens=settings.sentence_tokens,
        passage_tokens=settings.sentence_tokens,
        question_mark="kept",
    )
    teacher = open_encoder(
        model,
        usage,
        device=pick_device(execution.device),
        precision=settings.precision,
        batch_tokens=settings.batch_tokens,
    )
    vectors = teacher.encode(texts, "query")
    np.save(out / TEACHER, vectors)
    pooling = teacher.choices["pooling"].value
    return facts | {"width": vectors.shape[1], "pooling": pooling, "similarity": teacher.similarity}
