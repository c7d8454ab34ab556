from pathlib import Path

import numpy as np
import pytest

from jssl import evals

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "entities.npz")


def sentences(case, name):
    tags = GOLDEN["tags"][GOLDEN[f"{case}/{name}"]]
    return [part.tolist() for part in np.split(tags, np.cumsum(GOLDEN[f"{case}/lengths"])[:-1])]


def naive(tags):
    """For each word, whether an entity begins at it; then each entity goes on as far as it can."""
    kind = [tag.partition("-")[2] for tag in tags]
    begins = [
        tag != "O"
        and (tag[0] == "B" or place == 0 or tags[place - 1] == "O" or kind[place - 1] != kind[place])
        for place, tag in enumerate(tags)
    ]
    found = []
    for start in np.flatnonzero(begins):
        stop = start + 1
        while stop < len(tags) and tags[stop] != "O" and not begins[stop]:
            stop += 1
        found.append((kind[start], start, stop))
    return found


@pytest.mark.parametrize("case", ["alike", "different", "unrelated", "nothing predicted", "nothing there"])
def test_scores_equal_seqevals(case):
    scores = evals.entity_scores(sentences(case, "true"), sentences(case, "predicted"))
    np.testing.assert_allclose(scores.micro, GOLDEN[f"{case}/micro"], rtol=1e-12)
    assert list(scores.kinds) == GOLDEN[f"{case}/kinds"].tolist()
    np.testing.assert_allclose(list(scores.kinds.values()), GOLDEN[f"{case}/scores"], rtol=1e-12)


def test_entities_equal_a_naive_reference():
    rng = np.random.default_rng(0)
    tags = ["O", "B-a", "I-a", "B-b-c", "I-b-c"]
    for _ in range(300):
        sentence = [tags[i] for i in rng.integers(0, 5, rng.integers(0, 9))]
        assert evals.entities(sentence) == naive(sentence)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("O B-a I-a O", [("a", 1, 3)]),
        ("I-a I-a B-a", [("a", 0, 2), ("a", 2, 3)]),
        ("B-a I-b", [("a", 0, 1), ("b", 1, 2)]),
        ("O O", []),
    ],
)
def test_an_entity_ends_where_another_begins(tags, expected):
    assert evals.entities(tags.split()) == expected


def test_an_entity_does_not_reach_into_the_next_sentence():
    scores = evals.entity_scores([["B-a"], ["I-a"]], [["B-a"], ["O"]])
    assert scores.micro == (1.0, 0.5, pytest.approx(2 / 3), 2)


def test_only_whole_entities_count():
    scores = evals.entity_scores([["B-a", "I-a", "O"]], [["B-a", "O", "O"]])
    assert scores.micro == (0.0, 0.0, 0.0, 1)
    assert evals.entity_scores([], []).micro == (0.0, 0.0, 0.0, 0)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match='"B-KIND" or "I-KIND", got \'E-a\''):
        evals.entities(["E-a"])
    with pytest.raises(ValueError, match="1 and 1 sentences of 2 and 1 words"):
        evals.entity_scores([["O", "O"]], [["O"]])
