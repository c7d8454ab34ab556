"""GPT-2 of 124 million parameters on FineWeb, with the recipe that llm.c publishes.

Documents, as the "text" of FineWeb's rows, are tokenized once, from any iterator over strings:

    from jssl import data
    tokenizer = data.text.load_tokenizer("gpt2")    # a folder with vocab.json and merges.txt
    data.text.store("DIR", (row["text"] for row in rows), tokenizer)

    python -m experiments.gpt2_124m --data-dir DIR --pieces 32          # one device
    python -m experiments.gpt2_124m --data-dir DIR --run-dir DIR        # on each host of a pod
    jssl plan experiments/gpt2_124m.py --topology v5p:4x4x8             # without any data

Published: a loss of 3.28 on FineWeb's validation tokens after 10 billion tokens (llm.c; the script is
scripts/run_gpt2_124M.sh); not reproduced here, for want of an accelerator. nanoGPT's recipe, for OpenWebText
and 300 billion tokens, is `--steps 600000 --warmup 2000`.

Deviations: the learning rate ends at a tenth, as nanoGPT's, and not at 0; the network computes in bfloat16.

Reference: Radford et al., 2019, Language models are unsupervised multitask learners; Karpathy, 2024,
github.com/karpathy/llm.c; Karpathy, 2022, github.com/karpathy/nanoGPT.
"""

from functools import partial

from experiments import texts
from jssl import data, evals, experiment, methods, nn, ops
from jssl.experiment import Experiment


def gpt2_124m(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 18_865,
    batch_size: int = 512,
    pieces: int = 1,
    packed: bool = False,
    learning_rate: float = 6e-4,
    warmup: int = 700,
    weight_decay: float = 0.1,
    vocab_size: int = 50_304,
    length: int = 1_024,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
    dropout: float = 0.0,
) -> Experiment:
    """GPT-2: each token of a text is predicted from those before it.

    Args:
        data_dir: Folder of a corpus that `data.text.store` has made.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Rows a step.
        pieces: Parts of a batch that the network takes one after the other, for less memory.
        packed: Rows of whole documents that don't see each other, instead of one text cut into rows.
        learning_rate: The highest of a cosine schedule with warm-up, which ends at a tenth of it.
        warmup: Steps in which it rises.
        weight_decay: Of AdamW, but of norms and biases.
        vocab_size: Token embeddings: the tokenizer's 50,257 and some for nothing, to fill a TPU's tiles.
        length: Tokens that the network sees.
        width: Of the network.
        depth: Blocks of the network.
        heads: Of its attention.
        dropout: Share of what is dropped in training.
    """
    cut = partial(data.text.packed, length=length + 1) if packed else texts.spans(length)
    rows = texts.from_folder(data_dir, vocab_size, cut)
    encoder = nn.text_transformer(
        vocab_size,
        width,
        depth,
        heads,
        max_length=length,
        dropout=dropout,
        dtype=texts.DTYPE,
        **nn.GPT2,
    )
    schedule = ops.warmup_cosine(
        learning_rate, warmup=min(warmup, steps // 2), steps=steps, end=learning_rate / 10
    )
    return Experiment(
        name="gpt2_124m",
        data=rows.data,
        method=methods.clm(encoder=texts.in_pieces(encoder, pieces)),
        optimizer=texts.adamw(schedule, b2=0.95, weight_decay=weight_decay),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(evals.held_out(bytes_per_token=texts.bytes_per_token(rows), every=1_000),),
        inputs="tokens",
        tokenizer=rows.tokenizer,
        save_every=1_000,
    )


if __name__ == "__main__":
    experiment.main(gpt2_124m)
