"""What every method does with its batch: make views, run them interleaved, watch for collapse."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar, Shaped

from jssl import ops
from jssl.core import Batch, Encoder, Schedule, Transform, Tree, Variables, example_keys
from jssl.pretext.image import to_float


def as_input(x: Shaped[Array, "batch *shape"]) -> Shaped[Array, "batch *shape"]:
    """What transforms and encoders take: bytes become floats in [0, 1], all else stays as it is."""
    return to_float(x) if x.dtype == jnp.uint8 else x


def augmented(augment: Transform, x: Shaped[Array, "batch *shape"], key: PRNGKeyArray) -> Any:
    """The transform of each example, with a key of its own."""
    return jax.vmap(augment)(example_keys(key, len(x)), as_input(x))


def field(batch: Batch, name: str) -> Array:
    """The array of the batch that the method reads."""
    if name not in batch:
        raise ValueError(f"expected a batch with {name!r}, got {sorted(batch)}: pass the name as `inputs=`")
    return batch[name]


def merge_views(views: Shaped[Array, "batch views *shape"]) -> Shaped[Array, "batch_views *shape"]:
    """All views as one batch, interleaved, so that each device keeps the views of its own examples."""
    return views.reshape(-1, *views.shape[2:])


def split_views(rows: Shaped[Array, "batch_views *shape"], num: int) -> Shaped[Array, "batch views *shape"]:
    """The inverse of `merge_views`."""
    return rows.reshape(-1, num, *rows.shape[1:])


def encode_views(
    encoder: Encoder, variables: Variables, views: Sequence[Array], *, key: PRNGKeyArray
) -> tuple[Float[Array, "batch views dim"], Tree]:
    """Features of all views, for views [batch, v, ...] of one size each: one pass of the encoder per size.

    The running statistics pass through one size after the other, as in the published multi-crop.
    """
    features, stats = [], variables.stats
    for index, same_size in enumerate(views):
        own_key = jax.random.fold_in(key, index)
        own = Variables(variables.params, stats)
        h, stats = encoder.apply(own, merge_views(same_size), train=True, key=own_key)
        features.append(split_views(h, same_size.shape[1]))
    return jnp.concatenate(features, axis=1), stats


def check_two_views(views: Any) -> None:
    """Two views of each example: [batch, 2, ...]."""
    if isinstance(views, tuple) or views.ndim < 3 or views.shape[1] != 2:
        raise ValueError(
            "expected an augment that makes two views [2, ...] of one example, got "
            f"{jax.tree.map(lambda view: view.shape[1:], views)}: wrap it in pretext.two_views"
        )


def start_target(variables: Variables, *names: str) -> Variables:
    """An averaged target before the first step: the named parts of a chain, in arrays of its own."""
    params, stats = ({name: part[name] for name in names} for part in variables)
    return Variables(*jax.tree.map(jnp.copy, (params, stats)))


def move_target(target: Variables, params: Tree, decay: float | Schedule, step: Int[Array, ""]) -> Variables:
    """The target after a step: its parameters have moved towards those of the same names in `params`."""
    online = {name: params[name] for name in target.params}
    return target._replace(params=ops.ema(target.params, online, decay=ops.at_step(decay, step)))


def zeros_of(function: Any, *arguments: Any) -> Any:
    """Zeros of the shapes that the function gives, which is all that an encoder's `init` needs."""
    return jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), jax.eval_shape(function, *arguments))


def embed_with(encoder: Encoder, params: Tree, stats: Tree, inputs: Array) -> Float[Array, "batch dim"]:
    """Features of raw inputs, in float32, without augmentation and with the running statistics."""
    features, _ = encoder.apply(Variables(params, stats), as_input(inputs), train=False)
    return features.astype(jnp.float32)


def spread(z: Float[Array, "batch dim"]) -> Scalar:
    """`sqrt(dim) * mean_d std(z / ||z||)_d`: near 1 for directions spread evenly, 0 for collapsed ones.

    Reference: Chen and He, 2020, arXiv 2011.10566, section 4.1.
    """
    z = ops.l2_normalize(ops.at_least_float32(jax.lax.stop_gradient(z)))
    return jnp.sqrt(z.shape[1]) * jnp.mean(jnp.std(z, axis=0))
