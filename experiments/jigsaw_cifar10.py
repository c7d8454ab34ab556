"""Jigsaw puzzles on CIFAR-10: the recipe for ResNet-50 on ImageNet by Goyal et al., with ResNet-18.

    python -m experiments.jigsaw_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.jigsaw_cifar10 --preset small    # minutes on two cores
    python -m experiments.jigsaw_cifar10 --batch-size 2048    # on each host of a pod

Pictures of 32x32 are cut into four tiles, not nine, which would have eight pixels a side.

Published: nothing on CIFAR-10; not run at full length here, for want of an accelerator. Small preset: kNN
30.3 % (raw pixels 26.5, untrained 27.1), linear with 1,000 labels 30.4 %, with all 35.3 % (seed 0);
`benchmarks/league.py`.

Reference: Noroozi and Favaro, 2016, arXiv 1603.09246; residual networks: Goyal et al., 2019, arXiv
1905.01235.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment
from jssl.pretext import image


def jigsaw_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 200,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.1,
    weight_decay: float = 1e-4,
    grid: int = 2,
    tile_size: int = 14,
    num_permutations: int = 24,
) -> Experiment:
    """Jigsaw puzzles on CIFAR-10: tell in which order a picture's tiles were laid out.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of SGD, for a batch of 256; it grows with the batch.
        weight_decay: Of SGD.
        grid: Tiles along each side.
        tile_size: Pixels along the side of a tile, out of a cell of 16.
        num_permutations: Orders that are told apart; 24 are all of four tiles.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    augment = pretext.compose(cifar10.crop_and_flip(0.5), image.random_grayscale(probability=0.3))
    method = methods.jigsaw(
        encoder=cifar.resnet(),
        head=nn.mlp((cifar.sized(4096),)),
        tile_size=tile_size,
        grid=grid,
        num_permutations=num_permutations,
        augment=augment,
    )
    optimizer = cifar.optimizer(cifar10.sgd(weight_decay), learning_rate)
    return cifar.experiment("jigsaw_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(jigsaw_cifar10)
