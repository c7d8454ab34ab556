"""Any network as a `core.Encoder`: Flax Linen modules, NNX modules, and encoders put together."""

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as flax_linen
from flax import nnx as flax_nnx
from jaxtyping import PRNGKeyArray

from jssl.core import Encoder, Tree, Variables
from jssl.pretext.image import to_float


def linen(module: flax_linen.Module) -> Encoder:
    """An encoder around a Flax Linen module.

    Args:
        module: its `__call__` takes the batch and, if it needs to know, `train` or `deterministic` by name.

    Returns:
        An encoder whose `stats` hold every collection but "params" (batch statistics, as a rule). `key`
        feeds the module's "dropout" stream.
    """
    takes = inspect.signature(type(module).__call__).parameters

    def mode(train: bool) -> dict[str, Any]:
        options = {"train": train, "deterministic": not train}
        return {name: value for name, value in options.items() if name in takes}

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        # Under jit the forward pass is dead code: only shapes and initialisers are computed.
        variables = dict(jax.jit(partial(module.init, **mode(False)))(key, x))
        return Variables(variables.pop("params", {}), variables)

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        collections = {"params": variables.params, **variables.stats}
        rngs = {} if key is None else {"dropout": key}
        if not (train and variables.stats):
            return module.apply(collections, x, rngs=rngs, **mode(train)), variables.stats
        return module.apply(collections, x, rngs=rngs, mutable=list(variables.stats), **mode(train))

    return Encoder(init, apply)


def nnx(factory: Callable[[flax_nnx.Rngs], flax_nnx.Module]) -> Encoder:
    """An encoder around a Flax NNX module, made pure: split into arrays, and merged again for each call.

    Args:
        factory: makes the module, as in `lambda rngs: Network(32, rngs=rngs)`; the module takes the batch.

    Returns:
        An encoder whose `params` are the module's `nnx.Param` and whose `stats` are all other variables but
        the random streams, which `key` feeds.

    Raises:
        ValueError: in `apply`, where the module draws random numbers in training and got no key.
    """
    kinds = (flax_nnx.Param, flax_nnx.RngState, ...)
    skeleton = flax_nnx.eval_shape(lambda: factory(flax_nnx.Rngs(0)))
    pieces: Any = flax_nnx.split(skeleton, *kinds)
    graph, params_shape, streams_shape, stats_shape = pieces

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        params, _, stats = flax_nnx.state(factory(flax_nnx.Rngs(key)), *kinds)
        return Variables(flax_nnx.to_pure_dict(params), flax_nnx.to_pure_dict(stats))

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        if train and key is None and jax.tree.leaves(streams_shape):
            raise ValueError("this network draws random numbers in training: pass `key=` to apply")
        streams = _streams(streams_shape, jax.random.key(0) if key is None else key)
        params, stats = _filled(params_shape, variables.params), _filled(stats_shape, variables.stats)
        module: Any = flax_nnx.merge(graph, params, streams, stats)
        if not train:
            module.eval()
            return module(x), variables.stats
        module.train()
        features = module(x)
        return features, flax_nnx.to_pure_dict(flax_nnx.state(module, *kinds)[2])

    return Encoder(init, apply)


def _filled(shapes: Any, arrays: Tree) -> Any:
    state = jax.tree.map(lambda shape: shape, shapes)
    flax_nnx.replace_by_pure_dict(state, arrays)
    return state


def _streams(shapes: Any, key: PRNGKeyArray) -> Any:
    """The module's random streams, each started from its own key folded from `key`, with the count at 0."""
    leaves, tree = jax.tree.flatten(shapes)

    def fill(index: int, leaf: jax.ShapeDtypeStruct) -> jax.Array:
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.fold_in(key, index)
        return jnp.zeros(leaf.shape, leaf.dtype)

    return jax.tree.unflatten(tree, [fill(index, leaf) for index, leaf in enumerate(leaves)])


