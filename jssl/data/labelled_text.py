"""Labelled text sets as they are published: pairs with a likeness, texts with a class, words with tags."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

ENTAILMENT = ("CONTRADICTION", "NEUTRAL", "ENTAILMENT")
"""The classes of SICK's pairs."""


class Pairs(NamedTuple):
    """Pairs of texts.

    scores: the likeness that people gave them, float32; the higher, the more alike.
    labels: class numbers, int32; None where there are no classes.
    """

    first: list[str]
    second: list[str]
    scores: np.ndarray
    labels: np.ndarray | None = None


class Labelled(NamedTuple):
    """Texts and their classes' numbers, int32."""

    texts: list[str]
    labels: np.ndarray


class LabelledSet(NamedTuple):
    """A set of texts in its published parts; `dev` is None where there is none."""

    train: Labelled
    dev: Labelled | None
    test: Labelled
    classes: tuple[str, ...]


class Sick(NamedTuple):
    """The three parts of SICK; `labels` are places in `ENTAILMENT`."""

    train: Pairs
    dev: Pairs
    test: Pairs


class Tagged(NamedTuple):
    """Sentences as words, and a tag for each word."""

    words: list[list[str]]
    tags: list[list[str]]


class TaggedSet(NamedTuple):
    """A tagged set in its published parts."""

    train: Tagged
    dev: Tagged
    test: Tagged


def sts_pairs(folder: str | Path, split: str = "test") -> dict[str, dict[str, Pairs]]:
    """The sets of the SemEval tasks on textual similarity, by year and name: `["2012"]["MSRpar"]`.

    Args:
        folder: with files `YEAR.SET.test.tsv` and `YEAR.SET.train.tsv` of score TAB sentence TAB sentence,
            without header or quoting. Pairs whose score is empty were never scored and are left out.
        split: "test" or "train".

    Returns:
        Scores lie in [0, 5].

    Raises:
        ValueError: no such file, or a line of another form.

    Reference: Agirre et al. 2012 to 2016, SemEval; https://ixa2.si.ehu.eus/stswiki.
    """
    found: dict[str, dict[str, Pairs]] = {}
    for path in sorted(Path(folder).expanduser().glob(f"*.{split}.tsv")):
        if name := re.fullmatch(rf"(\d{{4}})\.(.+)\.{split}\.tsv", path.name):
            rows = [row for row in _rows(path, 3) if row[0].strip()]
            found.setdefault(name[1], {})[name[2]] = _pairs(path, rows)
    if not found:
        raise ValueError(
            f"expected a folder of the STS tasks with files YEAR.SET.{split}.tsv (as 2012.MSRpar.{split}.tsv)"
            f" of score TAB sentence TAB sentence, got {folder}, which holds none"
        )
    return found


def sick(folder: str | Path) -> Sick:
    """SICK, pairs of sentences with their relatedness, from 1 to 5, and whether one entails the other.

    Args:
        folder: with SICK_train.txt, SICK_trial.txt and SICK_test_annotated.txt, tables with a header.

    Raises:
        ValueError: a file is not there, or a line is of another form.

    Reference: Marelli et al. 2014, A SICK cure for the evaluation of compositional distributional semantic
    models, LREC.
    """
    files = _files(folder, "SICK", "SICK_train.txt", "SICK_trial.txt", "SICK_test_annotated.txt")
    return Sick(*(_sick_part(path) for path in files))


def _sick_part(path: Path) -> Pairs:
    rows = list(_rows(path, 5))[1:]
    pairs = _pairs(path, [(score, first, second) for _, first, second, score, _ in rows])
    return pairs._replace(labels=_numbers(path, [row[4] for row in rows], ENTAILMENT))


def sst2(folder: str | Path) -> LabelledSet:
    """SST-2, sentences of film reviews, negative or positive: 6,920 to train, 872 and 1,821 to test on.

    Args:
        folder: with train.tsv, dev.tsv and test.tsv of sentence TAB label (0 or 1), without header.

    Raises:
        ValueError: a file is not there, or a line is of another form.

    Reference: Socher et al. 2013, aclanthology D13-1170.
    """
    files = _files(folder, "SST-2", "train.tsv", "dev.tsv", "test.tsv")
    train, dev, test = (_labelled(path, [row[::-1] for row in _rows(path, 2)], ("0", "1")) for path in files)
    return LabelledSet(train, dev, test, ("negative", "positive"))


