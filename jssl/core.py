"""The contract: the nouns that everything in jssl is made of. Read this file first.

A transform changes one example at random. A tokenizer cuts one example into tokens. An encoder is a pair of
pure functions around a network. A method is a pretext task: pure functions over `params`, which the optimizer
changes, and `state`, which holds everything else that the next step needs. Nothing here has a side effect.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
from jaxtyping import Array, Bool, Float, Int, Key, PRNGKeyArray, Scalar

Tree: TypeAlias = Any
"""A pytree of arrays."""

Batch: TypeAlias = dict[str, Array]
"""Arrays by name with one leading batch dimension: "image" (uint8 or float in [0, 1]), "tokens" (int32),
"label", ..."""

Metrics: TypeAlias = dict[str, Scalar]
"""Scalars by name, grouped by slashes: "loss", "loss/invariance", "collapse/std"."""


Schedule: TypeAlias = Callable[[Any], Any]
"""A step's number to a number: the decay of an averaged target, a temperature (see `ops.cosine`)."""


@runtime_checkable
class Transform(Protocol):
    """One random change of one example; jit- and vmap-safe, with a static output shape."""

    def __call__(self, key: PRNGKeyArray, x: Any, /) -> Any: ...


class Tokens(NamedTuple):
    """An example, or a batch of them, cut into tokens.

    masked: tokens whose content the network must not see; it puts a learned vector in their place.
    """

    values: Float[Array, "*batch n p"]
    positions: Float[Array, "*batch n k"]
    masked: Bool[Array, "*batch n"] | None = None


class Text(NamedTuple):
    """Rows of token numbers, as a network of text takes them.

    segments: the document of its row that a token belongs to, from 1; 0 is padding. Attention and positions
        stay within a document. None: each row is one document without padding.
    types: the sentence of a pair that a token belongs to; None: all 0.
    context: what is known of a row besides, added to the embeddings of all its tokens.
    """

    tokens: Int[Array, "*batch n"]
    segments: Int[Array, "*batch n"] | None = None
    types: Int[Array, "*batch n"] | None = None
    context: Float[Array, "*batch dim"] | None = None


@runtime_checkable
class Tokenizer(Protocol):
    """One example (no batch dimension) to its tokens and where they lie."""

    def __call__(self, x: Any, /) -> Tokens: ...


class Variables(NamedTuple):
    """What a network holds: `params` are trained, `stats` (batch statistics) are updated by `apply`."""

    params: Tree
    stats: Tree


class Encoder(NamedTuple):
    """A network as two pure functions. Heads (projectors, predictors, decoders) are encoders too.

    init: `(key, x) -> Variables`, for a batch `x` of the shape it will see.
    apply: `(variables, x, *, train, key=None) -> (features, stats)`. With `train=False` the statistics are
        used and returned as they are; `key` feeds dropout and stochastic depth where the network has them.
    """

    init: Callable[..., Variables]
    apply: Callable[..., tuple[Any, Tree]]


class Share(NamedTuple):
    """A sum, and what to divide the sums of all batches by to have their mean."""

    total: Float[Array, ""]
    weight: Float[Array, ""]


class Method(NamedTuple):
    """A pretext task put together.

    init: `(key, batch) -> (params, state)`.
    loss: `(params, state, batch, *, key, step) -> (loss, (state, metrics))`, differentiated in `params`.
    update: `(params, state, step) -> state`, after the optimizer: averaged targets, queues.
    embed: `(params, state, inputs) -> features [batch, dim]`, deterministic: what is evaluated and exported.
    refresh: `(params, state, dataset, *, key) -> (params, state, metrics)`, on the host before the first step
        and every N steps: k-means over the data set.
    show: `(params, state, batch, *, key) -> {name: array}`, pictures of the pretext task for the report:
        `[batch, columns, height, width, channels]` in [0, 1] is drawn as rows of images, `[batch, k]` as
        scores of k clusters whose members are drawn, `[batch, 3, n]` of token numbers as texts with gaps,
        with what the network puts there, and as they were.
    diagnose: `({metric: float}) -> [sentence]`, from the last metrics to what has collapsed and what to try.
    score: `(params, state, batch, *, key) -> {name: Share}`, how well examples that were not trained on are
        predicted, without dropout; an example counts by its "weight" in the batch, 0 or 1, where it has one.
    predict: `(params, state, batch) -> (predictions, targets)`, both [batch, ...], what is said of examples
        that were not trained on and what is right, for measures that are no means over examples.
    extend: `(params, state, Prompt | Next) -> (logits [batch, vocab], Cache)`, what a causal language model
        says about the next token (see `nn.text_transformer`).
    """

    init: Callable[..., tuple[Tree, Tree]]
    loss: Callable[..., tuple[Scalar, tuple[Tree, Metrics]]]
    update: Callable[..., Tree]
    embed: Callable[..., Float[Array, "batch dim"]]
    refresh: Callable[..., tuple[Tree, Tree, dict[str, float]]] | None = None
    show: Callable[..., dict[str, Array]] | None = None
    diagnose: Callable[[Mapping[str, float]], list[str]] | None = None
    score: Callable[..., dict[str, Share]] | None = None
    predict: Callable[..., tuple[Array, Array]] | None = None
    extend: Callable[..., tuple[Float[Array, "batch vocab"], Any]] | None = None


class TrainState(NamedTuple):
    """All that a run needs to go on; arrays only, so that a checkpoint of it is a checkpoint of the run.

    `key` never changes: the key of a step is folded from it and the step's number.
    """

    step: Int[Array, ""]
    params: Tree
    method_state: Tree
    opt_state: Tree
    key: PRNGKeyArray


def example_keys(key: PRNGKeyArray, num: int) -> Key[Array, " {num}"]:
    """One key for each example of the global batch, folded from its index, so devices don't change it."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jax.numpy.arange(num))
