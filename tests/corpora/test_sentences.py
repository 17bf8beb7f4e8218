# ruff: noqa: RUF001
import pytest

from msm.corpora.sentences import split


@pytest.mark.parametrize(
    ("language", "paragraph", "sentences"),
    [
        ("en", "Hello Mr. Smith.  How are\nyou? ", ["Hello Mr. Smith.", "How are you?"]),
        ("de", "Am 3. Oktober kam Dr. Müller. Ende.", ["Am 3. Oktober kam Dr. Müller.", "Ende."]),
        ("de-AT", "Am 3. Oktober kam Dr. Müller. Ende.", ["Am 3. Oktober kam Dr. Müller.", "Ende."]),
        ("zh-hant", "第一句。第二句！第三句？", ["第一句。", "第二句！", "第三句？"]),
        ("hi", "यह एक है। दूसरा वाक्य है।", ["यह एक है।", "दूसरा वाक्य है।"]),
        ("hy", "Մեկ նախադասություն։ Երկրորդ։", ["Մեկ նախադասություն։", "Երկրորդ։"]),
        ("xx", "Bada bum. Kiri la? Mo.", ["Bada bum.", "Kiri la?", "Mo."]),
        ("en", " \n ", []),
    ],
)
def test_sentences_of_a_paragraph(language: str, paragraph: str, sentences: list[str]) -> None:
    assert split(paragraph, language) == sentences
