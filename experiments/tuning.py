"""What the experiments share that go on from a pretrained network: its sizes, its weights, its tokenizer."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np
import optax

from experiments import texts
from jssl import data, evals, experiment, methods, nn, ops, run_folder
from jssl.core import Encoder, Method
from jssl.data import DataSet, LabelledSet, Pairs, Source
from jssl.data.text import Tokenizer
from jssl.evals import Eval
from jssl.experiment import Experiment


class Sizes(NamedTuple):
    """Of a network as BERT's, at first that of experiments/bert_small_bible.py; `length` positions."""

    width: int = 128
    depth: int = 4
    heads: int = 4
    length: int = 64


class Start(NamedTuple):
    """A network to go on with, what turns text into its tokens, and the token that fills rows up."""

    encoder: Encoder
    tokenizer: Tokenizer
    pad: int


def start(
    run: str | None,
    weights: str | None,
    tokenizer: str | None,
    *,
    scratch: bool = False,
    dropout: float = 0.1,
) -> Start:
    """The network of a run, that of published weights, or one of random weights as bert_small_bible begins.

    Args:
        run: folder of a run of bert_small_bible, or of one that started from such a run or from weights.
        weights: a BERT's .safetensors file, with its config.json beside it.
        tokenizer: a published one's file or folder; None: the run's, the one beside the weights, or WordPiece
            trained on the Bible inside jssl.
        scratch: random weights in the same network.
        dropout: share of what is dropped in training.
    """
    if run and weights:
        raise ValueError("expected a run or weights to start from, got both")
    made = _tokenizer(run, weights, tokenizer)
    sizes = _sizes(run, weights)
    encoder = nn.text_transformer(made.size, *sizes[:3], max_length=sizes.length, dropout=dropout, **nn.BERT)
    if run and not scratch:
        encoder = nn.starting_from(encoder, experiment.weights_of(run))
    elif weights and not scratch:
        encoder = nn.starting_from(encoder, partial(nn.load_weights, Path(weights).expanduser()))
    return Start(encoder, made, texts.marks(made).pad)


def _tokenizer(run: str | None, weights: str | None, tokenizer: str | None) -> Tokenizer:
    if tokenizer:
        return data.text.load_tokenizer(tokenizer)
    if run:
        return data.text.load_tokenizer(Path(run) / "tokenizer")
    if weights:
        return data.text.load_tokenizer(Path(weights).expanduser().parent)
    return texts.wordpiece(data.text.web_bible().train, 8_000)


def _sizes(run: str | None, weights: str | None) -> Sizes:
    """Those that the run, or the one that it started from, was made with; those in the weights' config."""
    if weights:
        return _published_sizes(Path(weights).expanduser().parent / "config.json")
    if run is None:
        return Sizes()
    arguments = run_folder.read_config(Path(run))["arguments"]
    if {"run", "weights"} & set(arguments):
        return _sizes(arguments.get("run"), arguments.get("weights"))
    if missing := set(Sizes._fields) - set(arguments):
        raise ValueError(
            f"expected a run of bert_small_bible, or one that started from such a run, got {run}, whose "
            f"arguments lack {', '.join(sorted(missing))}"
        )
    return Sizes(**{name: arguments[name] for name in Sizes._fields})


def _published_sizes(config: Path) -> Sizes:
    if not config.is_file():
        raise ValueError(f"expected the published config.json beside the weights, got none: {config}")
    found = json.loads(config.read_text())
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings")
    return Sizes(*(found[name] for name in names))


class Recipe(NamedTuple):
    """How long and how fast a network is fine-tuned: AdamW, a rate that rises for a tenth of the steps.

    token_rate: times the learning rate is that of the token embeddings.
    """

    seed: int
    steps: int
    batch_size: int
    learning_rate: float
    token_rate: float = 1.0


def fine_tune(
    name: str, begin: Start, method: Method, examples: DataSet, recipe: Recipe, *measured: Eval
) -> Experiment:
    """The experiment; a batch has as many examples as there are, at most."""
    schedule = ops.warmup_linear(recipe.learning_rate, warmup=recipe.steps // 10, steps=recipe.steps)
    return Experiment(
        name=name,
        data=examples,
        method=method,
        optimizer=optax.chain(texts.adamw(schedule), texts.faster_tokens(recipe.token_rate)),
        steps=recipe.steps,
        batch_size=min(recipe.batch_size, len(examples.train)),
        seed=recipe.seed,
        evals=measured,
        inputs="tokens",
        pad=begin.pad,
        tokenizer=begin.tokenizer,
    )


def classification(
    name: str,
    published: LabelledSet,
    begin: Start,
    recipe: Recipe,
    *,
    length: int,
    labels: int | None = None,
    freeze: bool = False,
    dropout: float = 0.1,
) -> Experiment:
    """Fine-tuning on a labelled set: accuracy and macro F1 on its test part.

    Those of the trained head, and beside them those of linear classifiers that have the same examples: on the
    network's features before and after, and on a bag of words.

    Args:
        name: of the experiment.
        published: the set.
        begin: the network before it.
        recipe: of the fine-tuning.
        length: tokens of a text, at most.
        labels: as many of the training part, all classes alike; None: all.
        freeze: train the head alone.
        dropout: of the head's input.
    """
    known, new = (
        data.text.encoded(part.texts, begin.tokenizer, length, part.labels)
        for part in (published.train, published.test)
    )
    chosen = evals.label_subsets(jax.random.key(recipe.seed), published.train.labels, budget=labels)[0]
    method = methods.classifier(
        encoder=begin.encoder,
        num_classes=len(published.classes),
        dropout=dropout,
        freeze=freeze,
        pad=begin.pad,
    )
    examples = DataSet(data.subset(known, chosen), new, published.classes)
    probe = evals.linear_probe(labels=(None,))
    measured = evals.held_out(perplexity=False), evals.predicted_classes(), probe
    return fine_tune(name, begin, method, examples, recipe, *measured)


def parted_pairs(folder: str, until: str) -> tuple[list[Pairs], dict[str, dict[str, Pairs]]]:
    """The STS tasks up to a year, to train on, and those of later years, to test on.

    Pairs that occur in the later years too, in either order, are left out of the earlier ones.
    """
    tasks = data.sts_pairs(folder)
    new = {year: sets for year, sets in tasks.items() if year > until}
    earlier = [*tasks.items(), *data.sts_pairs(folder, "train").items()]
    known = [pairs for year, sets in earlier if year <= until for pairs in sets.values()]
    seen = {frozenset(pair) for sets in new.values() for pairs in sets.values() for pair in _both(pairs)}
    return [_without(pairs, seen) for pairs in known], new


def _both(pairs: Pairs) -> list[tuple[str, str]]:
    return list(zip(pairs.first, pairs.second, strict=True))


def _without(pairs: Pairs, seen: set[frozenset[str]]) -> Pairs:
    kept = [place for place, pair in enumerate(_both(pairs)) if frozenset(pair) not in seen]
    return Pairs([pairs.first[i] for i in kept], [pairs.second[i] for i in kept], pairs.scores[kept])


def pair_rows(sets: Sequence[Pairs], encode: Callable[[list[str]], np.ndarray]) -> Source:
    """{"tokens": int32 [2, length], "score": float32 in [0, 1]} of pairs whose scores lie in [0, 5]."""
    first = encode([text for pairs in sets for text in pairs.first])
    second = encode([text for pairs in sets for text in pairs.second])
    scores = np.concatenate([pairs.scores for pairs in sets]) / 5
    return data.arrays(tokens=np.stack([first, second], axis=1), score=scores)
