"""Text from a causal language model, token by token."""

import copy
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jssl import ops
from jssl.core import Method, Tree
from jssl.nn import Cache, Next, Prompt


class Settings(NamedTuple):
    """How a token is drawn, see `ops.sample_token`."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def check(self) -> None:
        """Raise a ValueError for settings out of range."""
        if self.temperature < 0 or self.top_k < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                "expected a temperature of 0 or more, top_k of 0 (all) or more and top_p in (0, 1], got "
                f"{self.temperature}, {self.top_k} and {self.top_p}"
            )


DEFAULT = Settings()


class Generator:
    """A causal language model that goes on with texts. It is compiled once, for all lengths and settings.

    Args:
        method: whose `extend` predicts, as `methods.clm`.
        params: of the method.
        state: of the method.
        context: tokens that the network sees at most: the number of its learned positions, if it has such.
    """

    def __init__(self, method: Method, params: Tree, state: Tree, *, context: int) -> None:
        if method.extend is None:
            raise ValueError(
                "expected a causal language model, as methods.clm makes it; this one can't go on"
            )
        if context < 2:
            raise ValueError(f"expected a context of 2 tokens or more, got {context}")
        self._extend = jax.jit(method.extend)
        self._step = jax.jit(partial(_step, method.extend), donate_argnames="cache")
        self._variables = params, state
        self._context = context

    def of(self, params: Tree, state: Tree) -> "Generator":
        """The same with other parameters and another state of the method, without another compilation."""
        other = copy.copy(self)
        other._variables = params, state
        return other

    def stream(
        self,
        prompts: Sequence[Sequence[int] | np.ndarray],
        *,
        num: int,
        key: PRNGKeyArray,
        settings: Settings = DEFAULT,
        stop: int | None = None,
    ) -> Iterator[Int[np.ndarray, " prompts"]]:
        """The next `num` tokens of each text, one at a time.

        Where a text outgrows the context, the network goes on from the latter half of what it sees.

        Args:
            prompts: token numbers, one or more in each; of a long one the end is seen.
            num: tokens to draw.
            key: of the draws; the same gives the same text.
            settings: how to draw.
            stop: the token that ends a text; after it a text has no more than that token.

        Yields:
            The new token of each text.

        Raises:
            ValueError: for an empty prompt, and settings out of range.
        """
        settings.check()
        if not prompts or any(len(prompt) == 0 for prompt in prompts):
            raise ValueError("expected one prompt or more, each of one token or more: begin with some text")
        texts = [list(map(int, prompt)) for prompt in prompts]
        ended = np.zeros(len(texts), bool)
        cache, logits, room = None, None, 0
        for number in range(num):
            if cache is None or room == 0:
                logits, cache, room = self._read(texts)
            own_key = jax.random.fold_in(key, number)
            drawn, logits, cache = self._step(*self._variables, own_key, logits, settings, cache=cache)
            room -= 1
            tokens = np.where(ended, stop if stop is not None else 0, np.asarray(drawn))
            for text, token in zip(texts, tokens, strict=True):
                text.append(int(token))
            ended = ended | (tokens == stop) if stop is not None else ended
            yield tokens
            if ended.all():
                return

    def _read(self, texts: list[list[int]]) -> tuple[Array, Cache, int]:
        """Scores of the next token, what is remembered, and for how many tokens there is room."""
        longest = max(map(len, texts))
        seen = longest if longest < self._context else self._context // 2
        ends = [text[-seen:] for text in texts]
        rows = np.zeros((len(texts), self._context), np.int32)
        for row, end in zip(rows, ends, strict=True):
            row[: len(end)] = end
        lengths = np.array([len(end) for end in ends], np.int32)
        logits, cache = self._extend(*self._variables, Prompt(jnp.asarray(rows), jnp.asarray(lengths)))
        return logits, cache, self._context - seen


def _step(
    extend: Any,
    params: Tree,
    state: Tree,
    key: PRNGKeyArray,
    logits: Float[Array, "batch vocab"],
    settings: Settings,
    *,
    cache: Cache,
) -> tuple[Int[Array, " batch"], Float[Array, "batch vocab"], Cache]:
    """Draw a token of each text, and read it."""
    token = ops.sample_token(key, logits, **settings._asdict())
    return token, *extend(params, state, Next(token, cache))
