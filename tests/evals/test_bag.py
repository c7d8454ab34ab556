import numpy as np
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer

from jssl import evals


def rows(seed, num, vocab=30, length=12):
    """Rows of unequal length with frequent and rare tokens, 0 is padding."""
    rng = np.random.default_rng(seed)
    p = 1 / np.arange(1, vocab)
    tokens = rng.choice(np.arange(1, vocab), (num, length), p=p / p.sum())
    tokens[np.arange(length) >= rng.integers(1, length + 1, num)[:, None]] = 0
    return tokens.astype(np.int32)


def counts(tokens, columns):
    return np.stack([(tokens == token).sum(1) for token in columns], axis=1).astype(float)


def test_features_equal_scikit_learns():
    train, test = rows(0, 50), rows(1, 20)
    bag = evals.fit_bag(train)
    np.testing.assert_array_equal(bag.tokens, np.unique(train[train > 0]))
    peer = TfidfTransformer().fit(sparse.csr_matrix(counts(train, bag.tokens)))
    expected = peer.transform(sparse.csr_matrix(counts(test, bag.tokens))).toarray()
    features = evals.bag_of_words(bag, test)
    assert features.dtype == np.float32
    np.testing.assert_allclose(features, expected, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1, atol=1e-6)


def test_the_most_frequent_tokens_are_kept():
    train = np.array([[7, 7, 7, 2], [2, 9, 3, 0]], np.int32)
    bag = evals.fit_bag(train, most=2)
    assert bag.tokens.tolist() == [2, 7]
    np.testing.assert_allclose(bag.idf, [1.0, np.log(3 / 2) + 1])
    assert evals.fit_bag(train, ignore=(0, 7, 100), most=9).tokens.tolist() == [2, 3, 9]


def test_tokens_that_are_new_are_left_out():
    bag = evals.fit_bag(np.array([[1, 2]], np.int32))
    features = evals.bag_of_words(bag, np.array([[1, 5000, 0], [3, 3, 0]], np.int32))
    np.testing.assert_allclose(features, [[1, 0], [0, 0]])


@pytest.mark.parametrize("wrong", [np.zeros((0, 3), np.int32), -np.ones((2, 3), np.int32)])
def test_what_is_no_rows_of_tokens_is_refused(wrong):
    with pytest.raises(ValueError, match="expected rows of tokens"):
        evals.fit_bag(wrong)


def test_rows_of_padding_alone_are_refused():
    with pytest.raises(ValueError, match=r"none beside those to ignore, \(0,\)"):
        evals.fit_bag(np.zeros((2, 3), np.int32))
