import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, methods, nn
from jssl.core import Variables, example_keys
from tests import conformance
from tests.methods import vectors
from tests.nn.compiled import apply


def simclr(**options):
    defaults = {
        "encoder": conformance.resnet(),
        "projector": nn.mlp((16, 8)),
        "augment": conformance.two_views,
        "temperature": 0.2,
    }
    return methods.simclr(**{**defaults, **options})


def test_loss_by_hand():
    """NT-Xent in loops, on the embeddings of the encoder and the projector."""
    batch, encoder, projector = conformance.batch(), conformance.resnet(), nn.mlp((16, 8))
    method = simclr(encoder=encoder, projector=projector)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    loss = jax.jit(lambda: method.loss(params, state, batch, key=jax.random.key(1), step=jnp.zeros((), int)))
    value, (_, metrics) = loss()

    augment_key, _ = jax.random.split(jax.random.key(1))
    keys = example_keys(augment_key, 16)
    views = jax.vmap(conformance.two_views)(keys, batch["image"] / 255)
    variables = Variables(params["encoder"], state.stats["encoder"])
    h, _ = apply(encoder, variables, views.reshape(32, 8, 8, 3), train=True)
    z, _ = apply(projector, Variables(params["projector"], state.stats["projector"]), h, train=True)
    z = np.asarray(z, np.float64)
    z = z / np.linalg.norm(z, axis=1)[:, None]
    total, found = 0.0, 0
    for i in range(32):
        partner = i + 1 if i % 2 == 0 else i - 1
        similarity = np.exp(z @ z[i] / 0.2)
        total += -np.log(similarity[partner] / (similarity.sum() - similarity[i]))
        found += i % 2 == 0 and np.argmax(z[1::2] @ z[i]) == i // 2
    np.testing.assert_allclose(value, total / 32, rtol=1e-4)
    np.testing.assert_allclose(metrics["contrastive/accuracy"], found / 16)
    np.testing.assert_allclose(metrics["collapse/std"], np.sqrt(8) * z.std(0).mean(), rtol=1e-4)


def test_decoupled():
    """The same embeddings by the other loss, which a guess leaves at log(2N - 2)."""
    options = {"encoder": vectors.ENCODER, "projector": vectors.PROJECTOR, "augment": vectors.two_views}
    method = methods.simclr(**options, temperature=0.2, decoupled=True, inputs="x")
    params, state = vectors.begin(method)
    (value, (_, metrics)), _ = vectors.evaluate(method, params, state)
    views = vectors.views_of(jax.random.split(jax.random.key(1))[0]).reshape(24, 7)
    z = vectors.forward(params, state.stats, views, "encoder", "projector")
    expected = losses.dcl(*jnp.asarray(z, jnp.float32).reshape(12, 2, 5).swapaxes(0, 1), temperature=0.2)
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["contrastive/chance"], value / np.log(22), rtol=1e-5)


def test_diagnose():
    method = simclr()
    assert method.diagnose({"collapse/std": 0.8, "contrastive/chance": 0.6}) == []
    assert "alike" in method.diagnose({"collapse/std": 0.01, "contrastive/chance": 1.0})[0]
    assert "`temperature`" in method.diagnose({"collapse/std": 0.8, "contrastive/chance": 1.0})[0]


def test_wrong_arguments():
    with pytest.raises(ValueError, match="temperature above 0"):
        simclr(temperature=0.0)
    with pytest.raises(ValueError, match="two_views"):
        simclr(augment=conformance.noisy).init(jax.random.key(0), conformance.batch())
