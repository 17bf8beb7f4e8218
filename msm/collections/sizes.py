"""Published sizes of data sets that several benchmarks share."""

from msm.collections.benchmark import PublishedSizes

DPR_PASSAGES = 21015324
"""Number of passages of 100 words in DPR's English Wikipedia."""
MS_MARCO = PublishedSizes(6980, 8841823, 7437)
"""Development queries, passages and judgements of MS MARCO, in each language of its translations too."""
QUESTIONS = 1190
"""Number of questions of XQuAD-R in each language."""
XQUAD_R = {
    "ar": PublishedSizes(QUESTIONS, 1222),
    "de": PublishedSizes(QUESTIONS, 1276),
    "el": PublishedSizes(QUESTIONS, 1234),
    "en": PublishedSizes(QUESTIONS, 1180),
    "es": PublishedSizes(QUESTIONS, 1215),
    "hi": PublishedSizes(QUESTIONS, 1244),
    "ru": PublishedSizes(QUESTIONS, 1219),
    "th": PublishedSizes(QUESTIONS, 852),
    "tr": PublishedSizes(QUESTIONS, 1167),
    "vi": PublishedSizes(QUESTIONS, 1209),
    "zh": PublishedSizes(QUESTIONS, 1196),
}
"""Questions and sentences of each language of XQuAD-R; 13,090 and 13,014 in all."""