def bbc(folder: str | Path) -> LabelledSet:
    """News articles of the BBC on five topics.

    Args:
        folder: with train.tsv and test.tsv, tables of label TAB text with a header.

    Returns:
        Classes in alphabetical order; no `dev`.

    Raises:
        ValueError: a file is not there, or a line is of another form.

    Reference: Greene and Cunningham 2006, Practical solutions to the problem of diagonal dominance in kernel
    document clustering, ICML.
    """
    files = _files(folder, "BBC news", "train.tsv", "test.tsv")
    rows = [list(_rows(path, 2))[1:] for path in files]
    classes = tuple(sorted({row[0] for row in rows[0]}))
    train, test = (_labelled(path, part, classes) for path, part in zip(files, rows, strict=True))
    return LabelledSet(train, None, test, classes)


def conll(path: str | Path) -> Tagged:
    """Words with tags, one a line, as of named entities in BIO tags; WNUT-17 is published so.

    Args:
        path: a file of word TAB ... TAB tag; between sentences a line that is empty or all blanks and tabs.

    Raises:
        ValueError: no such file, no words in it, or a line of another form.

    Reference: Derczynski et al. 2017, aclanthology W17-4418 (WNUT-17).
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise ValueError(f"expected a file of word TAB tag, one word a line, got {path}, which is no file")
    found = Tagged([[]], [[]])
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            found.words.append([])
            found.tags.append([])
            continue
        columns = line.split("\t")
        if len(columns) < 2 or not columns[0] or not columns[-1].strip():
            raise ValueError(f"{path}, line {number}: expected word TAB tag, got {line!r}")
        found.words[-1].append(columns[0])
        found.tags[-1].append(columns[-1].strip())
    kept = [pair for pair in zip(*found, strict=True) if pair[0]]
    if not kept:
        raise ValueError(f"{path}: expected word TAB tag, one word a line, got no words")
    return Tagged(*(list(column) for column in zip(*kept, strict=True)))


def wnut17(folder: str | Path) -> TaggedSet:
    """WNUT-17, messages with new and rare named entities of six kinds: 3,394, 1,009 and 1,287 of them.

    Args:
        folder: with wnut17train.conll, emerging.dev.conll and emerging.test.annotated of word TAB tag.

    Raises:
        ValueError: a file is not there, or a line is of another form.

    Reference: Derczynski et al. 2017, aclanthology W17-4418.
    """
    names = "wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated"
    return TaggedSet(*(conll(path) for path in _files(folder, "WNUT-17", *names)))


def _files(folder: str | Path, what: str, *names: str) -> list[Path]:
    """The files of a set; one message says which are missing and what the folder should hold."""
    root = Path(folder).expanduser()
    if missing := [name for name in names if not (root / name).is_file()]:
        raise ValueError(
            f"expected the folder of {what} with {', '.join(names)}, got {folder}: "
            f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there"
        )
    return [root / name for name in names]


def _lines(path: Path) -> Iterator[str]:
    """Lines as the line feed ends them, and nothing else that Unicode holds for an end of line."""
    with path.open(encoding="utf-8", newline="\n") as file:
        yield from (line.rstrip("\r\n") for line in file)


def _rows(path: Path, columns: int) -> Iterator[tuple[str, ...]]:
    """Lines cut at tabs, without quoting; empty lines are left out."""
    for number, line in enumerate(_lines(path), 1):
        row = tuple(line.split("\t"))
        if line and len(row) != columns:
            raise ValueError(
                f"{path}, line {number}: expected {columns} columns apart by tabs, got {len(row)}"
            )
        if line:
            yield row


def _pairs(path: Path, rows: list[tuple[str, ...]]) -> Pairs:
    try:
        scores = np.array([float(row[0]) for row in rows], np.float32)
    except ValueError as error:
        raise ValueError(f"{path}: expected scores that are numbers: {error}") from error
    return Pairs([row[1] for row in rows], [row[2] for row in rows], scores)


def _labelled(path: Path, rows: list[tuple[str, ...]], classes: tuple[str, ...]) -> Labelled:
    return Labelled([row[1] for row in rows], _numbers(path, [row[0] for row in rows], classes))


def _numbers(path: Path, names: list[str], classes: tuple[str, ...]) -> np.ndarray:
    """The classes' places."""
    places = {name: place for place, name in enumerate(classes)}
    if unknown := sorted(set(names) - set(places)):
        raise ValueError(f"{path}: expected the classes {', '.join(classes)}, got also {unknown[0]!r}")
    return np.array([places[name] for name in names], np.int32)
