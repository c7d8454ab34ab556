"""Named entities: scores of whole entities from tags of words."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

OUTSIDE = "O"


class Entity(NamedTuple):
    """The words from `start` up to, not including, `stop`."""

    kind: str
    start: int
    stop: int


class Score(NamedTuple):
    """Each in [0, 1], 0 where nothing was predicted or nothing was there; `support` entities are there."""

    precision: float
    recall: float
    f1: float
    support: int


class EntityScores(NamedTuple):
    """Of all entities together, and of each kind that is there or was predicted, by its name."""

    micro: Score
    kinds: dict[str, Score]


def entities(tags: Sequence[str]) -> list[Entity]:
    """The entities that a sentence's tags mark.

    "B-person" begins one, "I-person" goes on with one, "O" is outside. An "I" that follows nothing of its
    kind begins one too, as in `conlleval` and in seqeval's default mode.

    Raises:
        ValueError: another tag.
    """
    found: list[Entity] = []
    previous = ("", "")
    for place, tag in enumerate(tags):
        prefix, kind = _parsed(tag)
        if prefix == "I" and kind == previous[1]:
            found[-1] = found[-1]._replace(stop=place + 1)
        elif prefix:
            found.append(Entity(kind, place, place + 1))
        previous = (prefix, kind)
    return found


def _parsed(tag: str) -> tuple[str, str]:
    """Prefix and kind; both empty outside of entities."""
    prefix, _, kind = tag.partition("-")
    if tag == OUTSIDE:
        return "", ""
    if prefix not in ("B", "I"):
        raise ValueError(f'expected tags "O", "B-KIND" or "I-KIND", got {tag!r}')
    return prefix, kind or "_"


def entity_scores(true: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> EntityScores:
    """Precision, recall and F1 of entities, of which kind and both ends must be right.

        precision = right / predicted,   recall = right / true,   F1 = 2 right / (predicted + true)

    Args:
        true: the tags of each sentence's words.
        predicted: as many tags for each sentence.

    Raises:
        ValueError: different numbers of sentences or words, or tags other than O, B-KIND and I-KIND.

    Reference: Tjong Kim Sang and De Meulder 2003, aclanthology W03-0419; as seqeval's default mode.
    """
    lengths = [len(tags) for tags in true], [len(tags) for tags in predicted]
    if lengths[0] != lengths[1]:
        raise ValueError(
            f"expected as many predicted tags as true ones in each sentence, got {len(lengths[0])} and "
            f"{len(lengths[1])} sentences of {sum(lengths[0])} and {sum(lengths[1])} words"
        )
    right, guessed, there = Counter[str](), Counter[str](), Counter[str]()
    for own, other in zip(true, predicted, strict=True):
        known, found = set(entities(own)), set(entities(other))
        for counter, members in ((right, known & found), (guessed, found), (there, known)):
            counter.update(entity.kind for entity in members)
    kinds = {kind: _score(right[kind], guessed[kind], there[kind]) for kind in sorted(there | guessed)}
    return EntityScores(_score(right.total(), guessed.total(), there.total()), kinds)


def _score(right: int, guessed: int, there: int) -> Score:
    return Score(right / max(guessed, 1), right / max(there, 1), 2 * right / max(guessed + there, 1), there)


def tag_names(sentences: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All tags that occur, "O" first, so that a tag's place is its number."""
    return (OUTSIDE, *sorted({tag for tags in sentences for tag in tags} - {OUTSIDE}))
