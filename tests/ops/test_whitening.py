import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from sklearn.decomposition import PCA

from jssl import ops
from tests.ops.across_devices import AXIS, mesh


def rows(n=200, dim=8, seed=0):
    x_key, mix_key = jax.random.split(jax.random.key(seed))
    rotation = jnp.linalg.qr(jax.random.normal(mix_key, (dim, dim)))[0]
    return 3 + jax.random.normal(x_key, (n, dim)) * jnp.arange(1.0, dim + 1)[None, :] @ rotation


@pytest.mark.parametrize("dim", [1, 3, 8])
def test_equals_scikit_learn_up_to_signs(dim):
    x = rows()
    found = ops.pca_whiten(x, dim, epsilon=0.0)
    # scikit-learn divides by n - 1.
    expected = PCA(dim, whiten=True).fit_transform(np.asarray(x, np.float64)) * np.sqrt(200 / 199)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), rtol=1e-3, atol=1e-3)


def test_components_are_uncorrelated_and_of_variance_1():
    z = ops.pca_whiten(rows(), 5, epsilon=0.0)
    np.testing.assert_allclose(z.T @ z / 200, np.eye(5), atol=1e-4)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)


def test_dead_features_stay_near_0():
    z = ops.pca_whiten(jnp.pad(rows(dim=4), ((0, 0), (0, 4))), 8)
    assert np.isfinite(z).all()
    np.testing.assert_allclose(jnp.std(z[:, :4], axis=0), 1, rtol=0.05)
    assert np.abs(z[:, 4:]).max() < 0.1
    assert (ops.pca_whiten(jnp.ones((9, 3)), 2) == 0).all()


def test_rows_left_out_change_nothing():
    x = rows()
    padded = jnp.concatenate([x, jnp.full((20, 8), 50.0)])
    z = ops.pca_whiten(padded, 4, where=jnp.arange(220) < 200)
    np.testing.assert_allclose(np.abs(z[:200]), np.abs(ops.pca_whiten(x, 4)), rtol=1e-3, atol=1e-4)


def test_same_on_eight_devices():
    x = rows()
    z = ops.pca_whiten(jax.device_put(x, NamedSharding(mesh(), PartitionSpec(AXIS))), 4)
    assert len(z.sharding.device_set) == 8
    np.testing.assert_allclose(np.abs(z), np.abs(ops.pca_whiten(x, 4)), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("dim", [0, 9])
def test_number_of_components_must_fit(dim):
    with pytest.raises(ValueError, match=r"from 1 to 8 components"):
        inspect.unwrap(ops.pca_whiten)(rows(), dim)
