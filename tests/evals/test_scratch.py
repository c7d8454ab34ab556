import jax
import numpy as np
import pytest
from flax import linen

from jssl import evals, nn
from jssl.core import Variables
from jssl.evals import scratch

SMALL = {"labels": (20, None), "num_subsets": 2, "steps": 30, "batch_size": 16}


class Network(linen.Module):
    """Small, with batch statistics and dropout, as an encoder may have them."""

    @linen.compact
    def __call__(self, x, train: bool):
        x = linen.Dense(16)(x.reshape(len(x), -1))
        x = linen.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        return linen.Dropout(0.1, deterministic=not train)(linen.relu(x))


def encoder():
    return nn.normalized(nn.linen(Network()), mean=0.5, std=0.25)


def images(seed, num):
    """Bright in the half or quarter that the class names."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(num) % 4).astype(np.int32)
    x = rng.integers(0, 120, (num, 4, 4, 1))
    x[np.arange(num), labels] += 120
    return evals.Split(x.astype(np.uint8), np.zeros((num, 1), np.float32), labels)


def test_an_encoder_learns_from_scratch_and_equal_keys_give_equal_figures():
    train, test = images(0, 200), images(1, 100)
    evaluation = evals.supervised(encoder(), learning_rate=1e-2, **SMALL)
    results = [evaluation.run(jax.random.key(0), train, test) for _ in range(2)]
    assert results[0] == results[1]
    assert set(results[0]) == {
        f"supervised/{budget}/{measure}" for budget in (20, "all") for measure in ("accuracy", "macro_f1")
    }
    assert results[0]["supervised/all/accuracy"] > 0.7
    assert (evaluation.name, evaluation.baselines) == ("supervised", False)


def test_it_sees_the_labels_that_the_linear_probe_sees():
    """Labels outside the probe's subsets may be anything."""
    train, test = images(2, 120), images(3, 40)
    key = jax.random.key(5)
    options = {"labels": (20,), "num_subsets": 2, "steps": 5, "batch_size": 16}
    seen = evals.label_subsets(key, train.labels, budget=20, num=2).ravel()
    inputs = train.inputs.copy()
    inputs[np.setdiff1d(np.arange(120), seen)] = 0
    results = [
        evals.supervised(encoder(), **options).run(key, split, test)
        for split in (train, train._replace(inputs=inputs))
    ]
    assert results[0] == results[1]


def test_augmentation_takes_one_float_example_and_everything_is_traced_once():
    seen = []

    def augment(key, x):
        seen.append((x.shape, x.dtype))
        return x + 0.01 * jax.random.normal(key, x.shape)

    evaluation = evals.supervised(encoder(), augment=augment, **SMALL)
    evaluation.run(jax.random.key(0), images(4, 100), images(5, 40))
    # Once for the shapes of the first examples, once for the step of all budgets and subsets.
    assert seen == [((4, 4, 1), np.float32)] * 2


def test_each_budget_may_have_its_own_hyper_parameters():
    evaluation = evals.supervised(
        encoder(),
        labels=(8, None),
        num_subsets=1,
        steps=(1, 30),
        learning_rate=(1e-6, 1e-2),
        batch_size=(4, 16),
    )
    results = evaluation.run(jax.random.key(0), images(6, 200), images(7, 100))
    assert results["supervised/8/accuracy"] < 0.6 < results["supervised/all/accuracy"]


def test_batch_statistics_are_those_of_training():
    """Features of mean 0 in training and raw statistics at test time would differ widely."""
    trainer = scratch.make_trainer(encoder(), num_classes=4)
    train = images(8, 64)
    recipe = scratch.Recipe(learning_rate=0.0, steps=100, batch_size=64)
    key = jax.random.key(0)
    variables = scratch.train(
        trainer, key, jax.numpy.asarray(train.inputs), jax.numpy.asarray(train.labels), np.arange(64), recipe
    )
    dense = variables.params["encoder"]["Dense_0"]
    normalised = (train.inputs.reshape(64, -1) / 255 - 0.5) / 0.25
    before = normalised @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"])
    measured = variables.stats["encoder"]["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(measured, before.mean(0), atol=1e-3)
    assert isinstance(variables, Variables)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="one for each of the 2 label budgets"):
        evals.supervised(encoder(), labels=(8, None), steps=(1, 2, 3))
    with pytest.raises(ValueError, match="steps and batch sizes of 1 or more"):
        evals.supervised(encoder(), steps=0)
    train = images(9, 40)
    with pytest.raises(ValueError, match="training labels, got None"):
        evals.supervised(encoder()).run(jax.random.key(0), train._replace(labels=None), train)
    with pytest.raises(ValueError, match="to the 40 training examples, got 100"):
        evals.supervised(encoder(), labels=(100,)).run(jax.random.key(0), train, train)
    with pytest.raises(ValueError, match="finite logits"):
        evals.supervised(encoder(), labels=(None,), learning_rate=1e30, steps=10).run(
            jax.random.key(0), train, train
        )
