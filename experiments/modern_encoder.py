"""A modern encoder of ModernBERT-base's size, masked words only, in rows of whole documents that are packed.

Documents are tokenized once, from any iterator over strings, as for `experiments/gpt2_124m.py`:

    data.text.store("DIR", documents, data.text.load_tokenizer("ModernBERT-base"))

    python -m experiments.modern_encoder --data-dir DIR --pieces 64     # one device
    python -m experiments.modern_encoder --data-dir DIR --run-dir DIR   # on each host of a pod
    jssl plan experiments/modern_encoder.py --topology v5p:4x4x8        # without any data

This is the first of the authors' three phases; two more have rows of 8,192 tokens. Their results are not
reproduced here, for want of an accelerator.

Deviations: the batch has its full size from the first step; AdamW with gradients of length 1 at most instead
of StableAdamW; the learning rate falls at the end of this phase; the network computes in bfloat16; all layers
have the rotations of the published network, where the authors begin with a base of 10,000 everywhere.

Reference: Warner et al., 2024, arXiv 2412.13663, section 2.1 and appendix A.
"""

from functools import partial

import optax

from experiments import texts
from jssl import data, evals, experiment, methods, nn
from jssl.experiment import Experiment


def modern_encoder(
    data_dir: str | None = None,
    sst2: str | None = None,
    sts: str | None = None,
    seed: int = 0,
    steps: int = 364_000,
    batch_size: int = 4_608,
    pieces: int = 1,
    learning_rate: float = 8e-4,
    warmup: int = 636,
    weight_decay: float = 1e-5,
    mask_rate: float = 0.3,
    vocab_size: int = 50_368,
    length: int = 1_024,
    width: int = 768,
    depth: int = 22,
    heads: int = 12,
    window: int = 64,
) -> Experiment:
    """A modern encoder: hidden tokens are filled in.

    Args:
        data_dir: Folder of a corpus that `data.text.store` has made.
        sst2: Folder of SST-2 (train.tsv, dev.tsv, test.tsv), to classify sentiment by the features.
        sts: Folder of the SemEval tasks on textual similarity, to compare sentences by the features.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Rows a step.
        pieces: Parts of a batch that the network takes one after the other, for less memory.
        learning_rate: The highest of a schedule that rises, stays, and falls to 0 in the last tenth.
        warmup: Steps in which it rises.
        weight_decay: Share of the weights, but norms and biases, that a step at the highest rate takes off.
        mask_rate: Share of the tokens that is hidden.
        vocab_size: Token embeddings, as many as the tokenizer has tokens or more.
        length: Tokens of a row, of one or several documents.
        width: Of the network.
        depth: Blocks of the network.
        heads: Of its attention.
        window: Tokens to either side that most blocks see; every third sees all.
    """
    rows = texts.from_folder(data_dir, vocab_size, partial(data.text.packed, length=length))
    pad = texts.marks(rows.tokenizer).pad
    encoder = nn.text_transformer(
        vocab_size,
        width,
        depth,
        heads,
        mlp_ratio=2.25,
        window=window,
        remat="dots_with_no_batch_dims",
        rolled=depth > 12,
        dtype=texts.DTYPE,
        **nn.MODERN,
    )
    return Experiment(
        name="modern_encoder",
        data=rows.data,
        method=methods.mlm(
            encoder=texts.in_pieces(encoder, pieces),
            head=nn.masked_head(epsilon=1e-5, bias=False, dtype=texts.DTYPE),
            mask=texts.masking(rows.tokenizer, mask_rate),
            pad=pad,
        ),
        optimizer=texts.adamw(
            trapezoid(learning_rate, warmup=min(warmup, steps // 2), steps=steps),
            b2=0.98,
            epsilon=1e-6,
            weight_decay=weight_decay / learning_rate,
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
        save_every=2_000,
    )


def trapezoid(peak: float, *, warmup: int, steps: int) -> optax.Schedule:
    """From 0 straight to `peak` at step `warmup`, and in the last tenth of the steps straight to 0."""
    falling = max(1, steps // 10)
    parts = [
        optax.linear_schedule(0.0, peak, max(1, warmup)),
        optax.linear_schedule(peak, 0.0, falling, transition_begin=max(0, steps - falling - warmup)),
    ]
    return optax.join_schedules(parts, [warmup])


if __name__ == "__main__":
    experiment.main(modern_encoder)
