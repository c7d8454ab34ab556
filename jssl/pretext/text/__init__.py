"""Pretext tasks of text, each a function of one row of tokens: what is hidden, deleted or predicted."""

from jssl.pretext.text.masking import MaskedTokens, mask_spans, mask_tokens, mask_words
from jssl.pretext.text.sentences import Pair, Passage, sentence_order, sentence_pair
from jssl.pretext.text.sequence import NextTokens, delete_tokens, next_tokens, split_tokens

__all__ = [
    "MaskedTokens",
    "NextTokens",
    "Pair",
    "Passage",
    "delete_tokens",
    "mask_spans",
    "mask_tokens",
    "mask_words",
    "next_tokens",
    "sentence_order",
    "sentence_pair",
    "split_tokens",
]
