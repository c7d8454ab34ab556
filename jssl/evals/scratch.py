"""The baseline that pretraining must beat: the same encoder trained from scratch on the same labels."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl import nn, ops
from jssl.core import Encoder, Transform, Tree, Variables, example_keys
from jssl.evals.embedding import embed_all
from jssl.evals.eval import Eval, Split, count_classes, require_finite, require_inputs, require_labels
from jssl.evals.subsets import budget_scores, label_subsets

WARMUP = 20
"""One in so many steps belongs to the warm-up of the learning rate."""


class Recipe(NamedTuple):
    """AdamW with a linear warm-up over a twentieth of the steps and a cosine decay to 0."""

    learning_rate: float = 1e-3
    weight_decay: float = 5e-2
    steps: int = 500
    batch_size: int = 128


class _State(NamedTuple):
    variables: Variables
    moments: Tree


class Trainer(NamedTuple):
    """One classifier's compiled functions, shared by all label budgets and subsets.

    Steps are called one by one: XLA's CPU backend runs convolutions inside `lax.scan` on one thread, several
    times slower, and on accelerators the calls are queued ahead.

    init: `(key, examples) -> state`.
    step: `(state, inputs, labels, indices, key, number, learning_rate, weight_decay) -> state`.
    logits: `(variables, inputs) -> [batch, classes]`.
    """

    init: Callable[..., _State]
    step: Callable[..., _State]
    logits: Callable[[Variables, Any], Float[Array, "batch classes"]]


def make_trainer(encoder: Encoder, *, num_classes: int, augment: Transform | None = None) -> Trainer:
    """The encoder with a linear head, to be trained by cross-entropy.

    Args:
        encoder: `[batch, ...] -> [batch, dim]`.
        num_classes: outputs of the head.
        augment: `(key, x) -> x` of one example, for training; uint8 examples come to it as float in [0, 1].
    """
    classifier = nn.chain(encoder=encoder, head=nn.linear(num_classes))
    adam = optax.scale_by_adam()

    def prepare(key: PRNGKeyArray, x: Array) -> Array:
        if augment is None:
            return x
        unit = x.astype(jnp.float32) / 255 if x.dtype == jnp.uint8 else x
        return jax.vmap(augment)(example_keys(key, len(x)), unit)

    @jax.jit
    def init(key: PRNGKeyArray, examples: Array) -> _State:
        init_key, augment_key = jax.random.split(key)
        variables = classifier.init(init_key, prepare(augment_key, examples))
        return _State(variables, adam.init(variables.params))

    @partial(jax.jit, donate_argnums=0)
    def step(
        state: _State, inputs: Array, labels: Array, indices: Any, key: PRNGKeyArray, *schedule: Any
    ) -> _State:
        number, rate, decay = schedule
        augment_key, apply_key = jax.random.split(jax.random.fold_in(key, number))
        x = prepare(augment_key, inputs[indices])

        def loss(params: Tree) -> tuple[Array, Tree]:
            variables = Variables(params, state.variables.stats)
            logits, stats = classifier.apply(variables, x, train=True, key=apply_key)
            return ops.cross_entropy(logits, labels[indices]).mean(), stats

        params = state.variables.params
        gradients, stats = jax.grad(loss, has_aux=True)(params)
        updates, moments = adam.update(gradients, state.moments)
        params = jax.tree.map(lambda p, u: p - rate * (u + decay * p), params, updates)
        return _State(Variables(params, stats), moments)

    @jax.jit
    def logits(variables: Variables, inputs: Array) -> Array:
        return classifier.apply(variables, inputs, train=False)[0]

    return Trainer(init, step, logits)


def train(
    trainer: Trainer, key: PRNGKeyArray, inputs: Array, labels: Array, subset: np.ndarray, recipe: Recipe
) -> Variables:
    """The classifier after training on the examples that `subset` holds the indices of."""
    init_key, order_key, step_key = jax.random.split(key, 3)
    schedule = optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, recipe.steps // WARMUP, recipe.steps
    )
    rates = np.asarray(schedule(jnp.arange(1, recipe.steps + 1)))
    state = trainer.init(init_key, inputs[subset[:2]])
    batches = islice(_batches(order_key, subset, recipe.batch_size), recipe.steps)
    for number, indices in enumerate(batches):
        rate = rates[number]
        state = trainer.step(state, inputs, labels, indices, step_key, number, rate, recipe.weight_decay)
    return state.variables


def _batches(key: PRNGKeyArray, subset: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    """Batches without end; within an epoch no example comes twice."""
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    size = min(batch_size, len(subset))
    while True:
        order = rng.permutation(subset)
        yield from order[: len(order) // size * size].reshape(-1, size)


def supervised(
    encoder: Encoder,
    *,
    labels: Sequence[int | None] = (100, 1000, None),
    num_subsets: int | Sequence[int] = 5,
    learning_rate: float | Sequence[float] = Recipe().learning_rate,
    weight_decay: float | Sequence[float] = Recipe().weight_decay,
    steps: int | Sequence[int] = Recipe().steps,
    batch_size: int | Sequence[int] = Recipe().batch_size,
    augment: Transform | None = None,
    every: int | None = None,
) -> Eval:
    """Training from scratch on few labels: "supervised/100/accuracy", ... of the test set.

    Given the same key, `linear_probe` sees the same labels, so the two figures may stand side by side.

    Args:
        encoder: takes the inputs as they are (see `nn.normalized`) and gives [batch, dim].
        labels: how many labelled training examples it is trained on; None: all.
        num_subsets: random class-balanced subsets that each number of labels is averaged over; each is a
            training of its own, and they are the first of the linear probe's. This and the next four: one for
            all budgets, or one for each.
        learning_rate: highest value.
        weight_decay: of AdamW, on all parameters.
        steps: optimization steps.
        batch_size: examples in a step, at most as many as there are labels.
        augment: `(key, x) -> x` of one example in [0, 1], for training only.
        every: steps between runs while training; None: after the run only.
    """
    columns = [_each(value, len(labels)) for value in (learning_rate, weight_decay, steps, batch_size)]
    recipes = [Recipe(*values) for values in zip(*columns, strict=True)]
    subsets_each = _each(num_subsets, len(labels))
    if any(recipe.steps < 1 or recipe.batch_size < 1 for recipe in recipes):
        raise ValueError(f"expected steps and batch sizes of 1 or more, got steps={steps}, {batch_size=}")

    def run(key: PRNGKeyArray, train_split: Split, test: Split) -> dict[str, float]:
        inputs = require_inputs(train_split, "training inputs")
        test_inputs = require_inputs(test, "test inputs")
        train_labels = require_labels(train_split.labels, len(inputs), "training labels")
        test_labels = require_labels(test.labels, len(test_inputs), "test labels")
        classes = count_classes(train_labels, test_labels)
        trainer = make_trainer(encoder, num_classes=classes, augment=augment)
        data = jnp.asarray(inputs), jnp.asarray(train_labels)
        results: dict[str, float] = {}
        for budget, recipe, num in zip(labels, recipes, subsets_each, strict=True):
            subsets = label_subsets(key, train_labels, budget=budget, num=num)
            predictions = []
            for number, subset in enumerate(subsets):
                variables = train(trainer, jax.random.fold_in(key, number), *data, subset, recipe)
                predictions.append(_predict(trainer, variables, test_inputs))
            results |= budget_scores("supervised", budget, np.stack(predictions), test_labels, classes)
        return results

    return Eval("supervised", run, every, baselines=False)


def _each(value: Any, count: int) -> list:
    """One value for each label budget."""
    values = list(value) if isinstance(value, Sequence) else [value] * count
    if len(values) != count:
        raise ValueError(f"expected one value, or one for each of the {count} label budgets, got {value}")
    return values


def _predict(trainer: Trainer, variables: Variables, inputs: Any) -> Int[np.ndarray, " m"]:
    logits = embed_all(partial(trainer.logits, variables), inputs)
    require_finite(logits, "logits of the classifier trained from scratch")
    return logits.argmax(axis=1)
