"""Colorization on CIFAR-10: the paper's loss and optimizer with ResNet-18.

    python -m experiments.colorization_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.colorization_cifar10 --preset small    # minutes on two cores
    python -m experiments.colorization_cifar10 --batch-size 2048    # on each host of a pod

Colours are predicted for 8x8 cells, a quarter of the picture's size as in the paper, by a decoder behind the
mean features.

Published: nothing on CIFAR-10; not run at full length here, for want of an accelerator. Small preset: kNN
33.3 % (raw pixels 26.5, untrained 23.6), linear with 1,000 labels 32.9 %, with all 38.0 % (seed 0);
`benchmarks/league.py`.

Reference: Zhang et al., 2016, arXiv 1603.08511.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def colorization_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 200,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 2e-4,
    weight_decay: float = 1e-3,
    spacing: float = 10.0,
    rebalance: float = 0.5,
) -> Experiment:
    """Colorization on CIFAR-10: the classes of a picture's colours, from its lightness.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW.
        spacing: Of the grid of colour classes, in units of a and b.
        rebalance: 1 weighs all classes alike, near 0 the rare ones most.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.colorization(
        encoder=cifar.resnet(),
        decoder=nn.conv_decoder((8, 8, cifar.sized(512)), width=cifar.sized(256)),
        spacing=spacing,
        rebalance=rebalance,
        augment=cifar10.crop_and_flip(),
    )
    optimizer = cifar.optimizer(cifar10.adamw(weight_decay, b2=0.99), learning_rate)
    return cifar.experiment("colorization_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(colorization_cifar10)
