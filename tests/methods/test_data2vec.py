import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, methods, nn
from tests import conformance
from tests.methods.spy import spy
from tests.nn.compiled import apply

ENCODER = nn.transformer(16, 2, 2, cls_token=True, mask_token=True)
TEACHER = nn.transformer(16, 2, 2, cls_token=True, mask_token=True, last_blocks=2)


def data2vec(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": ENCODER,
        "teacher": TEACHER,
        "untokenize": nn.unpatchify,
    }
    return methods.data2vec(**{**defaults, **options})


@pytest.mark.parametrize(("normalize", "axis"), [("layer", -1), ("instance", -2)])
def test_the_loss_by_hand(normalize, axis):
    batch, students, teachers = conformance.batch(), [], []
    method = data2vec(
        encoder=spy(ENCODER, students), teacher=spy(TEACHER, teachers), normalize=normalize, beta=0.5
    )
    params, state = method.init(jax.random.key(0), batch)
    moved = jax.tree.map(lambda x: x + 0.1, state.target.params)
    state = state._replace(target=state.target._replace(params=moved))
    value, _ = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    (teacher_params, whole, teacher_train), (_, tokens, _) = teachers[-1], students[-1]
    assert teacher_params is moved["encoder"]
    assert not teacher_train
    assert whole.masked is None
    mask = np.asarray(tokens.masked)
    assert mask.sum(1).tolist() == [10] * 16

    blocks, _ = apply(TEACHER, core.Variables(moved["encoder"], {}), whole)
    y = np.asarray(blocks, np.float64)[:, :, 1:]
    y = (y - y.mean(axis, keepdims=True)) / np.sqrt(y.var(axis, keepdims=True) + 1e-5)
    y = y.mean(1)
    features, _ = apply(ENCODER, core.Variables(params["encoder"], {}), tokens, train=True)
    f = np.asarray(features[:, 1:] @ params["head"]["kernel"] + params["head"]["bias"].reshape(1, 1, -1))
    d = np.abs(f - y)[mask]
    np.testing.assert_allclose(value, np.where(d < 0.5, d * d, d - 0.25).mean(), rtol=1e-4)


def test_the_teacher_follows_the_student():
    batch = conformance.batch()
    method = data2vec(decay=0.75)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    np.testing.assert_array_equal(
        *(jax.tree.leaves(tree)[0] for tree in (params["encoder"], state.target.params["encoder"]))
    )
    moved = jax.tree.map(lambda x: x + 1.0, params)
    after = method.update(moved, state, jnp.asarray(0))
    for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_allclose(b, a + 0.25, atol=1e-6)


def test_diagnosis():
    judge = data2vec().diagnose
    assert judge({"target/std": 0.4}) == []
    assert "decay" in judge({"target/std": 0.001})[0]


def test_wrong_arguments():
    for options in ({"mask_ratio": 0.0}, {"std": 0.0}, {"beta": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            data2vec(**options)
    with pytest.raises(ValueError, match="last_blocks"):
        data2vec(teacher=ENCODER).init(jax.random.key(0), conformance.batch())
    plain = nn.transformer(16, 2, 2)
    with pytest.raises(ValueError, match="mask_token=True"):
        data2vec(encoder=plain).init(jax.random.key(0), conformance.batch())
