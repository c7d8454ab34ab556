import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, ops
from jssl.core import Variables
from jssl.methods import distillation_parts
from tests import conformance
from tests.methods.linear_networks import cross_entropy, logits, of_images, softmax
from tests.methods.spy import spy

HEAD = nn.dino_head(6, hidden=(), bottleneck=4)


def dino(**options):
    defaults = {"encoder": of_images(5), "head": HEAD, "augment": conformance.crops}
    return methods.dino(**{**defaults, **options})


def begin(method):
    """Parameters, and a state whose teacher and centre differ from the start's."""
    batch = conformance.batch()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    teacher = state.teacher._replace(params=jax.tree.map(lambda p: 1.1 * p + 0.1, state.teacher.params))
    return batch, params, state._replace(teacher=teacher, center=jnp.linspace(-0.2, 0.2, 6))


def test_the_loss_by_hand():
    seen = []
    method = dino(
        encoder=spy(of_images(5), seen), teacher_temperature=ops.linear(0.1, 0.3, 10), temperature=0.2
    )
    batch, params, state = begin(method)
    seen.clear()
    value, (new_state, _) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(5))

    (_, large, _), (_, small, _), (teacher_params, again, train) = seen
    assert not train, "without batch norm nothing is dropped"
    assert large.shape == (32, 8, 8, 3)
    assert small.shape == (32, 4, 4, 3)
    np.testing.assert_array_equal(again, large)
    assert teacher_params is state.teacher.params["encoder"]

    def scores(own, images):
        h = np.asarray(images).mean(axis=(1, 2)) @ own["encoder"]["kernel"]
        return logits(own["head"], h).reshape(16, 2, 6)

    teacher = scores(state.teacher.params, large)
    p = softmax((teacher - np.asarray(state.center)) / 0.2)
    q = softmax(np.concatenate([scores(params, large), scores(params, small)], axis=1) / 0.2)
    pairs = [cross_entropy(p[:, g], q[:, v]).mean() for g in range(2) for v in range(4) if v != g]
    np.testing.assert_allclose(value, np.mean(pairs), rtol=1e-4)
    moved = 0.9 * np.asarray(state.center) + 0.1 * teacher.mean(axis=(0, 1))
    np.testing.assert_allclose(new_state.center, moved, atol=1e-5)


def test_the_teacher_follows_and_is_what_embeds():
    method = dino(decay=ops.linear(0.0, 1.0, 10))
    batch, params, state = begin(method)
    moved = method.update(params, state, jnp.asarray(2))
    for name in ("encoder", "head"):
        old, online = (jax.tree.leaves(tree[name]) for tree in (state.teacher.params, params))
        for a, b, c in zip(old, online, jax.tree.leaves(moved.teacher.params[name]), strict=True):
            np.testing.assert_allclose(c, 0.2 * a + 0.8 * b, rtol=1e-5)
    mean_pixel = np.asarray(batch["image"] / 255).mean(axis=(1, 2))
    expected = mean_pixel @ moved.teacher.params["encoder"]["kernel"]
    np.testing.assert_allclose(method.embed(params, moved, batch["image"]), expected, rtol=1e-4)


def test_prototypes_are_frozen_at_first():
    method = dino(freeze_prototypes_steps=2)
    batch, params, state = begin(method)
    gradient = jax.jit(jax.grad(method.loss, has_aux=True))
    moving = []
    for number in range(4):
        found, _ = gradient(params, state, batch, key=jax.random.key(1), step=jnp.asarray(number))
        assert np.any(found["head"]["mlp"]["Dense_0"]["kernel"])
        moving.append(bool(np.any(found["head"]["prototypes"]["kernel"])))
    assert moving == [False, False, True, True]


def test_a_teacher_with_batch_norm_normalises_by_its_batch():
    seen = []
    method = dino(encoder=spy(conformance.resnet(), seen))
    batch = conformance.batch()
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    seen.clear()
    _, (new_state, _) = jax.jit(method.loss)(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    assert [train for *_, train in seen] == [True, True, True]
    before, after = (jax.tree.leaves(s.teacher.stats) for s in (state, new_state))
    assert all(np.any(a != b) for a, b in zip(before, after, strict=True))


def test_target_metrics():
    targets = jnp.array([[[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]], [[0.5, 0.5, 0.0, 0.0]] * 2])
    figures = distillation_parts.target_metrics(targets, jnp.asarray(1.0))
    np.testing.assert_allclose(figures["target/entropy"], 0.25, rtol=1e-5)
    np.testing.assert_allclose(figures["target/mean_entropy"], 0.5, rtol=1e-5)
    np.testing.assert_allclose(figures["target/kl"], 1 - np.log(2) / 2, rtol=1e-5)


@pytest.mark.parametrize(
    ("targets", "kind", "argument"),
    [
        (jnp.full((8, 6), 1 / 6), "Uniform collapse", "`teacher_temperature`"),
        (jnp.tile(jnp.eye(6)[:1], (8, 1)), "Collapse to one prototype", "`center_decay`"),
        (
            jnp.tile(jnp.array([[0.4, 0.3, 0.3, 0]]), (8, 1)),
            "the same distribution",
            "`center_decay`",
        ),
        (jnp.eye(6), None, None),
        (0.9 * jnp.eye(6) + 0.1 / 6, None, None),
    ],
)
def test_the_diagnosis_tells_one_collapse_from_the_other(targets, kind, argument):
    metrics = {name: float(x) for name, x in distillation_parts.target_metrics(targets).items()}
    sentences = dino().diagnose(metrics)
    if kind is None:
        assert sentences == []
    else:
        (sentence,) = sentences
        assert kind in sentence
        assert argument in sentence
    assert dino().diagnose({"loss": 1.0}) == []
    assert dino().diagnose({"target/entropy": float("nan"), "target/mean_entropy": float("nan")}) == []


def test_in_training_mode():
    assert not distillation_parts.in_training_mode(Variables({"kernel": jnp.ones(2)}, {"encoder": {}}))
    assert distillation_parts.in_training_mode(Variables({}, {"encoder": {"mean": jnp.ones(2)}}))


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"center_decay": 1.0}, {"freeze_prototypes_steps": -1}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        dino(**options)


def test_a_head_without_prototypes_cannot_be_frozen():
    method = dino(head=nn.mlp((6,)), freeze_prototypes_steps=1)
    batch, params, state = begin(method)
    with pytest.raises(ValueError, match="dino_head"):
        method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))


def test_too_few_views():
    for augment in (conformance.noisy, lambda key, x: (x[None], x[None])):
        with pytest.raises(ValueError, match="multi_crop"):
            dino(augment=augment).init(jax.random.key(0), {"image": jnp.zeros((4, 1, 8, 3))})
