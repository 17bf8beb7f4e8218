"""Stage `teach`: packs parallel sentences and computes a teacher's vector of every sentence of the pivot language.

The teacher reads text with its own tokenizer, and each sentence once, however often training will see it.

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
    """Write the parallel sentences as token ids, and the teacher's vectors beside them.

    Args:
        settings: settings of the stage.
        sources: folder that holds the collections.
        tokenizer: folder of the student's tokenizer.
        model: folder of the teacher: a sentence-transformers model or a bare Hugging Face encoder.
        out: empty folder to fill; `msm.corpora.pair_shards` describes its files.
        execution: device that runs the teacher.

    Returns:
        Facts about the pairs, and the width, pooling and similarity of the teacher.

    Raises:
        BadInput: the parallel sentences are refused as in the stage `pairs`, or the teacher's files do not say how
            token states become a vector.
    """
    facts, texts = pairs.write(settings, sources, tokenizer, out)
    as_saved = settings.teacher_pooling == "own"
    # Sentences are neither questions nor passages, so they get no prompt and keep their question marks.
    usage = Usage(
        pooling=None if as_saved else settings.teacher_pooling,
        similarity=None if as_saved else "dot",
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
