"""Similarity: the cosine of two sentences' features becomes the likeness that people see in them."""

import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, ops
from jssl.core import Batch, Encoder, Method, Metrics, Share, Tree
from jssl.methods import fine_tuning as tuning
from jssl.methods import text_parts as parts
from jssl.methods.fine_tuning import TunedState
from jssl.methods.parts import field, merge_views, split_views, spread


def similarity(
    *, encoder: Encoder, pad: int | None = None, pool: parts.Pool = "mean", inputs: str = "tokens"
) -> Method:
    """Fine-tuning on pairs with a likeness y: `(cos(u, v) - y)^2`, mean over the pairs.

    The batch has pairs of rows [batch, 2, n] and a "score" [batch] in [0, 1].

    Args:
        encoder: rows to hidden states [batch, n, dim], `nn.starting_from(nn.text_transformer(...), weights)`.
        pad: the token that fills rows up; None: there is none.
        pool: which hidden states are a sentence's features.
        inputs: name of the batch's pairs of rows.

    Returns:
        A method with the metric "collapse/std" (see `methods.parts.spread`). `embed` takes rows [batch, n],
        and `predict` gives cosines.

    Raises:
        ValueError: in `init`, for rows of another form.

    Reference: Reimers and Gurevych, 2019, arXiv 1908.10084, section 3, "Regression objective function".
    """
    parts.check_pool(pool)

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, TunedState]:
        text = parts.padded(merge_views(_pairs(field(batch, inputs))), pad)
        return tuning.start({"encoder": encoder.init(key, text)}, freeze=False)

    def features(
        params: Tree, state: TunedState, batch: Batch, *, train: bool, key: PRNGKeyArray | None
    ) -> tuple[Float[Array, "batch 2 dim"], Tree]:
        text = parts.padded(merge_views(_pairs(field(batch, inputs))), pad)
        h, stats = tuning.encode(encoder, params, state, text, train=train, key=key)
        return split_views(parts.pooled(h, text.segments, pool), 2), {"encoder": stats}

    def loss(
        params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[TunedState, Metrics]]:
        z, stats = features(params, state, batch, train=True, key=key)
        value = losses.mean_squared_error(_cosines(z), field(batch, "score"))
        return value, (state._replace(stats=stats), {"collapse/std": spread(merge_views(z))})

    def update(params: Tree, state: TunedState, step: Int[Array, ""]) -> TunedState:
        return state

    def embed(params: Tree, state: TunedState, inputs: Array) -> Float[Array, "batch dim"]:
        return parts.embed_text(encoder, *tuning.part(params, state, "encoder"), inputs, pad, pool)

    def score(params: Tree, state: TunedState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Share]:
        cosines, targets = predict(params, state, batch)
        weights = batch.get("weight", jnp.ones(len(targets)))
        return {"loss": Share(jnp.sum(weights * (cosines - targets) ** 2), jnp.sum(weights))}

    def predict(params: Tree, state: TunedState, batch: Batch) -> tuple[Array, Array]:
        z, _ = features(params, state, batch, train=False, key=None)
        return _cosines(z), field(batch, "score")

    return Method(init, loss, update, embed, score=score, predict=predict)


def _cosines(z: Float[Array, "batch 2 dim"]) -> Float[Array, " batch"]:
    u, v = jnp.unstack(ops.l2_normalize(z), axis=1)
    return jnp.sum(u * v, axis=1)


def _pairs(rows: Array) -> Int[Array, "batch 2 n"]:
    if rows.ndim != 3 or rows.shape[1] != 2:
        raise ValueError(f"expected pairs of rows of tokens [batch, 2, n], got {rows.shape}")
    return rows
