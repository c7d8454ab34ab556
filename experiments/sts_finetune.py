"""Likeness of sentences, STS: a pretrained network fine-tuned on earlier years and measured on later ones.

    python -m experiments.sts_finetune --data-dir FOLDER --run runs/bert_small_bible
    python -m experiments.sts_finetune --data-dir FOLDER --run runs/bert_small_bible --scratch
    python -m experiments.sts_finetune --data-dir FOLDER --weights FILE --learning-rate 5e-5

The cosine of two sentences' mean hidden states becomes the score that people gave them; Spearman's
correlation is measured on the later years. The column "untrained" is the network before the first step.

Measured with the first two commands, seed 0, on the run in bert_small_bible's docstring: 0.531 on the average
of 2015 and 2016, 0.621 from random weights, and 0.743 by a bag of words, which needs no training: so small a
network, pretrained on so little, is no match for it.

Reference: Agirre et al., 2012 to 2016, SemEval; Reimers and Gurevych, 2019, arXiv 1908.10084, section 3.
"""

from experiments import texts, tuning
from jssl import evals, experiment, methods
from jssl.data import DataSet
from jssl.experiment import Experiment


def sts_finetune(
    data_dir: str = "sts",
    run: str | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
    scratch: bool = False,
    until: str = "2014",
    seed: int = 0,
    steps: int = 600,
    batch_size: int = 32,
    learning_rate: float = 3e-4,
    length: int = 48,
    dropout: float = 0.1,
) -> Experiment:
    """A text network is fine-tuned on pairs of sentences with the likeness that people see in them.

    Args:
        data_dir: Folder of the SemEval tasks on textual similarity (2012.MSRpar.test.tsv, ...).
        run: Folder of a run of bert_small_bible, or of one that started from such a run.
        weights: Instead of a run, a published BERT's .safetensors file with its config.json beside it.
        tokenizer: Folder or file of a published tokenizer; that of the run or the weights if not given.
        scratch: Whether the same network starts from random weights, as it does without run and weights.
        until: The last year that is trained on.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Pairs a step.
        learning_rate: The highest of a schedule that rises for a tenth of the steps and then falls to 0.
        length: Tokens of a sentence, at most.
        dropout: Share of what is dropped in training.
    """
    begin = tuning.start(run, weights, tokenizer, scratch=scratch, dropout=dropout)
    known, new = tuning.parted_pairs(data_dir, until)
    encode = texts.sentence_rows(begin.tokenizer, length)
    return tuning.fine_tune(
        "sts_finetune",
        begin,
        methods.similarity(encoder=begin.encoder, pad=begin.pad),
        DataSet(tuning.pair_rows(known, encode), None),
        tuning.Recipe(seed, steps, batch_size, learning_rate),
        evals.sts(new, encode),
    )


if __name__ == "__main__":
    experiment.main(sts_finetune)
