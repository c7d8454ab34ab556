"""What the experiments on Fashion-MNIST share: encoder, augmentation, optimizer, evaluations."""

import optax

from jssl import evals, nn, ops, pretext, train
from jssl.core import Encoder, Transform
from jssl.evals import Eval
from jssl.pretext import image

MEAN, STD = 0.286, 0.353
"""Of the training images' pixels."""


def small_resnet(width: int) -> Encoder:
    """Residual blocks over 7x7 and 4x4 positions, which are kept apart, because the objects are aligned."""
    network = nn.resnet((1, 1), width=width, stem="patch4", pool="flatten", zero_init_last=True)
    return nn.normalized(network, mean=MEAN, std=STD)


def garment_augment(scale: tuple[float, float] = (0.6, 1.0)) -> Transform:
    """Mild crops, flips, brightness and contrast, and an erased rectangle."""
    return pretext.compose(
        image.random_resized_crop(28, scale=scale),
        image.horizontal_flip(),
        pretext.random_apply(image.color_jitter(brightness=0.4, contrast=0.4), probability=0.8),
        image.random_erasing(probability=0.5, scale=(0.02, 0.25)),
    )


def cosine_adamw(learning_rate: float, weight_decay: float, steps: int) -> optax.GradientTransformation:
    """AdamW whose learning rate rises for a twentieth of the steps and falls to 0; only kernels decay."""
    schedule = ops.warmup_cosine(learning_rate, warmup=steps // 20, steps=steps)
    return optax.adamw(schedule, weight_decay=weight_decay, mask=train.kernels)


def evaluations(
    encoder: Encoder, *, every: int, learning_rate: float = 3e-3, batch_size: tuple[int, int] = (128, 128)
) -> tuple[Eval, ...]:
    """kNN and collapse figures on the way; linear probes, and training from scratch, at the end.

    Args:
        encoder: also trained from scratch on as many labels as the probes see, by the best settings of
            `benchmarks/scratch.py` at 100 labels (its docstring has the table).
        every: steps between two looks on the way.
        learning_rate: of training from scratch.
        batch_size: of training from scratch, with 100 labels and with 1,000.
    """
    return (
        evals.knn(every=every),
        evals.collapse(every=every),
        evals.linear_probe(labels=(100, 1000, None)),
        evals.supervised(
            encoder,
            labels=(100, 1000),
            num_subsets=(5, 1),
            learning_rate=learning_rate,
            weight_decay=0.5,
            steps=(1_000, 2_000),
            batch_size=batch_size,
            augment=garment_augment(),
        ),
    )
