"""How well a method solves its own pretext task on examples that it was not trained on."""

import math

from jaxtyping import PRNGKeyArray

from jssl.evals import language
from jssl.evals.eval import Eval


def held_out(
    *, perplexity: bool = True, bytes_per_token: float | None = None, every: int | None = None
) -> Eval:
    """Evaluation by the method's `score` over all test examples: "test/loss", "test/masked/accuracy", ...

    Every token counts alike, however rows fall into batches. Of a language model's "test/loss", in nats a
    token, "test/perplexity" follows.

    Args:
        perplexity: whether the loss is one of tokens in nats, as of a language model.
        bytes_per_token: of the test text in UTF-8, for "test/bits_per_byte", which compares models of
            different tokenizers; None: it is left out.
        every: steps between runs while training; None: after the run only.

    Raises:
        ValueError: for a number of bytes that isn't above 0.
    """
    if bytes_per_token is not None and bytes_per_token <= 0:
        raise ValueError(f"expected bytes_per_token above 0, got {bytes_per_token}")

    def run(key: PRNGKeyArray, means: dict[str, float]) -> dict[str, float]:
        found = dict(means)
        if perplexity and "loss" in found and math.isfinite(found["loss"]):
            found["perplexity"] = language.perplexity(found["loss"], 1)
            if bytes_per_token is not None:
                found["bits_per_byte"] = language.bits_per_byte(found["loss"], bytes_per_token)
        return {f"test/{name}": value for name, value in found.items()}

    return Eval("held_out", run, every, needs="scores")
