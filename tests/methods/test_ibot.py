import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, pretext
from tests import conformance
from tests.methods.linear_networks import MASK, cross_entropy, logits, of_tokens, softmax
from tests.methods.spy import spy

HEAD = nn.dino_head(6, hidden=(), bottleneck=4)


def ibot(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": of_tokens(5),
        "head": HEAD,
        "augment": conformance.crops,
        "mask": lambda key, n: pretext.ibot_mask(key, (4, 4)),
        "untokenize": nn.unpatchify,
    }
    return methods.ibot(**{**defaults, **options})


def begin(method):
    """Parameters, and a state whose teacher and centres differ from the start's."""
    batch = conformance.batch()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    teacher = state.teacher._replace(params=jax.tree.map(lambda p: 1.1 * p + 0.1, state.teacher.params))
    centers = (jnp.linspace(-0.2, 0.2, len(center)) for center in (state.center, state.token_center))
    return batch, params, type(state)(state.stats, teacher, *centers)


def features(params, tokens):
    """Of the class token, and of all tokens."""
    values = np.asarray(tokens.values)
    if tokens.masked is not None:
        values = np.where(np.asarray(tokens.masked)[..., None], MASK, values)
    kernel = np.asarray(params["encoder"]["kernel"])
    return values.mean(axis=1) @ kernel, values @ kernel


@pytest.mark.parametrize("own_head", [False, True])
def test_the_loss_by_hand(own_head):
    seen = []
    token_head = nn.dino_head(7, hidden=(), bottleneck=3) if own_head else None
    method = ibot(
        encoder=spy(of_tokens(5), seen),
        token_head=token_head,
        temperature=0.2,
        teacher_temperature=0.3,
        token_temperature=0.4,
        token_weight=0.5,
    )
    batch, params, state = begin(method)
    seen.clear()
    value, (new_state, metrics) = method.loss(
        params, state, batch, key=jax.random.key(1), step=jnp.asarray(0)
    )

    (_, large, _), (_, small, _), (teacher_params, whole, train) = seen
    assert not train
    assert teacher_params is state.teacher.params["encoder"]
    np.testing.assert_array_equal(whole.values, large.values)
    assert whole.masked is None
    assert small.masked is None
    assert large.values.shape == (32, 16, 12)
    assert small.values.shape == (32, 4, 12)
    hidden = np.asarray(large.masked)
    assert 0 < hidden.any(axis=1).mean() < 1, "some views stay whole"
    assert hidden.sum(axis=1).max() <= 8

    by_name = "token_head" if own_head else "head"
    student, of_student = features(params, large)
    local, _ = features(params, small)
    teacher, of_teacher = features(state.teacher.params, whole)
    head, teacher_head = params["head"], state.teacher.params["head"]
    p = softmax((logits(teacher_head, teacher) - np.asarray(state.center)) / 0.3).reshape(16, 2, -1)
    q = np.concatenate([logits(head, h).reshape(16, 2, -1) for h in (student, local)], axis=1)
    q = softmax(q / 0.2)
    pairs = [cross_entropy(p[:, g], q[:, v]).mean() for g in range(2) for v in range(4) if v != g]
    np.testing.assert_allclose(metrics["loss/views"], np.mean(pairs), rtol=1e-4)

    token_logits = logits(state.teacher.params[by_name], of_teacher)
    p = softmax((token_logits - np.asarray(state.token_center)) / 0.4)
    q = softmax(logits(params[by_name], of_student) / 0.2)
    rows = (cross_entropy(p, q) * hidden).sum(axis=1) / np.maximum(hidden.sum(axis=1), 1)
    np.testing.assert_allclose(metrics["loss/tokens"], rows.mean(), rtol=1e-4)
    np.testing.assert_allclose(value, np.mean(pairs) + 0.5 * rows.mean(), rtol=1e-4)

    moved = 0.9 * np.asarray(state.center) + 0.1 * logits(teacher_head, teacher).mean(axis=0)
    np.testing.assert_allclose(new_state.center, moved, atol=1e-5)
    assert np.any(new_state.token_center != state.token_center)


def test_prototypes_of_all_heads_are_frozen_at_first():
    method = ibot(token_head=HEAD, freeze_prototypes_steps=1)
    batch, params, state = begin(method)
    gradient = jax.jit(jax.grad(method.loss, has_aux=True))
    for number, moves in enumerate((False, True)):
        found, _ = gradient(params, state, batch, key=jax.random.key(1), step=jnp.asarray(number))
        for name in ("head", "token_head"):
            assert np.any(found[name]["mlp"]["Dense_0"]["kernel"])
            assert bool(np.any(found[name]["prototypes"]["kernel"])) == moves


def test_embed_is_the_teachers_class_token():
    method = ibot(mean=0.5, std=(0.2, 0.3, 0.4))
    batch, params, state = begin(method)
    tokens = jax.vmap(nn.patches(2))(batch["image"] / 255)
    std = np.tile([0.2, 0.3, 0.4], 4)
    tokens = tokens._replace(values=(np.asarray(tokens.values) - 0.5) / std)
    expected, _ = features(state.teacher.params, tokens)
    np.testing.assert_allclose(method.embed(params, state, batch["image"]), expected, rtol=1e-4)


def test_pictures_show_what_is_hidden():
    method = ibot(
        augment=lambda key, x: jnp.stack([x, x]),
        mask=lambda key, n: pretext.ibot_mask(key, (4, 4), ratio=(0.5, 0.5), probability=1.0),
        mean=0.5,
        std=0.25,
    )
    batch, params, state = begin(method)
    views = np.asarray(method.show(params, state, batch, key=jax.random.key(2))["views"])
    original = np.asarray(batch["image"])[:, None] / 255
    same = np.isclose(views, original, atol=1e-5).all(axis=-1).mean(axis=(2, 3))
    np.testing.assert_allclose(same, 0.5, atol=0.05)
    assert ibot(untokenize=None).show is None


def test_the_diagnosis_names_the_temperature():
    uniform = {"token_target/entropy": 1.0, "token_target/mean_entropy": 1.0}
    (sentence,) = ibot().diagnose({"target/entropy": 0.3, "target/mean_entropy": 0.8, **uniform})
    assert "`token_temperature`" in sentence
    single = {"target/entropy": 0.01, "target/mean_entropy": 0.02}
    (sentence,) = ibot().diagnose({**single, "token_target/entropy": 0.3, "token_target/mean_entropy": 0.9})
    assert "`teacher_temperature`" in sentence


def test_wrong_arguments():
    for options in ({"temperature": 0.0}, {"center_decay": 1.0}, {"std": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            ibot(**options)
    with pytest.raises(ValueError, match="cls_token=True"):
        ibot(encoder=nn.transformer(16, 1, 2, mask_token=True)).init(jax.random.key(0), conformance.batch())
    with pytest.raises(ValueError, match="mask_token=True"):
        ibot(encoder=nn.transformer(16, 1, 2, cls_token=True)).init(jax.random.key(0), conformance.batch())
