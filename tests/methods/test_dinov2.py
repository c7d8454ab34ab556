import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import losses, methods, nn, ops, pretext
from tests import conformance
from tests.methods.linear_networks import cross_entropy, logits, of_tokens, softmax
from tests.methods.spy import spy
from tests.methods.test_ibot import features


def dinov2(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": of_tokens(5),
        "head": nn.dino_head(6, hidden=(), bottleneck=4),
        "token_head": nn.dino_head(7, hidden=(), bottleneck=3),
        "augment": conformance.crops,
        "mask": lambda key, n: pretext.ibot_mask(key, (4, 4)),
        "untokenize": nn.unpatchify,
    }
    return methods.dinov2(**{**defaults, **options})


def begin(method):
    """Parameters, and a state whose teacher differs from the start's."""
    batch = conformance.batch()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    teacher = state.teacher._replace(params=jax.tree.map(lambda p: 1.1 * p + 0.1, state.teacher.params))
    return batch, params, state._replace(teacher=teacher)


def test_the_loss_by_hand():
    seen = []
    method = dinov2(
        encoder=spy(of_tokens(5), seen),
        temperature=0.2,
        teacher_temperature=ops.linear(0.1, 0.3, 10),
        token_weight=0.5,
        koleo_weight=2.0,
    )
    batch, params, state = begin(method)
    seen.clear()
    value, (_, metrics) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(5))

    (_, large, _), (_, small, _), (_, whole, _) = seen
    student, of_student = features(params, large)
    local, _ = features(params, small)
    teacher, of_teacher = features(state.teacher.params, whole)
    p = ops.sinkhorn(jnp.asarray(logits(state.teacher.params["head"], teacher), jnp.float32), epsilon=0.2)
    p = np.asarray(p).reshape(16, 2, -1)
    q = np.concatenate([logits(params["head"], h).reshape(16, 2, -1) for h in (student, local)], axis=1)
    q = softmax(q / 0.2)
    pairs = [cross_entropy(p[:, g], q[:, v]).mean() for g in range(2) for v in range(4) if v != g]
    np.testing.assert_allclose(metrics["loss/views"], np.mean(pairs), rtol=1e-3)

    hidden = np.asarray(large.masked)
    scores = logits(state.teacher.params["token_head"], of_teacher)[hidden]
    p = np.asarray(ops.sinkhorn(jnp.asarray(scores, jnp.float32), epsilon=0.2))
    q = softmax(logits(params["token_head"], of_student)[hidden] / 0.2)
    weights = np.broadcast_to(1 / np.maximum(hidden.sum(axis=1, keepdims=True), 1), hidden.shape)[hidden]
    tokens = np.sum(cross_entropy(p, q) * weights) / len(hidden)
    np.testing.assert_allclose(metrics["loss/tokens"], tokens, rtol=1e-3)

    by_view = jnp.asarray(student, jnp.float32).reshape(16, 2, -1)
    koleo = losses.koleo(by_view[:, 0]) + losses.koleo(by_view[:, 1])
    np.testing.assert_allclose(metrics["loss/koleo"], koleo, rtol=1e-3)
    np.testing.assert_allclose(value, np.mean(pairs) + 0.5 * tokens + 2 * koleo, rtol=1e-3)


def test_a_batch_without_hidden_tokens_is_finite():
    method = dinov2(mask=lambda key, n: pretext.ibot_mask(key, (4, 4), probability=0.0))
    batch, params, state = begin(method)
    (value, (_, metrics)), gradient = jax.jit(jax.value_and_grad(method.loss, has_aux=True))(
        params, state, batch, key=jax.random.key(1), step=jnp.asarray(0)
    )
    assert metrics["loss/tokens"] == 0
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((value, metrics, gradient)))


def test_the_diagnosis_names_its_arguments():
    healthy = {"target/entropy": 0.3, "target/mean_entropy": 0.8}
    (sentence,) = dinov2().diagnose(
        {**healthy, "token_target/entropy": 1.0, "token_target/mean_entropy": 1.0}
    )
    assert "`teacher_temperature`" in sentence
    (sentence,) = dinov2().diagnose({"target/entropy": 0.5, "target/mean_entropy": 0.5})
    assert "`koleo_weight`" in sentence


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"num_iterations": 0}, {"freeze_prototypes_steps": -1}, {"std": 0.0}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        dinov2(**options)
