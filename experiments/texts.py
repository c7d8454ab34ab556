"""What the experiments on text share: the text that is read, rows of it, optimizers, evaluations."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import optax

from jssl import data, evals, nn, pretext, train
from jssl.core import Encoder, Transform
from jssl.data import DataSet, Source
from jssl.data.text import Stored, Tokenizer
from jssl.evals import Eval

DTYPE = jnp.bfloat16
"""That the experiments of a paper's size compute in."""


class Rows(NamedTuple):
    """Rows of tokens to train on and to evaluate on, and what made them."""

    data: DataSet
    tokenizer: Tokenizer


def characters(path: str | None, length: int, held_out: float = 0.1) -> Rows:
    """Every span of a text's beginning to train on, and its end cut into rows without overlap.

    Args:
        path: of a text file; None: the World English Bible inside jssl.
        length: characters that are predicted in a row.
        held_out: share of the text, at its end, that is evaluated on.
    """
    text = data.text.read_text(path) if path else "\n".join(verses())
    tokenizer = data.text.character_tokenizer([text])
    ids = tokenizer.encode(text)
    end = int(len(ids) * (1 - held_out))
    spans, later = (data.text.windows(part, length + 1) for part in (ids[:end], ids[end:]))
    return Rows(DataSet(spans, data.subset(later, range(0, len(later), length))), tokenizer)


def verses() -> list[str]:
    """The Bible inside jssl, but for the chapters that are held out."""
    return [verse for chapter in data.text.web_bible().train for verse in chapter]


def bytes_per_token(rows: Rows, limit: int = 1_000) -> float:
    """UTF-8 bytes of a token of the rows that are evaluated on; each row's first is not predicted."""
    assert rows.data.test is not None
    ids = data.as_arrays(rows.data.test, limit)["tokens"][:, 1:]
    return sum(len(rows.tokenizer.decode(row).encode()) for row in ids) / ids.size


def parted(path: str | None) -> tuple[list[list[str]], list[list[str]]]:
    """Documents to train on and, each tenth, to evaluate on; None: those of the Bible inside jssl."""
    if path is None:
        return data.text.web_bible()
    every = data.text.read_documents(path)
    return [document for place, document in enumerate(every, 1) if place % 10], every[9::10]


def from_folder(
    folder: str | None, vocab_size: int, rows: Callable[[Stored, Tokenizer], Source], held_out: float = 0.001
) -> Rows:
    """Rows of a corpus that `data.text.store` has made; the documents at its end are evaluated on.

    Args:
        folder: of the corpus.
        vocab_size: rows of the token embeddings.
        rows: made of each of the two parts.
        held_out: share of the documents.
    """
    corpus = data.text.stored(folder, vocab_size=vocab_size)
    known, new = corpus.divided(held_out)
    return Rows(DataSet(rows(known, corpus.tokenizer), rows(new, corpus.tokenizer)), corpus.tokenizer)


def spans(length: int) -> Callable[[Stored, Tokenizer], Source]:
    """All of a corpus in rows of which `length` tokens are predicted, whatever documents they are of."""

    def rows(corpus: Stored, tokenizer: Tokenizer) -> Source:
        ids = data.text.joined(corpus, tokenizer)
        every = data.text.windows(ids, length + 1)
        return data.subset(every, np.arange(0, len(every), length))

    return rows


def in_pieces(encoder: Encoder, pieces: int) -> Encoder:
    """The encoder on a part of the batch at a time, if there are several."""
    return encoder if pieces == 1 else nn.in_pieces(encoder, pieces)


def passages(path: str | None, also: str | None, tokenizer: str | None, size: int, length: int) -> Rows:
    """Passages of whole sentences, for pairs of `length` tokens.

    Args:
        path: of a text file, a sentence a line and documents apart by empty lines; None: the Bible in jssl.
        also: another one, to train on only, whose lines have nothing to do with each other.
        tokenizer: a published one's file or folder; None: WordPiece trained on the documents.
        size: of the vocabulary that is trained.
        length: tokens of a pair, of which three are special.
    """
    known, new = parted(path)
    if also:
        known = [*known, *([line] for line in data.text.read_lines(also))]
    made = data.text.load_tokenizer(tokenizer) if tokenizer else wordpiece(known, size)
    train, test = (data.text.passages(part, made, length - 3) for part in (known, new))
    return Rows(DataSet(train, test), made)


