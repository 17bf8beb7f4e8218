import pytest

from msm.retrieval.analyzers import characters, words


def test_words_are_letters_marks_and_digits_in_lower_case() -> None:
    assert words("The Panthers' 308 points, (U.S.)!") == ["the", "panthers", "308", "points", "u", "s"]
    assert words("\uff26\uff55\uff4c\uff4c \ufb01ne") == ["full", "fine"]
    assert words(" -- ") == words("") == []


def test_vowel_signs_do_not_split_words() -> None:
    assert words("हिन्दी भाषा।") == ["हिन्दी", "भाषा"]
    assert words("الدِّفاع؟") == ["الدِّفاع"]


def test_scripts_without_blanks_give_pairs_of_characters() -> None:
    assert words("黑豹队308分") == ["黑豹", "豹队", "308", "分"]
    assert words("カタカナとab") == ["カタ", "タカ", "カナ", "ナと", "ab"]
    assert words("한국어 문장") == ["한국어", "문장"]
    assert words("ทีม") == ["ที", "ีม"]


def test_character_grams_stay_within_words() -> None:
    assert characters("Abc, d") == ["ab", "bc", "abc", "d"]
    assert characters("abcde") == ["ab", "bc", "cd", "de", "abc", "bcd", "cde", "abcd", "bcde"]
    assert characters("黑豹队") == ["黑豹", "豹队", "黑豹队"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0dc1\u0dca\u200d\u0dbb\u0dd3", "\u0dc1\u0dca\u0dbb\u0dd3"),
        ("\u0646\u0645\u06cc\u200c\u0634\u0648\u062f", "\u0646\u0645\u06cc\u0634\u0648\u062f"),
        ("infor\u00admation", "information"),
        ("\u0130stanbul", "istanbul"),
        ("\u200fabc\u200e", "abc"),
    ],
)
def test_a_word_is_one_with_and_without_characters_that_are_not_seen(one: str, other: str) -> None:
    assert words(one) == words(other) and len(words(one)) == 1


def test_a_zero_width_space_separates() -> None:
    assert words("one\u200btwo") == ["one", "two"]
