"""Tokenizers trained on a corpus; the same corpus gives the same tokenizer, in every process."""

import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any

from jssl.data.text.special import ALBERT, BERT, GPT, ROBERTA
from jssl.data.text.subwords import add_special, subwords
from jssl.data.text.tokenizer import Tokenizer, check_text


def train_wordpiece(
    texts: Iterable[str], *, size: int = 30_522, lowercase: bool = True, min_count: int = 2
) -> Tokenizer:
    """WordPiece as BERT has it: words at spaces and punctuation, then the longest known pieces, ## within.

    Args:
        texts: the corpus; held in memory, since it is run through twice.
        size: of the vocabulary at most: [PAD], [UNK], [CLS], [SEP], [MASK] (ids 0 to 4), the characters, each
            also as one that continues a word, then merged pieces.
        lowercase: and without accents, as BERT's uncased models.
        min_count: of a pair of pieces that is to be merged.

    Raises:
        ValueError: no text, or a size below the number of characters.

    Deviations: pieces merge by their pair's count, as the library has it, where Google's unpublished trainer
    weighs it by the counts of its parts.

    Reference: Devlin et al. 2019, arXiv:1810.04805; Schuster, Nakajima 2012.
    """
    from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

    corpus = list(_checked(texts))
    backend = _new(models.WordPiece(unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    # Left to itself the library numbers these in the order of a hash map, which changes from run to run, and
    # breaks the ties between merges by the numbers.
    characters = sorted(set().union(*map(backend.normalizer.normalize_str, corpus)))
    plain = [character for character in characters if not character.isspace()]
    first = [*BERT, *plain, *(f"##{character}" for character in plain)]
    if size < len(first):
        raise ValueError(
            f"expected a size of {len(first)} or more for the {len(plain)} characters, got {size}"
        )
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=min_count, special_tokens=first, show_progress=False
    )
    backend.train_from_iterator(corpus, trainer)
    return _framed(backend, BERT, "[CLS]", "[SEP]")


def train_bpe(
    texts: Iterable[str], *, size: int = 50_257, masks: bool = False, min_count: int = 2
) -> Tokenizer:
    """Byte-level byte-pair encoding as GPT-2 has it: any text can be encoded, and decoded to itself.

    Args:
        texts: the corpus.
        size: of the vocabulary at most: special tokens, 256 bytes, then merged pieces.
        masks: RoBERTa's special tokens <s>, <pad>, </s>, <unk>, <mask> (ids 0 to 4), for methods that mask;
            False: GPT-2's, <|endoftext|> (id 0), which ends documents and also pads.
        min_count: of a pair of pieces that is to be merged.

    Raises:
        ValueError: no text, or a size below that of the bytes.

    Deviations: in the published GPT-2 <|endoftext|> is the last id.

    Reference: Radford et al. 2019, Language models are unsupervised multitask learners; Liu et al. 2019,
    arXiv:1907.11692.
    """
    from tokenizers import decoders, models, pre_tokenizers, trainers

    special = ROBERTA if masks else GPT
    if size < 256 + len(special):
        raise ValueError(f"expected a size of {256 + len(special)} or more, got {size}")
    backend = _new(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=min_count,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    backend.train_from_iterator(_checked(texts), trainer)
    return _framed(backend, special, "<s>", "</s>") if masks else subwords(backend)


def train_unigram(texts: Iterable[str], *, size: int = 8_000, lowercase: bool = False) -> Tokenizer:
    """A unigram language model over pieces, as SentencePiece and ALBERT have it.

    Args:
        texts: the corpus.
        size: of the vocabulary at most: <pad>, <unk>, [CLS], [SEP], [MASK] (ids 0 to 4), then pieces, the
            likelier ones first.
        lowercase: fold case first; the form is NFKC either way.

    Raises:
        ValueError: no text, or a size that the characters alone exceed.

    Reference: Kudo 2018, arXiv:1804.10959; Lan et al. 2020, arXiv:1909.11942.
    """
    from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

    backend = _new(models.Unigram())
    steps = [normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")]
    backend.normalizer = normalizers.Sequence(steps + [normalizers.Lowercase()] * lowercase)
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=size, special_tokens=list(ALBERT), unk_token="<unk>", show_progress=False
    )
    corpus = _checked(texts)
    try:
        backend.train_from_iterator(corpus, trainer)
    except Exception as error:  # the library raises nothing more specific
        raise ValueError(f"cannot train a unigram vocabulary of size {size}: {error}") from error
    pieces = [(piece, score) for piece, score in json.loads(backend.to_str())["model"]["vocab"]]
    model = models.Unigram(in_order(pieces, len(ALBERT)), unk_id=ALBERT.index("<unk>"))
    return _framed(_new(model, backend), ALBERT, "[CLS]", "[SEP]")


def in_order(pieces: list[tuple[str, float]], first: int) -> list[tuple[str, float]]:
    """The pieces of a unigram model, in an order that is the same in every run.

    The library gives characters that training has dropped scores just above the lowest, in steps of 1e-4 in
    the order of a hash map, which changes from run to run. Here they get them in the order of code points.
    """
    special, rest = pieces[:first], [(piece, round(score, 6)) for piece, score in pieces[first:]]
    characters = [(piece, score) for piece, score in rest if len(piece) == 1]
    low = min((score for _, score in rest), default=0.0) + 1e-4 * len(characters)
    late = sorted(piece for piece, score in characters if score <= low)
    scores = sorted((score for _, score in characters if score <= low), reverse=True)
    moved = dict(zip(late, scores, strict=True))
    scored = [(piece, moved.get(piece, score)) for piece, score in rest]
    return special + sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def _new(model: Any, like: Any = None) -> Any:
    """A tokenizer around a model, with the other parts of another one."""
    from tokenizers import Tokenizer as Backend

    backend = Backend(model)
    if like is not None:
        backend.normalizer = like.normalizer
        backend.pre_tokenizer = like.pre_tokenizer
        backend.decoder = like.decoder
    return backend


def _framed(backend: Any, special: tuple[str, ...], cls: str, sep: str) -> Tokenizer:
    """With its special tokens, and put between `cls` and `sep` where another library encodes with it."""
    from tokenizers import processors

    framed = _new(backend.model, backend)
    add_special(framed, special)
    framed.post_processor = processors.TemplateProcessing(
        single=f"{cls} $A {sep}",
        pair=f"{cls} $A {sep} $B:1 {sep}:1",
        special_tokens=[(name, framed.token_to_id(name)) for name in (cls, sep)],
    )
    return subwords(framed)


def _checked(texts: Iterable[str]) -> Iterator[str]:
    """The texts; refuses a single string, of which each character would be a text, none, and invalid ones."""
    if isinstance(texts, str):
        raise ValueError('expected a list of texts, got one string; train on ["..."], or on its lines')
    given = iter(texts)
    first = next(given, None)
    if first is None:
        raise ValueError("expected at least one text to train on, got none")
    return map(_valid, itertools.count(), itertools.chain([first], given))


def _valid(index: int, text: str) -> str:
    check_text(index, text)
    return text