def wordpiece(texts: Sequence[Sequence[str]], size: int) -> Tokenizer:
    """WordPiece as BERT has it, trained on documents of sentences."""
    return data.text.train_wordpiece((sentence for document in texts for sentence in document), size=size)


class Marks(NamedTuple):
    """The tokens that rows of BERT's kind are made with."""

    pad: int
    cls: int
    sep: int
    mask: int


def marks(tokenizer: Tokenizer) -> Marks:
    """The tokenizer's own.

    Raises:
        ValueError: it lacks one of them.
    """
    found = {name: getattr(tokenizer.special, name) for name in Marks._fields}
    if missing := [name for name, token in found.items() if token is None]:
        raise ValueError(f"expected a tokenizer with tokens for {', '.join(missing)}, as WordPiece has them")
    return Marks(**found)


def masking(tokenizer: Tokenizer, rate: float = 0.15, *, words: bool = False) -> Transform:
    """BERT's mask for a tokenizer, of single tokens or of whole words."""
    mask, vocab_size, special = marks(tokenizer).mask, tokenizer.size, tokenizer.special_ids
    if words:
        return partial(
            pretext.text.mask_words,
            rate=rate,
            starts=tokenizer.starts,
            mask_id=mask,
            vocab_size=vocab_size,
            special=special,
        )
    return partial(pretext.text.mask_tokens, rate=rate, mask_id=mask, vocab_size=vocab_size, special=special)


def pairing(tokenizer: Tokenizer, length: int) -> Callable[..., pretext.text.Pair]:
    """Pairs of passages of so many tokens, as BERT has them."""
    own = marks(tokenizer)
    return partial(pretext.text.sentence_pair, length=length, cls=own.cls, sep=own.sep, pad=own.pad)


def sentence_rows(tokenizer: Tokenizer, length: int) -> "partial[np.ndarray]":
    """Sentences to rows of tokens, for evaluations."""
    return partial(_rows, tokenizer, length)


def _rows(tokenizer: Tokenizer, length: int, sentences: Sequence[str]) -> np.ndarray:
    return data.as_arrays(data.text.encoded(sentences, tokenizer, length))["tokens"]


def evaluations(
    tokenizer: Tokenizer, *, sst2: str | None, sts: str | None, length: int = 64, every: int | None = None
) -> tuple[Eval, ...]:
    """Sentiment by linear probes on few labels, and textual similarity, on folders that are given.

    Args:
        tokenizer: of the model.
        sst2: folder of the Stanford Sentiment Treebank's sentences.
        sts: folder of the SemEval tasks on textual similarity.
        length: tokens of a sentence, at most.
        every: steps between two looks at the similarity on the way.
    """
    found: tuple[Eval, ...] = ()
    if sts:
        pairs = data.sts_pairs(sts)
        found += (evals.sts(pairs, sentence_rows(tokenizer, length), every=every),)
    if sst2:
        sentiment = data.sst2(sst2)
        known, new = (
            data.text.encoded(part.texts, tokenizer, length, part.labels)
            for part in (sentiment.train, sentiment.test)
        )
        classified = DataSet(known, new, sentiment.classes)
        found += evals.on("sst2", classified, evals.linear_probe(labels=(100, 1000, None)), inputs="tokens")
    return found


def adamw(
    learning_rate: optax.ScalarOrSchedule,
    *,
    b2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.01,
) -> optax.GradientTransformation:
    """AdamW on gradients of at most length 1, as language models are trained; norms, biases don't decay."""
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(learning_rate, b2=b2, eps=epsilon, weight_decay=weight_decay, mask=train.weights),
    )


def faster_tokens(times: float) -> optax.GradientTransformation:
    """Updates of the token embeddings so many times as large: of a batch each of them sees few examples."""
    return optax.masked(optax.scale(times), train.token_embeddings)


def sentences(path: str | None, tokenizer: Tokenizer, length: int) -> Source:
    """One sentence a row: a file's lines, or the verses of the Bible inside jssl."""
    lines = data.text.read_lines(path) if path else verses()
    return data.text.encoded(data.text.clean(lines).texts, tokenizer, length)
