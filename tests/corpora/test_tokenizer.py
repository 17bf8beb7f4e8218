import json
import random
import shutil
from pathlib import Path

import pytest
import sentencepiece
from transformers import AutoTokenizer, XLMRobertaConfig

from msm.corpora import tokenizer
from msm.corpora.settings import Tokenizer
from msm.corpora.subwords import SENTENCEPIECE_MODEL
from msm.errors import BadInput
from msm.execution import Execution


def run(documents: Path, out: Path, **changes: object) -> dict[str, object]:
    values = {"name": "trained", "pieces": 300, "character_coverage": 0.9995, "language_sentences": 10_000}
    out.mkdir(parents=True)
    return tokenizer.run(
        Tokenizer(**{**values, **changes}), documents=documents, out=out, execution=Execution(work=out)
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_layout_is_that_of_xlm_r(invented_tokenizer: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(invented_tokenizer)
    assert len(tokenizer) == 300
    assert tokenizer.is_fast
    assert tokenizer.convert_tokens_to_ids(["<s>", "<pad>", "</s>", "<unk>", "<mask>"]) == [0, 1, 2, 3, 299]
    assert [tokenizer.cls_token_id, tokenizer.pad_token_id, tokenizer.sep_token_id, tokenizer.unk_token_id] == [
        0,
        1,
        2,
        3,
    ]
    assert tokenizer.mask_token_id == 299
    one, two = (tokenizer(text, add_special_tokens=False).input_ids for text in ("ka te", "mi"))
    assert tokenizer("ka te").input_ids == [0, *one, 2]
    assert tokenizer("ka te", "mi").input_ids == [0, *one, 2, 2, *two, 2]
    assert tokenizer.decode(one) == "ka te"


def test_pieces_are_sentencepieces_moved_by_one(invented_tokenizer: Path) -> None:
    model = sentencepiece.SentencePieceProcessor(model_file=str(invented_tokenizer / SENTENCEPIECE_MODEL))
    tokenizer = AutoTokenizer.from_pretrained(invented_tokenizer)
    assert model.get_piece_size() == 298
    for number in range(3, 298):
        assert tokenizer.convert_ids_to_tokens(number + 1) == model.id_to_piece(number)


def test_loads_alike_beside_a_model(invented_tokenizer: Path, tmp_path: Path) -> None:
    both = shutil.copytree(invented_tokenizer, tmp_path / "model")
    XLMRobertaConfig(vocab_size=300).save_pretrained(both)
    text = "ka temi ﬁ 山川 <mask>"
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (invented_tokenizer, both)]
    assert tokenizers[0](text).input_ids == tokenizers[1](text).input_ids


def test_order_of_sentences_and_documents_changes_nothing(
    documents_folder: Path, invented_tokenizer: Path, tmp_path: Path
) -> None:
    other = tmp_path / "documents"
    other.mkdir()
    for path in documents_folder.glob("*.jsonl"):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        random.Random(1).shuffle(rows)
        for row in rows:
            random.Random(2).shuffle(row["sentences"])
        text = "".join(json.dumps(row) + "\n" for row in [*rows, rows[0]])
        (other / path.name).write_text(text, encoding="utf-8")
    run(other, tmp_path / "tokenizer")
    assert files(tmp_path / "tokenizer") == files(invented_tokenizer)


def test_no_language_gives_more_sentences_than_asked(documents_folder: Path, tmp_path: Path) -> None:
    facts = run(documents_folder, tmp_path / "tokenizer", language_sentences=200, pieces=100)
    assert facts == {"pieces": 100, "sentences": {"aa": 200, "bb": 200, "cc": 200}}


def test_choice_of_sentences_does_not_depend_on_their_order() -> None:
    sentences = [f"sentence {number}" for number in range(100)]
    choice = tokenizer.choose(sentences, 10)
    assert len(choice) == 10
    assert choice == tokenizer.choose([*reversed(sentences), *sentences], 10)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pieces": 100_000}, r"pieces: 100000 are too many: these documents give at most \d+$"),
        ({"pieces": 20}, r"pieces: 20 are too few: the special tokens and characters alone are \d+$"),
        ({"name": "./nothing"}, r"name: no such folder: \./nothing$"),
    ],
)
def test_bad_settings_are_one_clear_line(
    documents_folder: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        run(documents_folder, tmp_path / "tokenizer", **changes)


def test_bad_folders_are_one_clear_line(documents_folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(BadInput, match=r"name: cannot load '.*empty'"):
        run(documents_folder, tmp_path / "one", name=str(empty))
    with pytest.raises(BadInput, match=r"empty: holds no LANGUAGE\.jsonl"):
        run(empty, tmp_path / "two")
    (empty / "aa.jsonl").write_text('{"language": "aa", "document_id": "x", "sentences": ["a"]}\n{"language"\n')
    with pytest.raises(BadInput, match=r"aa\.jsonl:2: not a document"):
        run(empty, tmp_path / "three")


def test_public_tokenizer_of_a_folder_is_taken_as_it_is(
    documents_folder: Path, invented_tokenizer: Path, tmp_path: Path
) -> None:
    facts = run(documents_folder, tmp_path / "tokenizer", name=str(invented_tokenizer), pieces=0)
    assert facts["pieces"] == 300
    text = "ka temi щи 山川"
    tokenizers = [AutoTokenizer.from_pretrained(folder) for folder in (invented_tokenizer, tmp_path / "tokenizer")]
    assert tokenizers[0](text).input_ids == tokenizers[1](text).input_ids
    assert files(tmp_path / "tokenizer")[SENTENCEPIECE_MODEL] == files(invented_tokenizer)[SENTENCEPIECE_MODEL]
