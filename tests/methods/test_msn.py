import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn
from tests import conformance
from tests.methods.linear_networks import cross_entropy, logits, of_tokens, softmax
from tests.methods.spy import spy
from tests.methods.test_ibot import features


def msn(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": of_tokens(5),
        "head": nn.dino_head(6, hidden=(), bottleneck=4),
        "augment": conformance.crops,
        "mask_ratio": 0.3,
    }
    return methods.msn(**{**defaults, **options})


def begin(method):
    """Parameters, and a state whose target differs from the start's."""
    batch = conformance.batch()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    target = state.target._replace(params=jax.tree.map(lambda p: 1.1 * p + 0.1, state.target.params))
    return batch, params, state._replace(target=target)


def entropy(p):
    return cross_entropy(p, p)


def test_the_loss_by_hand():
    seen = []
    method = msn(
        encoder=spy(of_tokens(5), seen),
        temperature=0.2,
        sharpening=0.5,
        mean_entropy_weight=3.0,
        entropy_weight=0.5,
        num_iterations=0,
    )
    batch, params, state = begin(method)
    seen.clear()
    value, (_, metrics) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))

    (_, large, _), (_, small, _), (_, whole, train) = seen
    assert not train
    assert large.values.shape == (16, 11, 12), "of one anchor 11 of 16 tokens are left"
    assert small.values.shape == (32, 4, 12), "the small anchors stay whole"
    assert whole.values.shape == (16, 16, 12), "so does the target"
    kept = {tuple(row) for row in np.asarray(large.positions @ jnp.array([4.0, 1.0])).tolist()}
    assert len(kept) > 8, "each view drops tokens of its own"

    h = [features(params, tokens)[0] for tokens in (large, small)]
    h = np.concatenate([h[0].reshape(16, 1, 5), h[1].reshape(16, 2, 5)], axis=1)
    p = softmax(logits(params["head"], h) / 0.2)
    target_head = {**state.target.params["head"], "prototypes": params["head"]["prototypes"]}
    target, _ = features(state.target.params, whole)
    sharp = softmax(logits(target_head, target) / 0.1)
    prediction = cross_entropy(sharp[:, None], p).mean()
    unused = np.log(6) - entropy(p.mean(axis=(0, 1)))
    np.testing.assert_allclose(value, prediction + 3 * unused + 0.5 * entropy(p).mean(), rtol=1e-4)
    np.testing.assert_allclose(metrics["target/kl"], prediction - entropy(sharp).mean(), rtol=1e-3)


def test_nothing_dropped_and_small_anchors_alone():
    batch = conformance.batch()
    for options, shapes in (
        ({"mask_ratio": 0.0}, [(16, 16, 12), (32, 4, 12), (16, 16, 12)]),
        ({"augment": lambda key, x: (x[None], conformance.crops(key, x)[1])}, [(32, 4, 12), (16, 16, 12)]),
    ):
        seen = []
        method = msn(encoder=spy(of_tokens(5), seen), **options)
        params, state = jax.jit(method.init)(jax.random.key(0), batch)
        seen.clear()
        jax.eval_shape(method.loss, params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
        assert [tokens.values.shape for _, tokens, _ in seen] == shapes


def test_embed_is_the_averaged_class_token():
    method = msn(mean=0.5, std=0.25)
    batch, params, state = begin(method)
    tokens = jax.vmap(nn.patches(2))((batch["image"] / 255 - 0.5) / 0.25)
    expected, _ = features(state.target.params, tokens)
    np.testing.assert_allclose(method.embed(params, state, batch["image"]), expected, rtol=1e-4, atol=1e-5)


def test_the_diagnosis_names_its_arguments():
    (sentence,) = msn().diagnose({"target/entropy": 1.0, "target/mean_entropy": 1.0})
    assert "`sharpening`" in sentence
    (sentence,) = msn().diagnose({"target/entropy": 0.0, "target/mean_entropy": 0.05})
    assert "`mean_entropy_weight`" in sentence


@pytest.mark.parametrize(
    "options", [{"mask_ratio": 1.0}, {"temperature": 0.0}, {"num_iterations": -1}, {"std": 0.0}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        msn(**options)


def test_wrong_networks():
    with pytest.raises(ValueError, match="dino_head"):
        msn(head=nn.mlp((4,))).init(jax.random.key(0), conformance.batch())
    with pytest.raises(ValueError, match="cls_token=True"):
        msn(encoder=nn.transformer(16, 1, 2)).init(jax.random.key(0), conformance.batch())
