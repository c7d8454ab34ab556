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
    return jax.vmap(jax.jit(augment))(example_keys(key, len(x)), as_input(x))


def views_of(augment: Transform, x: Array, key: PRNGKeyArray, *, num_global: int = 2) -> tuple[Array, ...]:
    """Views [batch, views, ...] of one size each, the global ones first, at least `num_global` of them."""
    views = augmented(augment, x, key)
    views = tuple(views) if isinstance(views, tuple) else (views,)
    total = sum(view.shape[1] for view in views) if all(view.ndim > 2 for view in views) else 0
    if total < 2 or views[0].shape[1] < num_global:
        raise ValueError(
            "expected an augment that makes (globals [g, ...], locals [l, ...]) of one example, two views or "
            f"more of which {num_global} or more are global, got {[view.shape[1:] for view in views]}: use "
            "pretext.dino_views or pretext.multi_crop"
        )
    return views


def as_one_size(views: tuple[Array, ...]) -> Float[Array, "batch views height width channels"]:
    """Views side by side, the small ones enlarged to the size of the global ones without smoothing."""
    size = views[0].shape[2:]
    resized = [jax.image.resize(view, (*view.shape[:2], *size), "nearest") for view in views]
    return jnp.concatenate(resized, axis=1)


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


def each_view(encoder: Encoder) -> Encoder:
    """The encoder of views [batch, views, ...] one by one: batch norm takes one view of the whole batch.

    The running statistics pass through one view after the other.
    """

    def init(key: PRNGKeyArray, views: Array) -> Variables:
        return encoder.init(key, views[:, 0])

    def apply(
        variables: Variables, views: Array, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "batch views dim"], Tree]:
        features, stats = [], variables.stats
        for index in range(views.shape[1]):
            own_key = None if key is None else jax.random.fold_in(key, index)
            own = Variables(variables.params, stats)
            y, stats = encoder.apply(own, views[:, index], train=train, key=own_key)
            features.append(y)
        return jnp.stack(features, axis=1), stats

    return Encoder(init, apply)


def encode_views(
    encoder: Encoder, variables: Variables, views: Sequence[Tree], *, key: PRNGKeyArray
) -> tuple[Float[Array, "batch views dim"], Tree]:
    """Features of all views, for views [batch, v, ...] of one size each: one pass of the encoder per size.

    Views are arrays, or trees of arrays, as `core.Tokens`.

    The running statistics pass through one size after the other, as in the published multi-crop.
    """
    features, stats = [], variables.stats
    for index, same_size in enumerate(views):
        own_key = jax.random.fold_in(key, index)
        own = Variables(variables.params, stats)
        h, stats = encoder.apply(own, jax.tree.map(merge_views, same_size), train=True, key=own_key)
        features.append(split_views(h, jax.tree.leaves(same_size)[0].shape[1]))
    return jnp.concatenate(features, axis=1), stats


def project_views(
    encoder: Encoder, projector: Encoder, variables: Variables, views: Sequence[Array], *, key: PRNGKeyArray
) -> tuple[Float[Array, "batch views dim"], Tree]:
    """Projections of all views: one pass of the encoder per size, one of the projector over all of them."""
    params, stats = variables
    encoder_key, projector_key = jax.random.split(key)
    own = Variables(params["encoder"], stats["encoder"])
    h, encoder_stats = encode_views(encoder, own, views, key=encoder_key)
    own = Variables(params["projector"], stats["projector"])
    z, projector_stats = projector.apply(own, merge_views(h), train=True, key=projector_key)
    return split_views(z, h.shape[1]), {"encoder": encoder_stats, "projector": projector_stats}


def frozen_before(params: Tree, step: Int[Array, ""], start: int) -> Tree:
    """The parameters, which get no gradient in steps before number `start`."""
    return jax.tree.map(lambda p: jnp.where(step < start, jax.lax.stop_gradient(p), p), params)


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


def project_and_predict(
    network: Encoder, predictor: Encoder, variables: Variables, views: Array, *, key: PRNGKeyArray
) -> tuple[Float[Array, "batch views dim"], Float[Array, "batch views dim"], Tree]:
    """The projections by a chain, the predictions from them, and the new statistics of all parts by name.

    The chain takes `each_view`, and so does the predictor here.
    """
    network_key, predictor_key = jax.random.split(key)
    z, stats = network.apply(variables, views, train=True, key=network_key)
    own = Variables(variables.params["predictor"], variables.stats["predictor"])
    p, predictor_stats = each_view(predictor).apply(own, z, train=True, key=predictor_key)
    return z, p, {**stats, "predictor": predictor_stats}


def random_queue(key: PRNGKeyArray, capacity: int, *row: int) -> ops.Queue:
    """A full queue of random directions, as MoCo and its followers start with."""
    rows = ops.l2_normalize(jax.random.normal(key, (capacity, *row)))
    return ops.queue_push(ops.queue_init(capacity, *row), rows)


def check_queue(queue_size: int, batch_size: int) -> None:
    """No queue, or one that holds a batch."""
    if 0 < queue_size < batch_size:
        raise ValueError(f"expected queue_size of 0 or at least a batch of {batch_size}, got {queue_size}")


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


def dimensions(z: Float[Array, "batch dim"]) -> Scalar:
    """How many dimensions the embeddings fill: 0 where they lie on a line, 1 where they are an even cloud.

    The participation ratio `(tr S)^2 / tr(S^2)` of the covariance S over the batch, on a scale from 1, that
    of a line, to `batch dim / (batch + dim)`, that of a Gaussian in all dimensions.
    """
    z = ops.at_least_float32(jax.lax.stop_gradient(z))
    z = z - jnp.mean(z, axis=0, keepdims=True)
    z = z / jnp.maximum(jnp.max(jnp.abs(z)), 1e-30)
    products = z @ z.T if z.shape[0] < z.shape[1] else z.T @ z
    ratio = jnp.trace(products) ** 2 / jnp.maximum(jnp.sum(products**2), 1e-30)
    even = z.shape[0] * z.shape[1] / (z.shape[0] + z.shape[1])
    return jnp.maximum(ratio - 1, 0.0) / max(even - 1, 1e-6)
