"""Published sizes of data sets that several benchmarks share."""

from msm.collections.benchmark import Counts

DPR_PASSAGES = 21015324
"""Number of passages of 100 words in DPR's English Wikipedia."""
MS_MARCO = Counts(6980, 8841823, 7437)
"""Development queries, passages and judgements of MS MARCO, in each language of its translations too."""
QUESTIONS = 1190
"""Number of questions of XQuAD-R in each language."""
XQUAD_R = {
    "ar": Counts(QUESTIONS, 1222),
    "de": Counts(QUESTIONS, 1276),
    "el": Counts(QUESTIONS, 1234),
    "en": Counts(QUESTIONS, 1180),
    "es": Counts(QUESTIONS, 1215),
    "hi": Counts(QUESTIONS, 1244),
    "ru": Counts(QUESTIONS, 1219),
    "th": Counts(QUESTIONS, 852),
    "tr": Counts(QUESTIONS, 1167),
    "vi": Counts(QUESTIONS, 1209),
    "zh": Counts(QUESTIONS, 1196),
}
"""Questions and sentences of each language of XQuAD-R; 13,090 and 13,014 in all."""
