"""Two parts of a text: does the second follow the first, are they in order?"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, PRNGKeyArray


class Passage(NamedTuple):
    """Whole consecutive sentences of one document.

    sentences: the number from 1 of the sentence that a token belongs to; 0 is none, as padding. Tokens of
        sentences follow each other without a gap.
    """

    tokens: Int[Array, " n"]
    sentences: Int[Array, " n"]


class Pair(NamedTuple):
    """`[CLS] first part [SEP] second part [SEP]`, padded.

    segments: 1; 0 is padding.
    types: 0 for the first part with its [CLS] and [SEP], 1 for the second; 0 for padding.
    is_random: false if the second part follows the first: the label 0.
    """

    tokens: Int[Array, " length"]
    segments: Int[Array, " length"]
    types: Int[Array, " length"]
    is_random: Bool[Array, ""]


class _Part(NamedTuple):
    """Tokens [n], which of them is first, and how many."""

    tokens: Array
    first: Array
    num: Array


def sentence_pair(
    key: PRNGKeyArray,
    row: Passage,
    other: Passage,
    *,
    length: int,
    cls: int,
    sep: int,
    pad: int,
    can_be_random: bool | Bool[Array, ""] = True,
) -> Pair:
    """BERT's next sentence: a row cut in two, and with probability 1/2 another row's second part.

    Rows are cut at the start of a random sentence but their first. Where the parts are longer than `length`
    allows, the longer one loses tokens from its end, the second one of equals, until they fit.

    A row of one sentence is cut in its middle: so the two labels are equally likely in every row.

    Args:
        row: of `n` tokens.
        other: as many, of another document.
        length: tokens of the pair, 5 or more.
        cls, sep, pad: the special tokens' numbers.
        can_be_random: false where `other` is of the same document, for example; the row's own second part
            is then taken.

    Raises:
        ValueError: if the rows have different sizes, or the pair has no room for a token of each part.

    Deviations: BERT draws a length for the pair, 1 time in 10 a short one; here it is the row's. BERT always
    takes another second part for a row of one sentence, which tells the label by the length. BERT deletes
    from either end at random; here an answer stays next to its question.

    Reference: Devlin et al. 2018, arXiv:1810.04805, section 3.1, task 2, and appendix A.2.
    """
    _check(length, row, other)
    coin_key, cut_key, other_key = jax.random.split(key, 3)
    first, second = _cut(cut_key, row)
    _, random = _cut(other_key, other)
    is_random = jax.random.bernoulli(coin_key) & jnp.asarray(can_be_random)
    return _join(first, _select(is_random, random, second), is_random, length, cls, sep, pad)


def sentence_order(key: PRNGKeyArray, row: Passage, *, length: int, cls: int, sep: int, pad: int) -> Pair:
    """ALBERT's sentence order: a row cut in two, and with probability 1/2 the second part comes first.

    Args:
        row, length, cls, sep, pad: as for `sentence_pair`.

    Returns:
        Pair; `is_random` is true if the parts are swapped.

    Raises:
        ValueError: as `sentence_pair`.

    Reference: Lan et al. 2019, arXiv:1909.11942, section 3.1.
    """
    _check(length, row, row)
    coin_key, cut_key = jax.random.split(key)
    first, second = _cut(cut_key, row)
    swapped = jax.random.bernoulli(coin_key)
    parts = _select(swapped, second, first), _select(swapped, first, second)
    return _join(*parts, swapped, length, cls, sep, pad)


def _cut(key: PRNGKeyArray, row: Passage) -> tuple[_Part, _Part]:
    """Both parts; a row of one sentence is cut in its middle."""
    inside = row.sentences > 0
    num, start, last = jnp.sum(inside), jnp.argmax(inside), jnp.max(row.sentences)
    at = jax.random.randint(key, (), 2, jnp.maximum(last, 2) + 1)
    before = jnp.where(last > 1, jnp.sum(inside & (row.sentences < at)), (num + 1) // 2)
    return _Part(row.tokens, start, before), _Part(row.tokens, start + before, num - before)


def _join(
    first: _Part, second: _Part, is_random: Bool[Array, ""], length: int, cls: int, sep: int, pad: int
) -> Pair:
    room = length - 3
    num_first = jnp.minimum(first.num, jnp.maximum(room - second.num, (room + 1) // 2))
    num_second = jnp.minimum(second.num, room - num_first)
    place = jnp.arange(length)
    middle, end = num_first + 1, num_first + num_second + 2
    is_second, is_padding = (place > middle) & (place <= end), place > end
    from_first = first.tokens[jnp.clip(first.first + place - 1, 0, len(first.tokens) - 1)]
    from_second = second.tokens[jnp.clip(second.first + place - middle - 1, 0, len(second.tokens) - 1)]
    tokens = jnp.where(is_second, from_second, from_first)
    tokens = jnp.where((place == middle) | (place == end), sep, tokens)
    tokens = jnp.where(is_padding, pad, jnp.where(place == 0, cls, tokens))
    return Pair(tokens, (~is_padding).astype(jnp.int32), is_second.astype(jnp.int32), is_random)


def _select(condition: Bool[Array, ""], if_true: _Part, if_false: _Part) -> _Part:
    return jax.tree.map(lambda x, y: jnp.where(condition, x, y), if_true, if_false)


def _check(length: int, row: Passage, other: Passage) -> None:
    shapes = {x.shape for x in (*row, *other)}
    if len(shapes) > 1:
        raise ValueError(f"expected rows of one size, tokens and sentences, got {shapes}")
    if length < 5:
        raise ValueError(f"expected a length of 5 or more, for both parts and 3 special tokens, got {length}")
