"""How right a fine-tuned method's predictions are, by measures that are no means over examples."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, PRNGKeyArray

from jssl.evals.entities import OUTSIDE, entity_scores
from jssl.evals.eval import Eval
from jssl.evals.metrics import accuracy, macro_f1


def predicted_classes(*, every: int | None = None) -> Eval:
    """Evaluation of classes: "test/label/accuracy" and "test/label/macro_f1" (see `evals.macro_f1`).

    Of a method with `predict`, as `methods.classifier`; examples of the class -1 don't count.

    Args:
        every: steps between runs while training; None: after the run only.
    """

    def run(
        key: PRNGKeyArray, predicted: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"]
    ) -> dict[str, float]:
        known = labels >= 0
        if not known.any():
            raise ValueError('expected test examples with a "label" of 0 or more, got none')
        pair = predicted[known], labels[known]
        return {"test/label/accuracy": float(accuracy(*pair)), "test/label/macro_f1": float(macro_f1(*pair))}

    return Eval("predicted_classes", run, every, needs="predictions")


def predicted_tags(tags: Sequence[Sequence[str]], names: Sequence[str], *, every: int | None = None) -> Eval:
    """Evaluation of named entities: "test/entities/precision", ".../recall", ".../f1", ".../person/f1", ...

    Of a method with `predict`, as `methods.tagger`, on rows of `data.text.tagged`. Words that were cut off
    count, as outside of entities.

    Args:
        tags: of the words of each test example.
        names: the tags by their numbers.
        every: steps between runs while training; None: after the run only.

    Raises:
        ValueError: in its run, for test examples that have other labels than the tags.

    Reference: Tjong Kim Sang and De Meulder 2003, aclanthology W03-0419; as seqeval's default mode.
    """

    def run(
        key: PRNGKeyArray, predicted: Int[np.ndarray, "examples n"], labels: Int[np.ndarray, "examples n"]
    ) -> dict[str, float]:
        if len(labels) != len(tags):
            raise ValueError(f"expected tags for {len(labels)} test examples, got {len(tags)}")
        scores = entity_scores(
            tags, [word_tags(*row, names) for row in zip(tags, predicted, labels, strict=True)]
        )
        micro = scores.micro._asdict()
        found = {f"test/entities/{measure}": micro[measure] for measure in ("precision", "recall", "f1")}
        return found | {f"test/entities/{kind}/f1": score.f1 for kind, score in scores.kinds.items()}

    return Eval("predicted_tags", run, every, needs="predictions")


def word_tags(
    tags: Sequence[str], predicted: Int[np.ndarray, " n"], labels: Int[np.ndarray, " n"], names: Sequence[str]
) -> list[str]:
    """The predicted tags of a sentence's words; "O" for those that were cut off.

    Args:
        tags: the true ones.
        predicted: the number of a tag for each token.
        labels: of `data.text.tagged`: the number of each word's tag at its first token, else -1.
        names: the tags by their numbers.

    Raises:
        ValueError: for labels that aren't those of the first words.
    """
    places = np.flatnonzero(labels >= 0)
    known = [names[number] for number in labels[places]]
    if known != list(tags[: len(places)]):
        raise ValueError(f"expected labels of the words' tags {list(tags)}, got those of {known}")
    return [names[number] for number in predicted[places]] + [OUTSIDE] * (len(tags) - len(places))
