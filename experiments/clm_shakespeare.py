"""A causal language model of characters, after nanoGPT's small recipe.

    python -m experiments.clm_shakespeare --text input.txt
    jssl generate runs/clm_shakespeare --prompt "ROMEO:"

Measured on the 1,115,394 characters of Shakespeare that nanoGPT takes, seeds 0 and 1: a loss of 1.891 and
1.918 nats a character (2.73 bits a byte, seed 0) over the whole validation split, the text's last tenth, in
windows that don't overlap; nanoGPT's model and loop in PyTorch end at 1.908 and 1.915
(`benchmarks/char_gpt.py`). One to two minutes on two cores.

Deviation: GELU in the form of GPT-2 (tanh); nanoGPT has the exact one. Each window comes up once in an epoch,
where nanoGPT draws with replacement.

Reference: Radford et al., 2019, Language models are unsupervised multitask learners; Karpathy, 2022, nanoGPT,
github.com/karpathy/nanoGPT, config/train_shakespeare_char.py with the options for a CPU in its README.
"""

from experiments import texts
from jssl import evals, experiment, methods, nn, ops
from jssl.experiment import Experiment


def clm_shakespeare(
    text: str | None = None,
    seed: int = 0,
    steps: int = 2_000,
    batch_size: int = 12,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    length: int = 64,
    width: int = 128,
    depth: int = 4,
    heads: int = 4,
    dropout: float = 0.0,
) -> Experiment:
    """Each character of a text is predicted from those before it.

    Args:
        text: A text file, as the works of Shakespeare; the World English Bible inside jssl if not given.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Rows a step.
        learning_rate: The highest of a cosine schedule with warm-up, which ends at a tenth of it.
        weight_decay: Of AdamW, on matrices only.
        length: Characters that the network sees.
        width: Of the network.
        depth: Blocks of the network.
        heads: Of its attention.
        dropout: Share of what is dropped in training.
    """
    rows = texts.characters(text, length)
    schedule = ops.warmup_cosine(
        learning_rate, warmup=min(100, steps // 10), steps=steps, end=learning_rate / 10
    )
    return Experiment(
        name="clm_shakespeare",
        data=rows.data,
        method=methods.clm(
            encoder=nn.text_transformer(
                rows.tokenizer.size,
                width,
                depth,
                heads,
                max_length=length,
                bias=False,
                dropout=dropout,
                **nn.GPT2,
            )
        ),
        optimizer=texts.adamw(schedule, b2=0.99, weight_decay=weight_decay),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(evals.held_out(bytes_per_token=texts.bytes_per_token(rows), every=500),),
        inputs="tokens",
        tokenizer=rows.tokenizer,
        save_every=500,
    )


if __name__ == "__main__":
    experiment.main(clm_shakespeare)
