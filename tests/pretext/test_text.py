"""Text: what is hidden, how often and where; what follows what."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl.pretext import text
from jssl.pretext.text.masking import _span_lengths

PAD, UNK, CLS, SEP, MASK, VOCAB = 0, 1, 2, 3, 4, 200
SPECIAL = (PAD, UNK, CLS, SEP, MASK, 77, VOCAB - 1)
STARTS = np.arange(VOCAB) % 3 != 0
"""A third of the tokens go on with a word."""

IDS = {"mask_id": MASK, "vocab_size": VOCAB, "special": SPECIAL}
MASKS = {
    "tokens": text.mask_tokens,
    "words": lambda *x, **options: text.mask_words(*x, starts=STARTS, **options),
    "spans": text.mask_spans,
}
each_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS.keys())


def keys(num, seed=0):
    return jax.random.split(jax.random.key(seed), num)


def rows(num=64, n=128, seed=0):
    """Two documents a row and padding, with special tokens here and there."""
    random = np.random.default_rng(seed)
    tokens = random.choice(np.setdiff1d(np.arange(VOCAB), SPECIAL), (num, n)).astype(np.int32)
    tokens[random.random((num, n)) < 0.02] = UNK
    tokens[:, 0], tokens[:, n // 2] = CLS, SEP
    lengths = random.integers(3 * n // 4, n + 1, num)
    segments = np.where(np.arange(n)[None] < n // 2, 1, 2) * (np.arange(n)[None] < lengths[:, None])
    tokens[segments == 0] = PAD
    return jnp.asarray(tokens), jnp.asarray(segments, jnp.int32)


def masked(mask, num=64, n=128, **options):
    """Rows, their segments and what the mask makes of them, in NumPy."""
    tokens, segments = rows(num, n)
    make = jax.jit(jax.vmap(lambda key, x, s: mask(key, x, segments=s, **IDS, **options)))
    result = make(keys(num), tokens, segments)
    return np.asarray(tokens), np.asarray(segments), text.MaskedTokens(*map(np.asarray, result))


def hidden(result):
    """True where a token was chosen."""
    chosen = np.zeros(result.tokens.shape, bool)
    for row, places, weights in zip(chosen, result.chosen, result.weights, strict=True):
        row[places[weights > 0]] = True
    return chosen


@each_mask
def test_what_is_chosen_is_told(mask):
    tokens, segments, (corrupted, chosen, targets, weights) = masked(mask)
    assert chosen.shape == targets.shape == weights.shape == (64, 20)
    assert set(np.unique(weights)) <= {0, 1}
    np.testing.assert_array_equal(np.sort(-weights, axis=1), -weights, err_msg="places in use come first")
    np.testing.assert_array_equal(targets, np.take_along_axis(tokens, chosen, axis=1))
    ascending = np.diff(chosen, axis=1) > 0
    assert ascending[weights[:, 1:] > 0].all()
    chosen_at = hidden(text.MaskedTokens(corrupted, chosen, targets, weights))
    np.testing.assert_array_equal(corrupted[~chosen_at], tokens[~chosen_at])
    assert not np.isin(tokens[chosen_at], SPECIAL).any()
    assert (segments[chosen_at] > 0).all()
    assert not np.isin(corrupted[chosen_at], [s for s in SPECIAL if s != MASK]).any()


@each_mask
def test_shares_over_a_million_tokens(mask):
    tokens, _, result = masked(mask, num=9000)
    places = hidden(result)
    eligible = ~np.isin(tokens, SPECIAL)
    assert eligible.sum() > 0.9e6
    assert 0.149 < places.sum() / eligible.sum() < 0.151
    before, after = tokens[places], result.tokens[places]
    assert abs((after == MASK).mean() - 0.8) < 0.004
    # A random token is the old one at times.
    assert abs((after == before).mean() - 0.1 - 0.1 / 193) < 0.003
    other = after[(after != MASK) & (after != before)]
    counts = np.bincount(other, minlength=VOCAB)
    assert (counts[list(SPECIAL)] == 0).all()
    ordinary = np.delete(counts, SPECIAL)
    np.testing.assert_allclose(ordinary, ordinary.mean(), rtol=0.4, err_msg="uniform")
    at = places.sum(axis=0) / np.maximum(eligible.sum(axis=0), 1)
    if mask is text.mask_tokens:
        np.testing.assert_allclose(at[eligible.sum(axis=0) > 5000], 0.15, atol=0.02)


@pytest.mark.parametrize("mask", [text.mask_tokens, text.mask_spans])
def test_the_number_is_one_of_two(mask):
    tokens, _, result = masked(mask, num=400)
    exact = 0.15 * (~np.isin(tokens, SPECIAL)).sum(axis=1)
    counts = result.weights.sum(axis=1)
    assert ((counts == np.floor(exact)) | (counts == np.ceil(exact))).all()
    assert abs((counts - exact).mean()) < 0.06


def test_tokens_are_chosen_independently():
    tokens = jnp.full(30, 9)
    result = jax.jit(jax.vmap(lambda key: text.mask_tokens(key, tokens, rate=0.5, **IDS)))(keys(8000))
    places = hidden(text.MaskedTokens(*map(np.asarray, result)))
    np.testing.assert_array_equal(places.sum(axis=1), 15)
    together = np.corrcoef(places.astype(float).T)[np.triu_indices(30, 1)]
    np.testing.assert_allclose(together, -1 / 29, atol=0.05)


@pytest.mark.parametrize(("keep", "random"), [(1.0, 0.0), (0.0, 1.0), (0.0, 0.0)])
def test_shares_at_their_ends(keep, random):
    tokens, _, result = masked(text.mask_tokens, keep=keep, random=random)
    after = result.tokens[hidden(result)]
    if keep:
        np.testing.assert_array_equal(result.tokens, tokens)
    elif random:
        assert not (after == MASK).any()
    else:
        assert (after == MASK).all()


def test_a_bound_limits_the_number():
    result = masked(text.mask_tokens, bound=5)[2]
    assert result.chosen.shape == (64, 5)
    assert (result.weights == 1).all()
    wide = masked(text.mask_tokens, bound=200)[2]
    assert wide.weights.sum(axis=1).max() <= 20


@each_mask
def test_a_row_of_special_tokens_is_left_alone(mask):
    tokens = jnp.array([CLS, SEP, PAD, PAD] * 5)
    result = mask(jax.random.key(0), tokens, **IDS)
    np.testing.assert_array_equal(result.tokens, tokens)
    assert result.weights.sum() == 0
    assert result.chosen.shape == (3,)


def words_of(tokens, segments):
    """The number of the word of each token, by going from token to token; -1 for special ones."""
    words, word = [], -1
    for i, token in enumerate(tokens):
        if token in SPECIAL or segments[i] == 0:
            words.append(-1)
            continue
        after = i > 0 and words[-1] >= 0 and segments[i] == segments[i - 1]
        word += not (after and not STARTS[token])
        words.append(word)
    return np.array(words)


def test_words_are_whole():
    tokens, segments, result = masked(MASKS["words"], num=200)
    taken = []
    for row, segment, places in zip(tokens, segments, hidden(result), strict=True):
        words = words_of(row, segment)
        chosen = set(words[places]) - {-1}
        np.testing.assert_array_equal(places, np.isin(words, list(chosen)))
        taken += [(words == word).sum() for word in chosen]
    assert len(set(taken)) >= 4, "words of several lengths"


def test_words_are_those_of_a_greedy_choice():
    """No word that would fit is left."""
    tokens, segments, result = masked(MASKS["words"], num=200)
    for row, segment, places in zip(tokens, segments, hidden(result), strict=True):
        words = words_of(row, segment)
        left = np.floor(0.15 * (words >= 0).sum()) - places.sum()
        others = [(words == word).sum() for word in set(words[~places]) - {-1}]
        assert left < 1 or min(others) > left


def test_a_word_longer_than_the_share_is_never_chosen():
    tokens = jnp.array([1, 3, 3, 3, 3, 3, 3, 3, 3, 1, 4, 4, 4, 7, 10, 13, 16, 19, 22, 25]) + 5
    starts = jnp.arange(VOCAB) != 8
    result = jax.vmap(
        lambda key: text.mask_words(
            key, tokens, starts=starts, mask_id=MASK, vocab_size=VOCAB, special=(0, 1, 2, 3, 4)
        )
    )(keys(200))
    assert not hidden(text.MaskedTokens(*map(np.asarray, result)))[:, :9].any()
    assert (result.weights.sum(axis=1) == 3).all()


def runs_of(places):
    """Lengths of the runs of chosen tokens."""
    edges = np.diff(np.pad(places.astype(int), ((0, 0), (1, 1))), axis=1)
    return np.where(edges == -1)[1] - np.where(edges == 1)[1]


def naive_spans(random, eligible, num):
    """One span after the other."""
    n = len(eligible)
    places = np.zeros(n, bool)
    p = 0.2 * 0.8 ** np.arange(10)
    for start in random.permutation(np.flatnonzero(eligible)):
        for i in range(start, min(start + random.choice(10, p=p / p.sum()) + 1, n)):
            if not eligible[i] or places.sum() == num:
                break
            places[i] = True
    return places


def test_spans_hang_together_as_those_drawn_one_by_one():
    tokens, segments, result = masked(text.mask_spans, num=1500, n=256)
    random = np.random.default_rng(0)
    expected = []
    for row, segment, weights in zip(tokens[:400], segments, result.weights, strict=False):
        # The second document begins with [SEP], so that no span crosses.
        eligible = ~np.isin(row, SPECIAL) & (segment > 0)
        expected.append(naive_spans(random, eligible, weights.sum()))
    found, wanted = runs_of(hidden(result)), runs_of(np.array(expected))
    np.testing.assert_allclose(found.mean(), wanted.mean(), rtol=0.03)
    shares = [np.bincount(x, minlength=30)[:12] / len(x) for x in (found, wanted)]
    np.testing.assert_allclose(*shares, atol=0.015)


@pytest.mark.parametrize("alone", [True, False])
def test_spans_end_with_their_segment(alone):
    """With a segment for each token, neighbours are chosen no more often together than others."""
    tokens = jnp.full(40, 9)
    segments = jnp.arange(40) + 1 if alone else None
    make = jax.jit(jax.vmap(lambda key: text.mask_spans(key, tokens, segments=segments, rate=0.2, **IDS)))
    places = hidden(text.MaskedTokens(*map(np.asarray, make(keys(2000)))))
    assert (places.sum(axis=1) == 8).all()
    together = (places[:, 1:] & places[:, :-1]).sum() / places[:, 1:].sum()
    assert (together < 0.2) == alone


@pytest.mark.parametrize(("mean_length", "max_length"), [(5.0, 10), (2.0, 3), (1.0, 4), (3.0, 1)])
def test_lengths_of_spans_are_geometric(mean_length, max_length):
    u = (jnp.arange(40_000) + 0.5) / 40_000
    counts = np.bincount(_span_lengths(u, mean_length, max_length), minlength=max_length + 1)
    p = 1 / mean_length
    expected = p * (1 - p) ** np.arange(max_length)
    np.testing.assert_allclose(counts[1:] / 40_000, expected / expected.sum(), atol=1e-4)
    assert counts[0] == 0


def test_spans_of_spanbert_have_3_8_tokens():
    np.testing.assert_allclose(
        _span_lengths(jnp.linspace(0, 1 - 1e-6, 9999), 5.0, 10).mean(), 3.797, atol=0.01
    )


@each_mask
def test_one_trace_and_equal_results_for_equal_keys(mask):
    tokens, segments = rows(8)
    traces = []

    def traced(key, x, s):
        traces.append(key)
        return mask(key, x, segments=s, **IDS)

    make = jax.jit(jax.vmap(traced))
    first, again = (make(keys(8), tokens, segments) for _ in range(2))
    other = make(keys(8, 1), *rows(8, seed=1))
    assert len(traces) == 1
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.chosen != other.chosen).any()
    alone = jax.jit(lambda key: mask(key, tokens[3], segments=segments[3], **IDS))(keys(8)[3])
    for a, b in zip(alone, first, strict=True):
        np.testing.assert_array_equal(a, b[3])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.0}, "rate in"),
        ({"rate": 1.0}, "rate in"),
        ({"keep": 0.6, "random": 0.5}, "keep and random"),
        ({"random": -0.1}, "keep and random"),
        ({"special": (0, VOCAB)}, "special tokens in"),
        ({"mask_id": -1}, "special tokens in"),
        ({"bound": 0}, "bound of 1 or more"),
    ],
)
def test_wrong_arguments(wrong, message):
    with pytest.raises(ValueError, match=message):
        text.mask_tokens(jax.random.key(0), jnp.arange(20), **{**IDS, **wrong})


def test_wrong_words_and_spans():
    with pytest.raises(ValueError, match="starts of 200 tokens"):
        text.mask_words(jax.random.key(0), jnp.arange(20), starts=STARTS[:3], **IDS)
    with pytest.raises(ValueError, match="lengths of 1 or more"):
        text.mask_spans(jax.random.key(0), jnp.arange(20), max_length=0, **IDS)
    with pytest.raises(ValueError, match="tokens at most"):
        text.mask_spans(jax.random.key(0), jnp.arange(2**10), max_length=2**14, **IDS)


def test_next_tokens():
    tokens = jnp.array([5, 6, 7, 8, 9, 0, 0])
    inputs, targets, weights = text.next_tokens(tokens, jnp.array([1, 1, 1, 2, 2, 0, 0]))
    assert inputs.tolist() == [5, 6, 7, 8, 9, 0]
    assert targets.tolist() == [6, 7, 8, 9, 0, 0]
    assert weights.tolist() == [1, 1, 0, 1, 0, 0]
    assert text.next_tokens(jnp.stack([tokens, tokens])).weights.tolist() == [[1] * 6] * 2
    with pytest.raises(ValueError, match="rows of 2 tokens"):
        text.next_tokens(tokens[:1])
    with pytest.raises(ValueError, match="rows of 2 tokens"):
        inspect.unwrap(text.next_tokens)(tokens, jnp.ones(3, jnp.int32))


def test_deletion_keeps_order_and_special_tokens():
    tokens = jnp.array([CLS, *range(20, 60), SEP, PAD, PAD])
    make = jax.jit(jax.vmap(lambda key: text.delete_tokens(key, tokens, pad=PAD, special=(CLS, SEP))))
    found = np.asarray(make(keys(4000)))
    kept = []
    for row in found:
        num = (row != PAD).sum()
        assert (row[num:] == PAD).all()
        assert row[0] == CLS
        assert row[num - 1] == SEP
        assert (np.diff(row[1 : num - 1]) > 0).all()
        kept.append(num - 2)
    np.testing.assert_allclose(np.mean(kept), 0.4 * 40, rtol=0.01)
    np.testing.assert_allclose(np.std(kept), np.sqrt(40 * 0.4 * 0.6), rtol=0.05)
    counts = np.bincount(found.ravel(), minlength=60)[20:60]
    np.testing.assert_allclose(counts / 4000, 0.4, atol=0.04)


def test_deletion_leaves_one_token():
    tokens = jnp.array([CLS, 20, 21, 22, SEP, PAD])
    found = jax.vmap(lambda key: text.delete_tokens(key, tokens, pad=PAD, special=(CLS, SEP), rate=0.99))(
        keys(200)
    )
    counts = np.bincount(np.asarray(found).ravel(), minlength=23)[20:]
    assert counts.sum() >= 200
    assert counts.min() > 40
    empty = jnp.array([CLS, SEP, PAD])
    np.testing.assert_array_equal(
        text.delete_tokens(jax.random.key(0), empty, pad=PAD, special=(CLS, SEP)), empty
    )
    with pytest.raises(ValueError, match="rate in"):
        text.delete_tokens(jax.random.key(0), empty, pad=PAD, special=(), rate=1.0)


def passage(lengths, first, n=40):
    """Sentences of so many tokens, numbered on from `first`."""
    tokens = np.zeros(n, np.int32)
    sentences = np.zeros(n, np.int32)
    total = sum(lengths)
    tokens[:total] = np.arange(first, first + total)
    sentences[:total] = np.repeat(np.arange(len(lengths)) + 1, lengths)
    return text.Passage(jnp.asarray(tokens), jnp.asarray(sentences))


OPTIONS = {"cls": CLS, "sep": SEP, "pad": PAD}
ROW, OTHER = passage([5, 3, 7, 2], 100), passage([4, 6, 5], 500)


def parts_of(pair):
    """Both parts, after a look at what is around them."""
    tokens, segments, types, _ = (np.asarray(x) for x in pair)
    first_sep, last_sep = np.flatnonzero(tokens == SEP)
    assert tokens[0] == CLS
    assert (tokens[last_sep + 1 :] == PAD).all()
    np.testing.assert_array_equal(segments, np.arange(len(tokens)) <= last_sep)
    np.testing.assert_array_equal(types, (np.arange(len(tokens)) > first_sep) & (segments > 0))
    return tokens[1:first_sep].tolist(), tokens[first_sep + 1 : last_sep].tolist()


def pairs(make, num=400):
    made = jax.jit(jax.vmap(make))(keys(num))
    return [text.Pair(*(x[i] for x in made)) for i in range(num)]


def cuts(lengths, first):
    """Both parts, for each start of a sentence but the first."""
    whole = list(range(first, first + sum(lengths)))
    return [(whole[:at], whole[at:]) for at in np.cumsum(lengths)[:-1].tolist()]


def test_pairs_are_whole_sentences_and_balanced():
    found = pairs(lambda key: text.sentence_pair(key, ROW, OTHER, length=48, **OPTIONS))
    own, others = cuts([5, 3, 7, 2], 100), cuts([4, 6, 5], 500)
    seen = set()
    for pair in found:
        first, second = parts_of(pair)
        if pair.is_random:
            at = [x for x, _ in own].index(first), [x for _, x in others].index(second)
        else:
            at = (own.index((first, second)),)
        seen.add(at)
    assert len(seen) == 3 + 3 * 2, "all ways to cut"
    np.testing.assert_allclose(np.mean([pair.is_random for pair in found]), 0.5, atol=0.07)


def test_the_label_is_balanced():
    made = jax.jit(jax.vmap(lambda key: text.sentence_pair(key, ROW, OTHER, length=24, **OPTIONS).is_random))(
        keys(20_000)
    )
    np.testing.assert_allclose(made.mean(), 0.5, atol=0.012)


def naive_truncation(first, second, room):
    while len(first) + len(second) > room:
        (first if len(first) > len(second) else second).pop()
    return first, second


@pytest.mark.parametrize("length", [5, 6, 9, 12, 16, 17, 20])
def test_the_longer_part_loses_its_end(length):
    found = pairs(lambda key: text.sentence_pair(key, ROW, OTHER, length=length, **OPTIONS), 60)
    whole = pairs(lambda key: text.sentence_pair(key, ROW, OTHER, length=48, **OPTIONS), 60)
    for pair, before in zip(found, whole, strict=True):
        assert parts_of(pair) == naive_truncation(*parts_of(before), length - 3)


def test_a_pair_that_may_not_be_random_is_not():
    def make(key):
        return text.sentence_pair(key, ROW, OTHER, length=48, can_be_random=jnp.array(False), **OPTIONS)

    for pair in pairs(make, 60):
        assert not pair.is_random
        assert parts_of(pair) in cuts([5, 3, 7, 2], 100)


def test_rows_of_one_sentence_are_cut_in_their_middle():
    single, whole = passage([7], 100), list(range(100, 107))
    found = pairs(lambda key: text.sentence_pair(key, single, OTHER, length=48, **OPTIONS))
    ends = [second for _, second in cuts([4, 6, 5], 500)]
    for pair in found:
        first, second = parts_of(pair)
        assert first == whole[:4]
        assert second in ends if pair.is_random else second == whole[4:]
    np.testing.assert_allclose(np.mean([pair.is_random for pair in found]), 0.5, atol=0.07)
    for pair in pairs(lambda key: text.sentence_pair(key, OTHER, single, length=48, **OPTIONS), 40):
        assert not pair.is_random or parts_of(pair)[1] == whole[4:]
    fixed = text.sentence_pair(jax.random.key(0), single, OTHER, length=48, can_be_random=False, **OPTIONS)
    assert parts_of(fixed) == (whole[:4], whole[4:])
    assert not fixed.is_random


def test_special_tokens_around_a_passage_are_left_out():
    def framed(row):
        return text.Passage(
            jnp.roll(row.tokens, 1).at[0].set(CLS).at[30].set(SEP), jnp.roll(row.sentences, 1)
        )

    for key in keys(20):
        found = text.sentence_pair(key, framed(ROW), framed(OTHER), length=30, **OPTIONS)
        expected = text.sentence_pair(jax.random.clone(key), ROW, OTHER, length=30, **OPTIONS)
        assert parts_of(found) == parts_of(expected)


def test_sentences_are_swapped_half_the_time():
    found = pairs(lambda key: text.sentence_order(key, ROW, length=48, **OPTIONS))
    own = cuts([5, 3, 7, 2], 100)
    for pair in found:
        first, second = parts_of(pair)
        assert ((second, first) if pair.is_random else (first, second)) in own
    np.testing.assert_allclose(np.mean([pair.is_random for pair in found]), 0.5, atol=0.07)
    single = pairs(lambda key: text.sentence_order(key, passage([6], 100), length=9, **OPTIONS), 20)
    assert {tuple(map(len, parts_of(pair))) for pair in single} == {(3, 3)}


def test_wrong_pairs():
    with pytest.raises(ValueError, match="length of 5 or more"):
        text.sentence_pair(jax.random.key(0), ROW, OTHER, length=4, **OPTIONS)
    with pytest.raises(ValueError, match="rows of one size"):
        text.sentence_pair(jax.random.key(0), ROW, passage([3], 10, n=9), length=9, **OPTIONS)
