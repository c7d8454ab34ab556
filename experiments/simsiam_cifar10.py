"""SimSiam on CIFAR-10 with solo-learn's recipe: ResNet-18, SGD, 1,000 epochs.

    python -m experiments.simsiam_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.simsiam_cifar10 --preset small    # minutes on two cores
    python -m experiments.simsiam_cifar10 --batch-size 2048    # on each host of a pod

The predictor's learning rate stays constant, as in the paper. In the small preset it is ten times that of
the other parts: a predictor that lags behind them lets the projections shrink to few dimensions.

Published: linear 90.51 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 35.4 % (raw pixels 26.5, untrained 27.1), linear with 1,000 labels 35.4 %,
with all 39.3 % (seed 0); `benchmarks/league.py`.

Reference: Chen and He, 2020, arXiv 2011.10566.
"""

import optax

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def simsiam_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.5,
    weight_decay: float = 1e-5,
) -> Experiment:
    """SimSiam on CIFAR-10: one view predicts the other, through which no gradient flows.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of SGD, for a batch of 256; it grows with the batch.
        weight_decay: Of SGD.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(2048)
    method = methods.simsiam(
        encoder=cifar.resnet(),
        projector=nn.mlp((hidden, hidden, hidden), final_norm=True),
        predictor=nn.mlp((cifar.sized(512), hidden)),
        augment=cifar.views(),
    )
    sgd, constant = cifar10.sgd(weight_decay), optax.constant_schedule(learning_rate * batch_size / 256)
    optimizer = cifar.optimizer(
        lambda rate: cifar10.predictor_apart(sgd(constant), sgd(rate)),
        learning_rate,
        small_rate=1e-3,
        small_predictor=10.0,
    )
    return cifar.experiment("simsiam_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(simsiam_cifar10)
