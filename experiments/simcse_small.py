"""SimCSE from a small BERT on: a sentence of which two times other words are missing finds itself.

    python -m experiments.simcse_small --run runs/bert_small_bible --sts FOLDER
    python -m experiments.simcse_small --run runs/bert_small_bible --sts FOLDER --text FILE

In the table of results the column "untrained" is the network before the first step, that of the run.

Measured with the first command, seed 0: Spearman's correlation on the STS tasks of 2012 to 2016, each year's
pairs together, rises from 0.374 to 0.509 on average (a bag of words: 0.623); four minutes on two cores.

Deviations: half of the tokens are deleted before each reading, and the features themselves are compared,
without a projector: by dropout alone this network tells sentences apart after a few steps, and the likeness
of sentences falls.

Reference: Gao et al., 2021, arXiv 2104.08821, section 3; Yan et al., 2021, arXiv 2105.11741, section 3.2.
"""

from functools import partial

from experiments import texts, tuning
from jssl import experiment, methods, pretext
from jssl.core import Transform
from jssl.data import DataSet
from jssl.data.text import Tokenizer
from jssl.experiment import Experiment


def simcse_small(
    text: str | None = None,
    run: str | None = None,
    tokenizer: str | None = None,
    sst2: str | None = None,
    sts: str | None = None,
    seed: int = 0,
    steps: int = 500,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    token_rate: float = 1.0,
    temperature: float = 0.05,
    disjoint: bool = False,
    length: int = 32,
    dropout: float = 0.0,
) -> Experiment:
    """Sentences are told apart by their features, whatever half of them is read.

    Args:
        text: A text file, a sentence a line; the verses of the Bible inside jssl if not given.
        run: Folder of a run of bert_small_bible; random weights if not given.
        tokenizer: Folder or file of a published tokenizer; the run's if not given.
        sst2: Folder of SST-2 (train.tsv, dev.tsv, test.tsv), to classify sentiment by the features.
        sts: Folder of the SemEval tasks on textual similarity, to compare sentences by the features.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Sentences a step.
        learning_rate: The highest of a schedule that rises for a tenth of the steps and then falls to 0.
        token_rate: Times the learning rate is that of the token embeddings.
        temperature: Of the contrastive loss.
        disjoint: Whether the two readings have no token in common, instead of being drawn independently.
        length: Tokens of a sentence, at most.
        dropout: Share of what is dropped in training.
    """
    begin = tuning.start(run, None, tokenizer, dropout=dropout)
    return tuning.fine_tune(
        "simcse_small",
        begin,
        methods.simcse(
            encoder=begin.encoder,
            augment=halves(begin.tokenizer, disjoint=disjoint),
            temperature=temperature,
            pad=begin.pad,
            pool="mean",
        ),
        DataSet(texts.sentences(text, begin.tokenizer, length), None),
        tuning.Recipe(seed, steps, batch_size, learning_rate, token_rate),
        *texts.evaluations(begin.tokenizer, sst2=sst2, sts=sts, every=250),
    )


def halves(tokenizer: Tokenizer, *, disjoint: bool) -> Transform:
    """Two random halves of a sentence, which have a quarter of it in common or nothing."""
    pad, special = texts.marks(tokenizer).pad, tokenizer.special_ids
    if disjoint:
        return partial(pretext.text.split_tokens, pad=pad, special=special)
    return pretext.two_views(partial(pretext.text.delete_tokens, pad=pad, special=special, rate=0.5))


if __name__ == "__main__":
    experiment.main(simcse_small)