def starting_from(encoder: Encoder, load: Callable[[Variables], Variables]) -> Encoder:
    """The encoder with given weights before the first step, instead of random ones.

    Args:
        encoder: of any kind.
        load: `(variables) -> variables`, from those of the right shapes to those to start from, as
            `partial(nn.load_weights, "model.safetensors")`, or `experiment.weights_of("runs/NAME")`.

    Raises:
        ValueError: in `init`, for weights of other shapes.
    """

    kept: list[Variables] = []

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        shapes = jax.eval_shape(encoder.init, key, x)
        if not kept:
            # What is loaded are numbers, also where `init` is being traced.
            with jax.ensure_compile_time_eval():
                kept.append(jax.tree.map(np.asarray, load(shapes)))
        found, expected = _shapes(kept[0]), _shapes(shapes)
        if found != expected:
            unlike = [
                f"{name} of {found.get(name, 'no shape')} for {expected.get(name, 'none')}"
                for name in sorted({**found, **expected})
                if found.get(name) != expected.get(name)
            ]
            raise ValueError(
                f"expected weights of the network's shapes, got {', '.join(unlike[:6])}; make the network as "
                "it was made for these weights (a text network with their tokenizer), or give others"
            )
        return jax.tree.map(jnp.asarray, kept[0])

    return Encoder(init, encoder.apply)


def _shapes(variables: Variables) -> dict[str, tuple[int, ...]]:
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    return {jax.tree_util.keystr(path): tuple(leaf.shape) for path, leaf in leaves}


def normalized(encoder: Encoder, *, mean: Sequence[float] | float, std: Sequence[float] | float) -> Encoder:
    """The encoder behind a fixed normalisation, so that it takes raw images: `(x - mean) / std`.

    Args:
        encoder: takes normalised float images [batch, ..., channels].
        mean: of each channel (or one for all), in units of [0, 1].
        std: of each channel (or one for all), in units of [0, 1], above 0.

    Returns:
        An encoder of uint8 images, or float ones in [0, 1].
    """
    # NumPy's, so that their values are known also where the encoder is made while something is traced.
    mean_array, std_array = np.asarray(mean, np.float32), np.asarray(std, np.float32)
    if (std_array <= 0).any():
        raise ValueError(f"expected a standard deviation above 0 for each channel, got std={std}")

    def prepare(x: jax.Array) -> jax.Array:
        last = (1,) * (x.ndim - 1) + (-1,)
        return (to_float(x) - mean_array.reshape(last)) / std_array.reshape(last)

    def init(key: PRNGKeyArray, x: jax.Array) -> Variables:
        return encoder.init(key, prepare(x))

    def apply(
        variables: Variables, x: jax.Array, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        return encoder.apply(variables, prepare(x), train=train, key=key)

    return Encoder(init, apply)


def chain(**encoders: Encoder) -> Encoder:
    """Encoders one after the other, with variables by name: `chain(encoder=..., projector=...)`.

    Returns:
        An encoder of the first one's input and the last one's output; `params` and `stats` are dictionaries
        of the given names.
    """
    if not encoders:
        raise ValueError("expected at least one encoder by name, as in chain(encoder=..., projector=...)")

    def init(key: PRNGKeyArray, x: Any) -> Variables:
        params, stats = {}, {}
        for index, (name, encoder) in enumerate(encoders.items()):
            variables = encoder.init(jax.random.fold_in(key, index), x)
            params[name], stats[name] = variables
            x = output_like(encoder, variables, x)
        return Variables(params, stats)

    def apply(
        variables: Variables, x: Any, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Any, Tree]:
        stats = {}
        for index, (name, encoder) in enumerate(encoders.items()):
            own = Variables(variables.params[name], variables.stats[name])
            own_key = None if key is None else jax.random.fold_in(key, index)
            x, stats[name] = encoder.apply(own, x, train=train, key=own_key)
        return x, stats

    return Encoder(init, apply)


def output_like(encoder: Encoder, variables: Variables, x: Any) -> Any:
    """Zeros of the shape that the encoder gives for `x`, for the next encoder's init; nothing is run."""
    shapes = jax.eval_shape(lambda: encoder.apply(variables, x, train=False)[0])
    return jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
