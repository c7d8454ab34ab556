"""Tokens with a part to play: padding, mask, begin and end."""

from collections.abc import Mapping
from typing import NamedTuple


class Special(NamedTuple):
    """The ids of the tokens that have a part to play; None where a tokenizer has none for it.

    pad: fills a row.
    unk: stands for what the vocabulary lacks.
    cls: begins a text ([CLS], <s>).
    sep: ends a text, or one of two ([SEP], </s>).
    mask: hides a token.
    eos: ends a document (<|endoftext|>, </s>, and [SEP] where there is no other).
    """

    pad: int | None = None
    unk: int | None = None
    cls: int | None = None
    sep: int | None = None
    mask: int | None = None
    eos: int | None = None


NAMES = {
    "pad": ("[PAD]", "<pad>", "<|pad|>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
    "eos": ("<|endoftext|>", "</s>", "[SEP]"),
}
"""What published models call them; the first that a vocabulary has is taken."""

BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
ALBERT = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
GPT = ("<|endoftext|>",)


def find_special(ids: Mapping[str, int], named: Mapping[str, str] | None = None) -> Special:
    """The parts that tokens play, by their names.

    Args:
        ids: token to id.
        named: part to token, as `{"pad": "[PAD]"}`; where it says nothing the usual names are looked for.

    Raises:
        ValueError: a token of `named` that is not in `ids`.
    """
    if missing := sorted(set((named or {}).values()) - set(ids)):
        raise ValueError(f"expected special tokens that the vocabulary has, got {', '.join(missing)}")
    usual = {part: next((name for name in names if name in ids), None) for part, names in NAMES.items()}
    chosen = {**usual, **(named or {})}
    return Special(**{part: ids[name] for part, name in chosen.items() if name is not None})
