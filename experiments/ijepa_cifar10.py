"""I-JEPA on CIFAR-10: the authors' recipe for ViT-H/14 on ImageNet, scaled to ViT-S/4.

    python -m experiments.ijepa_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.ijepa_cifar10 --preset small    # minutes on two cores
    python -m experiments.ijepa_cifar10 --batch-size 2048    # on each host of a pod

The predictor is half as wide and half as deep as the encoder (in the small preset it is its equal: with half
of it, kNN stayed that of the untrained encoder); the learning rate for a batch of 256 is the same.

Published: nothing on CIFAR-10; on ImageNet linear 79.3 % (ViT-H/14, paper); not run at full length here, for
want of an accelerator. Small preset: kNN 34.6 % (raw pixels 26.5, untrained 31.0), linear with 1,000 labels
36.5 %, with all 45.3 % (seed 0); `benchmarks/league.py`.

Reference: Assran et al., 2023, arXiv 2301.08243.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment
from jssl.pretext import image


def ijepa_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 300,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 1.25e-4,
    weight_decay: float = 0.04,
    num_targets: int = 4,
    decay: float = 0.996,
) -> Experiment:
    """I-JEPA on CIFAR-10: features of blocks, predicted from those of a context.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW at the start; it rises to ten times that along a cosine.
        num_targets: Blocks that are predicted.
        decay: Of the target at the start, 0.98 at most if small; it rises to 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    share = 1 if cifar.small else 2
    method = methods.ijepa(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(),
        predictor=nn.transformer(cifar.width // share, cifar.depth // share, cifar.heads, mask_token=True),
        mask=lambda key, n: pretext.multiblock_mask(key, cifar.grid, num_targets=num_targets),
        decay=cifar.decay(decay, along=ops.linear),
        augment=image.random_resized_crop(32, scale=(0.3, 1.0)),
        mean=cifar10.MEAN,
        std=cifar10.STD,
        pool=cifar.pool,
        untokenize=nn.unpatchify,
    )
    adamw = cifar10.adamw(ops.cosine(weight_decay, 10 * weight_decay, cifar.steps))
    optimizer = cifar.optimizer(adamw, learning_rate)
    return cifar.experiment("ijepa_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(ijepa_cifar10)
