"""Golden scores of named entities, computed by seqeval and stored in entities.npz.

Run it in an environment of its own with `seqeval==1.2.2`, which jssl never uses:

    python tests/golden/entities.py

Keys of the file: `NAME/true` and `NAME/predicted` are the tags of all words as numbers of `tags`, cut into
sentences of `NAME/lengths`; `NAME/kinds` and `NAME/scores` the kinds in alphabetical order and their
precision, recall, F1 and support, `NAME/micro` those of all together.
"""

import warnings
from pathlib import Path

import numpy as np
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as measure

TAGS = ["O", "B-person", "I-person", "B-creative-work", "I-creative-work", "B-group", "I-group", "B", "I"]
CASES = {"alike": 0.9, "different": 0.4, "unrelated": 0.0, "nothing predicted": 0.0, "nothing there": 0.0}


def tags(name: str, agreement: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Random tags, many of which break the scheme, and predictions that agree with some of them."""
    rng = np.random.default_rng(len(name))
    lengths = rng.integers(0, 12, 60)
    true, other = rng.choice(len(TAGS), (2, lengths.sum()), p=[0.28, *[0.09] * 8])
    predicted = np.where(rng.random(len(true)) < agreement, true, other)
    if name.startswith("nothing"):
        (predicted if name == "nothing predicted" else true)[:] = 0
    return true, predicted, lengths


def sentences(numbers: np.ndarray, lengths: np.ndarray) -> list[list[str]]:
    parts = np.split(numbers, np.cumsum(lengths)[:-1])
    return [[TAGS[number] for number in part] for part in parts]


def kinds_of(*lists: list[list[str]]) -> list[str]:
    found = {tag for tags in lists for sentence in tags for tag in sentence} - {"O"}
    return sorted({tag[2:] or "_" for tag in found})


def main() -> None:
    warnings.simplefilter("ignore")
    stored = {"tags": np.array(TAGS)}
    for name, agreement in CASES.items():
        true, predicted, lengths = tags(name, agreement)
        both = sentences(true, lengths), sentences(predicted, lengths)
        stored[f"{name}/true"], stored[f"{name}/predicted"] = true.astype(np.int8), predicted.astype(np.int8)
        stored[f"{name}/lengths"] = lengths
        stored[f"{name}/kinds"] = np.array(kinds_of(*both))
        stored[f"{name}/scores"] = np.array(measure(*both, average=None)).T
        precision, recall, f1, support = measure(*both, average="micro")
        stored[f"{name}/micro"] = np.array([precision, recall, f1, support])
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **stored)


if __name__ == "__main__":
    main()
