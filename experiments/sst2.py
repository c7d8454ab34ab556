"""Sentiment of film reviews, SST-2: a pretrained network fine-tuned, beside the same one from random weights.

    python -m experiments.sst2 --data-dir FOLDER --run runs/simcse_small
    python -m experiments.sst2 --data-dir FOLDER --run runs/simcse_small --scratch
    python -m experiments.sst2 --data-dir FOLDER --weights FILE --learning-rate 5e-5

With `--labels 100` as many examples are trained on, a random subset in which all classes are alike. Accuracy
and macro F1 are measured on the test part, once, after training.

Measured with `--labels 100 --freeze --learning-rate 1e-2 --steps 150 --length 48` on a run of simcse_small
that followed bert_small_bible, both with the reviews' sentences, seeds 0, 1 and 2: the head 60.3, 60.5 and
61.7 %, a linear classifier on the same features 62.3, 63.0 and 61.1 % (with all three runs on a processor of
another maker 59.3, 63.6 and 59.3 %, and 60.1, 63.9 and 60.8 %); the head on the same network from random
weights 54.0, 55.6 and 53.0 %, a bag of words 60.0, 58.1 and 57.2 % (on both). The features of
all-MiniLM-L6-v2 (the third command, with these options but 100 steps), seed 0: 70.0 %.

Reference: Devlin et al., 2018, arXiv 1810.04805, section 4.1; Socher et al., 2013, aclanthology D13-1170.
"""

from experiments import tuning
from jssl import data, experiment
from jssl.experiment import Experiment


def sst2(
    data_dir: str = "sst2",
    run: str | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
    scratch: bool = False,
    labels: int | None = None,
    freeze: bool = False,
    seed: int = 0,
    steps: int = 600,
    batch_size: int = 32,
    learning_rate: float = 5e-4,
    length: int = 64,
    dropout: float = 0.1,
) -> Experiment:
    """A text network is fine-tuned on sentences of film reviews, negative or positive.

    Args:
        data_dir: Folder of SST-2 (train.tsv, dev.tsv, test.tsv).
        run: Folder of a run of bert_small_bible, or of one that started from such a run.
        weights: Instead of a run, a published BERT's .safetensors file with its config.json beside it.
        tokenizer: Folder or file of a published tokenizer; that of the run or the weights if not given.
        scratch: Whether the same network starts from random weights, as it does without run and weights.
        labels: Examples that are trained on; all if not given.
        freeze: Whether the network stays as it is, and the linear head alone is trained.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Texts a step.
        learning_rate: The highest of a schedule that rises for a tenth of the steps and then falls to 0.
        length: Tokens of a text, at most.
        dropout: Share of what is dropped in training.
    """
    begin = tuning.start(run, weights, tokenizer, scratch=scratch, dropout=dropout)
    recipe = tuning.Recipe(seed, steps, batch_size, learning_rate)
    return tuning.classification(
        "sst2",
        data.sst2(data_dir),
        begin,
        recipe,
        length=length,
        labels=labels,
        freeze=freeze,
        dropout=dropout,
    )


if __name__ == "__main__":
    experiment.main(sst2)
