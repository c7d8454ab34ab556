import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from jssl import ops


def groups(n, k, seed):
    return jax.random.randint(jax.random.key(seed), (n,), 0, k)


@pytest.mark.parametrize(("n", "k_a", "k_b"), [(50, 3, 4), (1000, 10, 200), (7, 7, 2), (20_000, 2000, 10)])
def test_equals_scikit_learn(n, k_a, k_b):
    a, b = groups(n, k_a, 0), groups(n, k_b, 1)
    for left, right in ((a, b), (b, a), (a, a // 2), (a, a)):
        expected = normalized_mutual_info_score(np.asarray(left), np.asarray(right))
        found = ops.normalized_mutual_information(left, right)
        np.testing.assert_allclose(found, expected, atol=3e-6)


def test_names_do_not_matter():
    a, b = groups(100, 5, 0), groups(100, 3, 1)
    renamed = jnp.asarray([7, -3, 1_000_000, 0, 2])[a]
    found = ops.normalized_mutual_information(renamed, b)
    np.testing.assert_allclose(found, ops.normalized_mutual_information(a, b), rtol=1e-6)


def test_one_group_tells_nothing_and_two_of_them_are_the_same():
    one, many = jnp.zeros(30, jnp.int32), groups(30, 4, 0)
    assert ops.normalized_mutual_information(one, many) == 0
    assert ops.normalized_mutual_information(one, one + 3) == 1
