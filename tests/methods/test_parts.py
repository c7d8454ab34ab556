import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops
from jssl.core import Variables
from jssl.methods import parts, warnings
from tests.methods import vectors


def online():
    layers = {name: {"kernel": jnp.full((2,), value)} for name, value in (("a", 1.0), ("b", 2.0))}
    return Variables({**layers, "head": {"kernel": jnp.zeros(3)}}, {"a": {}, "b": {"mean": jnp.ones(2)}})


def test_a_target_starts_as_a_copy_of_the_named_parts():
    source = online()
    target = parts.start_target(source, "a", "b")
    assert target.params.keys() == target.stats.keys() == {"a", "b"}
    np.testing.assert_array_equal(target.params["b"]["kernel"], source.params["b"]["kernel"])
    assert target.params["b"]["kernel"] is not source.params["b"]["kernel"]
    assert target.stats["b"]["mean"] is not source.stats["b"]["mean"]


@pytest.mark.parametrize(("decay", "expected"), [(0.9, 1.1), (ops.linear(0.0, 1.0, 10), 1.5)])
def test_a_target_moves_by_its_decay_at_the_step(decay, expected):
    target = parts.start_target(online(), "a", "b")
    params = jax.tree.map(lambda x: x + 1, online().params)
    moved = parts.move_target(target, params, decay, jnp.asarray(5))
    np.testing.assert_allclose(moved.params["a"]["kernel"], expected, rtol=1e-6)
    assert moved.stats is target.stats


@pytest.mark.parametrize("views", [jnp.ones((4, 3, 8, 8, 3)), jnp.ones((4, 2)), (jnp.ones((4, 2, 8)),)])
def test_other_numbers_of_views_say_how_to_get_two(views):
    with pytest.raises(ValueError, match=r"pretext\.two_views"):
        parts.check_two_views(views)


def test_no_spread():
    assert warnings.no_spread({"collapse/std": 0.9, "loss": 1.0}, "wait") == []
    assert warnings.no_spread({"loss": 1.0}, "wait") == []
    assert warnings.no_spread({"collapse/std": float("nan")}, "wait") == []
    (sentence,) = warnings.no_spread({"collapse/std": 0.04}, "wait")
    assert "0.040" in sentence
    assert sentence.endswith("so wait.")


def test_at_chance():
    assert warnings.at_chance({"contrastive/chance": 0.7}, "wait") == []
    assert warnings.at_chance({}, "wait") == []
    (sentence,) = warnings.at_chance({"contrastive/chance": 1.0}, "wait")
    assert "1.00 times log K" in sentence
    assert sentence.endswith("so wait.")


def test_each_view_passes_alone_and_the_statistics_one_after_the_other():
    views = vectors.views_of(jax.random.key(1))
    network = parts.each_view(vectors.ENCODER)
    params, stats = network.init(jax.random.key(0), views)
    features, after = network.apply(Variables(params, stats), views, train=True)
    for index in range(2):
        alone, stats = vectors.ENCODER.apply(Variables(params, stats), views[:, index], train=True)
        np.testing.assert_array_equal(features[:, index], alone)
    jax.tree.map(np.testing.assert_array_equal, after, stats)
