"""Entities in messages, WNUT-17: a pretrained network fine-tuned, beside the same one from random weights.

    python -m experiments.wnut17 --data-dir FOLDER --run runs/bert_small_bible
    python -m experiments.wnut17 --data-dir FOLDER --run runs/bert_small_bible --scratch
    python -m experiments.wnut17 --data-dir FOLDER --weights FILE --learning-rate 1e-4

F1 of whole entities is measured on the test part, once, after training, as seqeval counts.

Measured with the first two commands on the run in bert_small_bible's docstring, seeds 0 and 1: F1 13.0 and
10.8 % (with both runs on a processor of another maker 12.2 and 12.4 %), and 8.6 and 7.3 % from random weights
(on both); three minutes each on two cores.

Reference: Derczynski et al., 2017, aclanthology W17-4418; Devlin et al., 2018, arXiv 1810.04805, section 5.3.
"""

from experiments import tuning
from jssl import data, evals, experiment, methods
from jssl.data import DataSet, Source, Tagged
from jssl.experiment import Experiment


def wnut17(
    data_dir: str = "wnut17",
    run: str | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
    scratch: bool = False,
    freeze: bool = False,
    seed: int = 0,
    steps: int = 600,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    length: int = 64,
    dropout: float = 0.1,
) -> Experiment:
    """A text network is fine-tuned on messages whose words are tagged with entities of six kinds.

    Args:
        data_dir: Folder of WNUT-17 (wnut17train.conll, emerging.dev.conll, emerging.test.annotated).
        run: Folder of a run of bert_small_bible, or of one that started from such a run.
        weights: Instead of a run, a published BERT's .safetensors file with its config.json beside it.
        tokenizer: Folder or file of a published tokenizer; that of the run or the weights if not given.
        scratch: Whether the same network starts from random weights, as it does without run and weights.
        freeze: Whether the network stays as it is, and the linear head alone is trained.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Messages a step.
        learning_rate: The highest of a schedule that rises for a tenth of the steps and then falls to 0.
        length: Tokens of a message, at most.
        dropout: Share of what is dropped in training.
    """
    begin = tuning.start(run, weights, tokenizer, scratch=scratch, dropout=dropout)
    messages = data.wnut17(data_dir)
    names = evals.tag_names(messages.train.tags)

    def rows(part: Tagged) -> Source:
        labels = [[names.index(tag) for tag in tags] for tags in part.tags]
        return data.text.tagged(part.words, labels, begin.tokenizer, length)

    return tuning.fine_tune(
        "wnut17",
        begin,
        methods.tagger(
            encoder=begin.encoder, num_classes=len(names), dropout=dropout, freeze=freeze, pad=begin.pad
        ),
        DataSet(rows(messages.train), rows(messages.test), names),
        tuning.Recipe(seed, steps, batch_size, learning_rate),
        evals.held_out(perplexity=False),
        evals.predicted_tags(messages.test.tags, names),
    )


if __name__ == "__main__":
    experiment.main(wnut17)
