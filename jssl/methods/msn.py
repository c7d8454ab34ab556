"""MSN: a view without some of its tokens is assigned to prototypes as another, whole view is."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
from jaxtyping import Array, Float, Int, PRNGKeyArray, Scalar

from jssl import losses, nn, ops
from jssl.core import Batch, Encoder, Method, Metrics, Schedule, Tokenizer, Tokens, Transform, Tree, Variables
from jssl.methods import masked
from jssl.methods.distillation_parts import in_training_mode, judge_targets, target_metrics
from jssl.methods.parts import (
    as_one_size,
    encode_views,
    field,
    merge_views,
    move_target,
    split_views,
    spread,
    start_target,
    views_of,
    zeros_of,
)
from jssl.methods.token_views import class_token, embed_class_token
from jssl.pretext.masks import Mask, random_mask


class MSNState(NamedTuple):
    """Statistics by name, and the averaged encoder and head."""

    stats: Tree
    target: Variables


class Views(NamedTuple):
    """Tokens of the target view, [batch, n, p], and of the anchors of one size each, [batch, views, m, p]."""

    target: Tokens
    anchors: tuple[Tokens, ...]


def msn(
    *,
    tokenizer: Tokenizer,
    encoder: Encoder,
    head: Encoder,
    augment: Transform,
    mask_ratio: float = 0.15,
    temperature: float = 0.1,
    sharpening: float | Schedule = 0.25,
    mean_entropy_weight: float = 1.0,
    entropy_weight: float = 0.0,
    num_iterations: int = 3,
    decay: float | Schedule = 0.996,
    mean: masked.Moments = 0.0,
    std: masked.Moments = 1.0,
    inputs: str = "image",
) -> Method:
    """Masked Siamese networks: invariance to dropped tokens, by assignments to learned prototypes.

    `L = mean_{n, m} H(p+_n, p_{n, m}) + a (log K - H(mean_{n, m} p)) + b mean_{n, m} H(p_{n, m})`, where
    `p = softmax(head(encoder(anchor)) / t)`, `p+` is the averaged network's of the target view, sharpened,
    and `target <- decay target + (1 - decay) online`; prototypes are those of the step in both.

    Args:
        tokenizer: of one view of any size, as `nn.patches(16)`.
        encoder: tokens to features, class token first, as `nn.transformer(..., cls_token=True)`.
        head: features to cosines with prototypes, as `nn.dino_head(1024, norm="batch")`.
        augment: one example to (globals [g, ...], locals [l, ...]), as `pretext.multi_crop(large, small,
            num_global=2, num_local=10)`: the first global view is the target, all others are anchors.
        mask_ratio: share of tokens dropped from global anchors, in [0, 1): the paper's is 0.15 for ViT-S, 0.3
            for ViT-B, 0.7 for ViT-L. Local anchors stay whole.
        temperature: t, of all assignments, above 0.
        sharpening: the exponent of `p+` is its inverse; below 1, targets are sharper than predictions.
        mean_entropy_weight: a, of the regulariser by which all prototypes are used.
        entropy_weight: b, of the mean entropy of a prediction.
        num_iterations: of Sinkhorn-Knopp on the targets; 0 for none.
        decay: of the target, in [0, 1]; the paper's is `ops.linear(0.996, 1.0, steps)`.
        mean: of a token's values, or of each channel, subtracted for the network.
        std: of a token's values, or of each channel, by which they are then divided.
        inputs: name of the batch's array.

    Returns:
        A method whose `embed` gives the averaged encoder's class token, with the metrics "target/entropy",
        "target/mean_entropy" and "target/kl" (see `methods.distillation_parts.target_metrics`) and
        "collapse/std" (of the anchors' class tokens, see `methods.parts.spread`).

    Raises:
        ValueError: for numbers out of range; in `init`, where `augment` makes fewer than two views, the
            encoder has no class token, or the head has no prototypes.

    Deviations: each view drops tokens of its own, where the published code draws them once for a batch; batch
    norm in the head takes the anchors of all sizes at once.

    Reference: Assran et al., 2022, arXiv 2204.07141, section 3.
    """
    masked.check_moments(std)
    _check(mask_ratio, temperature, num_iterations)
    network = nn.chain(encoder=class_token(encoder), head=head)

    def tokens_of(views: Float[Array, "batch views ..."]) -> Tokens:
        tokens = masked.cut(tokenizer, merge_views(views), mean, std)
        return jax.tree.map(lambda x: split_views(x, views.shape[1]), tokens)

    def all_views(key: PRNGKeyArray, batch: Batch) -> tuple[Array, ...]:
        return views_of(augment, field(batch, inputs), key, num_global=1)

    def views_at(key: PRNGKeyArray, batch: Batch) -> Views:
        augment_key, mask_key = jax.random.split(key)
        large, *small = all_views(augment_key, batch)
        target, anchors = tokens_of(large[:, :1]), [tokens_of(view) for view in small]
        if large.shape[1] > 1:
            anchors.insert(0, _thinned(tokens_of(large[:, 1:]), mask_ratio, mask_key))
        return Views(jax.tree.map(merge_views, target), tuple(anchors))

    def predict(
        params: Tree, stats: Tree, anchors: tuple[Tokens, ...], key: PRNGKeyArray
    ) -> tuple[Float[Array, "batch views dim"], Float[Array, "batch views prototypes"], Tree]:
        encoder_key, head_key = jax.random.split(key)
        own, own_head = (Variables(params[name], stats[name]) for name in ("encoder", "head"))
        h, encoder_stats = encode_views(class_token(encoder), own, anchors, key=encoder_key)
        scores, head_stats = head.apply(own_head, merge_views(h), train=True, key=head_key)
        return h, split_views(scores, h.shape[1]), {"encoder": encoder_stats, "head": head_stats}

    def init(key: PRNGKeyArray, batch: Batch) -> tuple[Tree, MSNState]:
        views = zeros_of(views_at, key, batch)
        params, stats = variables = network.init(key, views.target)
        if "prototypes" not in params["head"]:
            raise ValueError(
                f"expected a head with 'prototypes', got {sorted(params['head'])}: use nn.dino_head"
            )
        return params, MSNState(stats, start_target(variables, "encoder", "head"))

    def loss(
        params: Tree, state: MSNState, batch: Batch, *, key: PRNGKeyArray, step: Int[Array, ""]
    ) -> tuple[Scalar, tuple[MSNState, Metrics]]:
        views_key, online_key, target_key = jax.random.split(key, 3)
        views = views_at(views_key, batch)
        h, anchors, stats = predict(params, state.stats, views.anchors, online_key)
        shared = _with_prototypes(state.target, params)
        scores, target_stats = network.apply(
            shared, views.target, train=in_training_mode(shared), key=target_key
        )
        targets = losses.msn_targets(
            scores,
            temperature=temperature,
            sharpening=ops.at_step(sharpening, step),
            num_iterations=num_iterations,
        )
        value = losses.msn(
            anchors,
            targets,
            temperature=temperature,
            mean_entropy_weight=mean_entropy_weight,
            entropy_weight=entropy_weight,
        )
        prediction = losses.msn(anchors, targets, temperature=temperature, mean_entropy_weight=0.0)
        metrics = {**target_metrics(targets, prediction), "collapse/std": spread(merge_views(h))}
        return value, (MSNState(stats, state.target._replace(stats=target_stats)), metrics)

    def update(params: Tree, state: MSNState, step: Int[Array, ""]) -> MSNState:
        return state._replace(target=move_target(state.target, params, decay, step))

    def embed(params: Tree, state: MSNState, inputs: Array) -> Float[Array, "batch dim"]:
        return embed_class_token(encoder, state.target, masked.cut(tokenizer, inputs, mean, std))

    def show(params: Tree, state: MSNState, batch: Batch, *, key: PRNGKeyArray) -> dict[str, Array]:
        return {"views": as_one_size(all_views(key, batch))}

    return Method(init, loss, update, embed, show=show, diagnose=diagnose)


def diagnose(metrics: Mapping[str, float]) -> list[str]:
    """Whether the targets are uniform, or the same few prototypes for all."""
    return judge_targets(
        metrics,
        uniform="try a lower `sharpening` or `temperature`, or a lower learning rate with a longer warm-up",
        single="try a higher `mean_entropy_weight`, more `num_iterations`, or a lower learning rate",
    )


def _thinned(tokens: Tokens, ratio: float, key: PRNGKeyArray) -> Tokens:
    """Of each view [batch, views, n, p] the tokens that are left, drawn uniformly."""
    if not ratio:
        return tokens
    num_views = tokens.values.shape[1]
    rows = jax.tree.map(merge_views, tokens)
    drawn: Mask = masked.draw(partial(random_mask, ratio=ratio), key, rows)
    return jax.tree.map(lambda x: split_views(x, num_views), masked.take(rows, drawn.visible))


def _with_prototypes(target: Variables, params: Tree) -> Variables:
    """The averaged network, with the prototypes of this step."""
    head = {**target.params["head"], "prototypes": params["head"]["prototypes"]}
    return target._replace(params={**target.params, "head": head})


def _check(mask_ratio: float, temperature: float, num_iterations: int) -> None:
    if not 0 <= mask_ratio < 1 or temperature <= 0 or num_iterations < 0:
        raise ValueError(
            "expected mask_ratio in [0, 1), temperature above 0 and num_iterations of 0 or more, got "
            f"{mask_ratio}, {temperature} and {num_iterations}"
        )
