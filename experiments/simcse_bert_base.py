"""SimCSE with the paper's recipe: published BERT-base, an epoch over a file of sentences, dropout alone.

    python -m experiments.simcse_bert_base --weights DIR/model.safetensors --text FILE --sts FOLDER

The paper's file has a million sentences of Wikipedia; config.json and the vocabulary lie beside the weights.
In the table of results the column "untrained" is BERT-base before the first step.

Published: 76.25 on the average of STS 2012 to 2016, STS-B and SICK (paper, table 5), of which 68.40, 82.41,
74.38, 80.91 and 78.56 on the five years.

Deviations: the last step's state is kept, where the authors choose that with the best score on STS-B's
development part; sentences that occur twice are read once.

Reference: Gao et al., 2021, arXiv 2104.08821, section 3 and appendix A; the authors' code,
github.com/princeton-nlp/SimCSE, whose projector starts from random weights as here.
"""

import optax

from experiments import texts, tuning
from jssl import experiment, methods, nn
from jssl.data import DataSet
from jssl.experiment import Experiment


def simcse_bert_base(
    text: str | None = None,
    weights: str | None = None,
    tokenizer: str | None = None,
    sst2: str | None = None,
    sts: str | None = None,
    seed: int = 0,
    steps: int | None = None,
    batch_size: int = 64,
    learning_rate: float = 3e-5,
    temperature: float = 0.05,
    length: int = 32,
    dropout: float = 0.1,
) -> Experiment:
    """Sentences are told apart by their features, whatever is dropped from the network.

    Args:
        text: A text file, a sentence a line; the verses of the Bible inside jssl if not given.
        weights: BERT-base's .safetensors file, with its config.json beside it; a small network if not given.
        tokenizer: Folder or file of its tokenizer; the one beside the weights if not given.
        sst2: Folder of SST-2 (train.tsv, dev.tsv, test.tsv), to classify sentiment by the features.
        sts: Folder of the SemEval tasks on textual similarity, to compare sentences by the features.
        seed: Of everything random.
        steps: Training steps; one epoch if not given.
        batch_size: Sentences a step.
        learning_rate: At first; it falls to 0 linearly.
        temperature: Of the contrastive loss.
        length: Tokens of a sentence, at most.
        dropout: Share of what is dropped in training.
    """
    begin = tuning.start(None, weights, tokenizer, dropout=dropout)
    rows = texts.sentences(text, begin.tokenizer, length)
    steps = steps or max(1, len(rows) // batch_size)
    return Experiment(
        name="simcse_bert_base",
        data=DataSet(rows, None),
        method=methods.simcse(
            encoder=begin.encoder,
            projector=nn.pooler(),
            temperature=temperature,
            pad=begin.pad,
            pool="first",
        ),
        optimizer=texts.adamw(optax.linear_schedule(learning_rate, 0.0, steps), weight_decay=0.0),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=texts.evaluations(begin.tokenizer, sst2=sst2, sts=sts, every=1_000),
        inputs="tokens",
        pad=begin.pad,
        tokenizer=begin.tokenizer,
        save_every=1_000,
    )


if __name__ == "__main__":
    experiment.main(simcse_bert_base)
