"""BERT-base with the paper's recipe: a million steps of 256 pairs of passages of 512 tokens.

Text files with a sentence a line and blank lines between documents are tokenized once:

    from jssl import data
    tokenizer = data.text.load_tokenizer("bert-base-uncased")   # a folder with its vocab.txt
    data.text.store("DIR", data.text.stream_documents("wiki-*.txt.gz", "books-*.txt.gz"), tokenizer)

    python -m experiments.bert_base --data-dir DIR --pieces 8       # one device
    python -m experiments.bert_base --data-dir DIR --run-dir DIR    # on each host of a pod
    jssl plan experiments/bert_base.py --topology v5e:8x8           # without any data

Published: GLUE 79.6 on average (paper, table 1), next sentence 97 to 98 % (section A.2); not reproduced here,
for want of an accelerator and of BookCorpus.

Deviations: all steps have rows of 512 tokens, where the authors have 128 in the first nine tenths; pairs and
masks are drawn anew each time; the network computes in bfloat16; gradients are scaled to length 1 at most, as
in the authors' code.

Reference: Devlin et al., 2018, arXiv 1810.04805, section A.2; the authors' run_pretraining.py and
optimization.py, github.com/google-research/bert.
"""

from functools import partial

from experiments import texts
from jssl import data, evals, experiment, methods, nn, ops
from jssl.experiment import Experiment


def bert_base(
    data_dir: str | None = None,
    sst2: str | None = None,
    sts: str | None = None,
    seed: int = 0,
    steps: int = 1_000_000,
    batch_size: int = 256,
    pieces: int = 1,
    learning_rate: float = 1e-4,
    warmup: int = 10_000,
    weight_decay: float = 0.01,
    mask_rate: float = 0.15,
    vocab_size: int = 30_522,
    length: int = 512,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
) -> Experiment:
    """BERT-base: hidden tokens are filled in, and pairs of passages put in order.

    Args:
        data_dir: Folder of a corpus that `data.text.store` has made.
        sst2: Folder of SST-2 (train.tsv, dev.tsv, test.tsv), to classify sentiment by the features.
        sts: Folder of the SemEval tasks on textual similarity, to compare sentences by the features.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Pairs of passages a step.
        pieces: Parts of a batch that the network takes one after the other, for less memory.
        learning_rate: The highest of a schedule that rises linearly and then falls to 0.
        warmup: Steps in which it rises.
        weight_decay: Of AdamW, but of norms and biases.
        mask_rate: Share of the tokens that is hidden.
        vocab_size: Token embeddings, as many as the tokenizer has tokens or more.
        length: Tokens of a pair.
        width: Of the network.
        depth: Blocks of the network.
        heads: Of its attention.
        dropout: Share of what is dropped in training.
    """
    rows = texts.from_folder(data_dir, vocab_size, partial(data.text.passages, length=length - 3))
    pad = texts.marks(rows.tokenizer).pad
    encoder = nn.text_transformer(
        vocab_size,
        width,
        depth,
        heads,
        max_length=length,
        dropout=dropout,
        dtype=texts.DTYPE,
        **nn.BERT,
    )
    return Experiment(
        name="bert_base",
        data=rows.data,
        method=methods.bert(
            encoder=texts.in_pieces(encoder, pieces),
            head=nn.masked_head(dtype=texts.DTYPE),
            pooler=nn.pooler(),
            pair=texts.pairing(rows.tokenizer, length),
            mask=texts.masking(rows.tokenizer, mask_rate),
            pad=pad,
        ),
        optimizer=texts.adamw(
            ops.warmup_linear(learning_rate, warmup=min(warmup, steps // 2), steps=steps),
            epsilon=1e-6,
            weight_decay=weight_decay,
        ),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(
            evals.held_out(every=10_000),
            *texts.evaluations(rows.tokenizer, sst2=sst2, sts=sts, every=50_000),
        ),
        inputs="tokens",
        pad=pad,
        tokenizer=rows.tokenizer,
        log_every=100,
        save_every=10_000,
    )


if __name__ == "__main__":
    experiment.main(bert_base)
