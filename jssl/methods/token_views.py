"""Views cut into tokens, for iBOT, DINOv2 and MSN: class tokens, and hidden tokens of masked views."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from jssl import nn
from jssl.core import Encoder, Tokens, Tree, Variables
from jssl.methods import masked
from jssl.methods.parts import as_one_size, merge_views, split_views
from jssl.pretext.masks import BoundedMask

Cut: TypeAlias = Callable[[Array], Tokens]
"""A batch of examples to their tokens."""


class MaskedViews(NamedTuple):
    """Views as tokens, one entry for each size, [batch * views, n, p], the global ones first.

    chosen: of each global view the tokens whose distributions are compared.
    hidden: which of these the student doesn't see.
    """

    tokens: tuple[Tokens, ...]
    chosen: Int[Array, "batch globals m"]
    hidden: Bool[Array, "batch globals m"]

    def whole(self) -> "MaskedViews":
        """The global views alone, with nothing hidden: what the teacher sees."""
        return self._replace(tokens=(self.tokens[0]._replace(masked=None),))


class Logits(NamedTuple):
    """Class tokens' features and logits, and the logits of the chosen tokens of the global views."""

    features: Float[Array, "batch views dim"]
    views: Float[Array, "batch views prototypes"]
    tokens: Float[Array, "batch_globals m token_prototypes"]


def masked_views(
    views: tuple[Array, ...], cut: Cut, mask: masked.MaskFunction, key: PRNGKeyArray
) -> MaskedViews:
    """The views, of which each global one gets a mask of its own."""
    tokens = [cut(merge_views(view)) for view in views]
    drawn: BoundedMask = masked.draw(mask, key, tokens[0])
    hidden = jnp.take_along_axis(drawn.hidden, drawn.chosen, axis=1)
    num_global = views[0].shape[1]
    return MaskedViews(
        (tokens[0]._replace(masked=drawn.hidden), *tokens[1:]),
        split_views(drawn.chosen, num_global),
        split_views(hidden, num_global),
    )


def token_network(encoder: Encoder, head: Encoder, token_head: Encoder | None) -> Encoder:
    """`MaskedViews` to `Logits`: class tokens by `head`, chosen ones by `token_head`, or by `head` too."""
    heads = {"head": head} if token_head is None else {"head": head, "token_head": token_head}

    def init(key: PRNGKeyArray, views: MaskedViews) -> Variables:
        encoder_key, *head_keys = jax.random.split(key, 1 + len(heads))
        variables = {"encoder": encoder.init(encoder_key, views.tokens[0])}
        features = nn.output_like(encoder, variables["encoder"], views.tokens[0])
        check_class_token(features, views.tokens[0])
        for (name, network), own_key in zip(heads.items(), head_keys, strict=True):
            variables[name] = network.init(own_key, features[:, 0])
        params, stats = ({name: own[part] for name, own in variables.items()} for part in (0, 1))
        return Variables(params, stats)

    def apply(
        variables: Variables, views: MaskedViews, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Logits, Tree]:
        stats = dict(variables.stats)
        num = len(views.tokens) + 2
        keys = iter([None] * num if key is None else jax.random.split(key, num))

        def run(network: Encoder, name: str, x: Any) -> Any:
            own = Variables(variables.params[name], stats[name])
            y, stats[name] = network.apply(own, x, train=train, key=next(keys))
            return y

        batch = len(views.chosen)
        outputs = [run(encoder, "encoder", tokens) for tokens in views.tokens]
        features = jnp.concatenate([split_views(y[:, 0], len(y) // batch) for y in outputs], axis=1)
        of_tokens = outputs[0][:, -views.tokens[0].values.shape[1] :]
        of_tokens = masked.take_rows(of_tokens, merge_views(views.chosen))
        rows = run(head, "head", merge_views(features))
        token_rows = run(token_head or head, list(heads)[-1], merge_views(of_tokens))
        rows, token_rows = split_views(rows, features.shape[1]), split_views(token_rows, of_tokens.shape[1])
        return Logits(features, rows, token_rows), stats

    return Encoder(init, apply)


def class_token(encoder: Encoder) -> Encoder:
    """The encoder's first output alone: tokens to features [batch, dim]."""

    def init(key: PRNGKeyArray, tokens: Tokens) -> Variables:
        variables = encoder.init(key, tokens)
        check_class_token(nn.output_like(encoder, variables, tokens), tokens)
        return variables

    def apply(
        variables: Variables, tokens: Tokens, *, train: bool, key: PRNGKeyArray | None = None
    ) -> tuple[Float[Array, "batch dim"], Tree]:
        features, stats = encoder.apply(variables, tokens, train=train, key=key)
        return features[:, 0], stats

    return Encoder(init, apply)


def check_class_token(features: Array, tokens: Tokens) -> None:
    """One output more than there are tokens, or several more."""
    if features.ndim != 3 or features.shape[1] <= tokens.values.shape[1]:
        raise ValueError(
            f"expected an encoder of tokens {tokens.values.shape} to features [batch, 1 + n, dim], got "
            f"{features.shape}: use nn.transformer(..., cls_token=True)"
        )


def embed_class_token(encoder: Encoder, teacher: Variables, tokens: Tokens) -> Float[Array, "batch dim"]:
    """The teacher's class token, in float32."""
    own = Variables(teacher.params["encoder"], teacher.stats["encoder"])
    return class_token(encoder).apply(own, tokens, train=False)[0].astype(jnp.float32)


def pictures_of_views(
    views: tuple[Array, ...],
    tokens: MaskedViews,
    untokenize: Callable[..., Array],
    *,
    mean: masked.Moments,
    std: masked.Moments,
) -> Float[Array, "batch views height width channels"]:
    """All views side by side, the global ones with their hidden tokens blank."""
    first = tokens.tokens[0]
    assert first.masked is not None, "`masked_views` has set it"
    rows = masked.restore(masked.masked_rows(first.values, first.masked), mean, std)
    drawn = masked.pictures(untokenize, split_views(rows, views[0].shape[1]), views[0].shape[2:])
    return as_one_size((drawn, *views[1:]))
