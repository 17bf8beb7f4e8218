"""Checks the limits that a document must keep."""

from msm.corpora.crawl.characters import profile
from msm.corpora.crawl.perplexity import perplexity
from msm.corpora.crawl.settings import Quality
from msm.corpora.languages import scripts


def problem(paragraphs: list[str], language: str, limits: Quality, models: str) -> str:
    """Return the first limit that a document breaks, without `min_` or `max_`; empty if it keeps all.

    Args:
        paragraphs: paragraphs of the document, one or more.
        language: code of its language.
        limits: limits of the language.
        models: folder of perplexity models, or empty.
    """
    text = "\n".join(paragraphs)
    text_profile = profile(text, scripts(language))
    whole = max(text_profile.characters, 1)
    repetitions = sum(map(len, paragraphs)) - sum(map(len, set(paragraphs)))
    violations = {
        "characters": text_profile.characters < limits.min_characters,
        "paragraph_characters": text_profile.characters < limits.min_paragraph_characters * len(paragraphs),
        "digit_share": text_profile.digits > limits.max_digit_share,
        "other_share": text_profile.others > limits.max_other_share,
        "script_share": text_profile.script < limits.min_script_share,
        "repeated_share": repetitions > limits.max_repeated_share * whole,
    }
    first = next((name for name, is_broken in violations.items() if is_broken), "")
    if first or not models or not limits.max_perplexity:
        return first
    value = perplexity(paragraphs, models, language)
    return "perplexity" if value is not None and value > limits.max_perplexity else ""
