"""`jssl generate RUN`: a run's language model goes on with a text, token by token."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import jax
import tyro

from jssl import platform
from jssl.generator import Generator, Settings
from jssl.runner import load


def generate(
    run: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RUN")],
    prompt: str = "\n",
    length: int = 500,
    temperature: float = 0.8,
    top_k: int = 0,
    top_p: float = 1.0,
    samples: int = 1,
    seed: int = 0,
) -> None:
    """Go on with a text, and print it as it is made.

    Args:
        run: The folder of a run of a causal language model.
        prompt: The beginning of the text.
        length: Tokens to add.
        temperature: Of the draws; 0 takes the likeliest token always.
        top_k: Draw from so many of the likeliest tokens; 0: from all.
        top_p: Draw from the fewest tokens whose probabilities sum to at least so much.
        samples: Texts to make, one after the other.
        seed: Of the draws.
    """
    if length < 1 or samples < 1:
        raise ValueError(f"Expected a length and samples of 1 or more, got {length} and {samples}.")
    platform.configure()
    loaded = load(Path(run))
    experiment, state = loaded.experiment, loaded.state
    tokenizer = experiment.tokenizer
    if experiment.method.extend is None or tokenizer is None:
        raise ValueError(
            f"{run} is a run of {experiment.name}, which can't go on with a text: expected a causal language "
            "model (methods.clm) with a tokenizer."
        )
    context = len(experiment.data.train[0][experiment.inputs]) - 1
    generator = Generator(experiment.method, state.params, state.method_state, context=context)
    settings = Settings(temperature, top_k, top_p)
    beginning = tokenizer.encode(prompt).tolist()
    for number in range(samples):
        key = jax.random.fold_in(jax.random.key(seed), number)
        stop = tokenizer.special.eos
        text = generator.stream([beginning], num=length, key=key, settings=settings, stop=stop)
        sys.stdout.write(("\n---\n" if number else "") + prompt)
        shown, ids = prompt, [*beginning]
        for (token,) in text:
            ids.append(int(token))
            whole = tokenizer.decode(ids)
            # Bytes of a character that isn't whole yet are decoded to this sign.
            if not whole.endswith("\N{REPLACEMENT CHARACTER}") and whole.startswith(shown):
                sys.stdout.write(whole[len(shown) :])
                sys.stdout.flush()
                shown = whole
        sys.stdout.write("\n")


def main(args: Sequence[str]) -> None:
    """The command, with its words after `jssl generate`.

    Raises:
        ValueError: not the folder of such a run, an empty prompt, or settings out of range.
    """
    tyro.cli(generate, prog="jssl generate", args=list(args))
