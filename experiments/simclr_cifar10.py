"""SimCLR on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, 1,000 epochs.

    python -m experiments.simclr_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.simclr_cifar10 --preset small    # minutes on two cores
    python -m experiments.simclr_cifar10 --batch-size 2048    # on each host of a pod

The projector has batch norm after both layers, as in the authors' code, and unlike solo-learn's; the last one
has no scale.

Published: linear 90.74 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 43.7 ± 0.3 % (raw pixels 26.5, untrained 28.0 ± 0.9), linear with 1,000 labels
41.5 ± 0.2 %, with all 46.6 ± 0.4 % (means of 3 seeds); `benchmarks/league.py`.

Reference: Chen et al., 2020, arXiv 2002.05709.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def simclr_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.4,
    weight_decay: float = 1e-4,
    temperature: float = 0.2,
) -> Experiment:
    """SimCLR on CIFAR-10: two views of an image find each other among those of all others.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        temperature: Of NT-Xent.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.simclr(
        encoder=cifar.resnet(),
        projector=nn.mlp((cifar.sized(2048), 256), final_norm=True),
        augment=cifar.views(cifar.jitter),
        temperature=temperature,
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("simclr_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(simclr_cifar10)
