import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn
from jssl.core import Variables
from jssl.pretext import jigsaw_permutations
from tests import conformance
from tests.methods.spy import spy


def jigsaw(**options):
    defaults = {
        "encoder": conformance.resnet(),
        "head": nn.mlp((16,)),
        "tile_size": 4,
        "grid": 2,
        "num_permutations": 24,
        "equalize": False,
    }
    return methods.jigsaw(**{**defaults, **options})


def test_tiles_are_laid_out_by_one_of_the_orders():
    """Tiles as large as their cells, so that it can be told where each was."""
    batch, tiles, heads = conformance.batch(), [], []
    method = jigsaw(encoder=spy(conformance.resnet(), tiles), head=spy(nn.mlp((16,)), heads))
    params, state = method.init(jax.random.key(0), batch)
    value, (_, metrics) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    seen = np.asarray(tiles[-1][1]).reshape(16, 4, 4, 4, 3)
    x = np.asarray(batch["image"] / 255)
    cells = x.reshape(16, 2, 4, 2, 4, 3).swapaxes(2, 3).reshape(16, 4, 4, 4, 3)
    orders = [
        [int(np.abs(cells[n] - tile[None]).sum((1, 2, 3)).argmin()) for tile in seen[n]] for n in range(16)
    ]
    for n, order in enumerate(orders):
        np.testing.assert_allclose(seen[n], cells[n][order], atol=1e-6)
    permutations = jigsaw_permutations(24, 4).tolist()
    labels = np.array([permutations.index(order) for order in orders])
    assert len(set(labels.tolist())) > 6, "each example has an order of its own"

    assert heads[-1][1].shape == (16, 4 * 16)
    own = Variables(params["head"]["head"], state.stats["head"]["head"])
    h = np.asarray(nn.mlp((16,)).apply(own, heads[-1][1], train=True)[0])
    linear = params["head"]["linear"]
    logits = np.asarray(h @ linear["kernel"] + linear["bias"][None], np.float64)
    log_p = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    np.testing.assert_allclose(value, -log_p[np.arange(16), labels].mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["classification/chance"], value / np.log(24), rtol=1e-5)
    np.testing.assert_allclose(
        metrics["classification/accuracy"], (logits.argmax(1) == labels).mean(), atol=1e-6
    )


def test_pictures():
    batch = conformance.batch()
    method = jigsaw()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    shuffled, ordered = np.moveaxis(
        jax.jit(method.show)(params, state, batch, key=jax.random.key(1))["puzzle"], 1, 0
    )
    x = np.asarray(batch["image"] / 255)
    assert ordered.shape == (16, 9, 9, 3)
    np.testing.assert_allclose(ordered[:, 4], 1)
    np.testing.assert_allclose(ordered[:, :4, :4], x[:, :4, :4], atol=1e-6)
    np.testing.assert_allclose(ordered[:, 5:, :4], x[:, 4:, :4], atol=1e-6)
    np.testing.assert_allclose(np.sort(shuffled, axis=None), np.sort(ordered, axis=None))


def test_diagnosis():
    judge = jigsaw().diagnose
    assert judge({"classification/chance": 0.5}) == []
    assert "num_permutations" in judge({"classification/chance": 0.99})[0]


def test_wrong_arguments():
    for options in ({"num_permutations": 25}, {"grid": 1}, {"tile_size": 0}):
        with pytest.raises(ValueError, match="expected"):
            jigsaw(**options)
    with pytest.raises(ValueError, match="at most 4 pixels"):
        jigsaw(tile_size=5).init(jax.random.key(0), conformance.batch())
