"""BYOL on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, 1,000 epochs.

    python -m experiments.byol_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.byol_cifar10 --preset small    # minutes on two cores
    python -m experiments.byol_cifar10 --batch-size 2048    # on each host of a pod

In the small preset the predictor's learning rate is ten times that of the other parts: a predictor that lags
behind them lets the projections shrink to few dimensions.

Published: linear 92.58 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 33.1 ± 0.5 % (raw pixels 26.5, untrained 28.0 ± 0.9), linear with 1,000 labels
33.1 ± 0.8 %, with all 37.6 ± 0.7 % (means of 3 seeds); `benchmarks/league.py`.

Reference: Grill et al., 2020, arXiv 2006.07733.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, ops
from jssl.experiment import Experiment


def byol_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 1.0,
    weight_decay: float = 1e-5,
    decay: float | None = None,
) -> Experiment:
    """BYOL on CIFAR-10: one view predicts what an averaged network makes of the other.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        decay: Of the target at the start, 0.99 if not given, or 0.996 if small; it rises to 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(4096)
    start = (0.996 if cifar.small else 0.99) if decay is None else decay
    method = methods.byol(
        encoder=cifar.resnet(),
        projector=nn.mlp((hidden, 256)),
        predictor=nn.mlp((hidden, 256)),
        augment=cifar.asymmetric_views(),
        decay=ops.cosine(start, 1.0, cifar.steps),
    )
    lars = cifar10.lars(weight_decay)
    optimizer = cifar.optimizer(lars, learning_rate, small_rate=1e-3, small_predictor=10.0)
    return cifar.experiment("byol_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(byol_cifar10)
