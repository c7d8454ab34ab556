"""NNCLR on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, 1,000 epochs.

    python -m experiments.nnclr_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.nnclr_cifar10 --preset small    # minutes on two cores
    python -m experiments.nnclr_cifar10 --batch-size 2048    # on each host of a pod

Published: linear 91.88 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 37.7 % (raw pixels 26.5, untrained 28.5), linear with 1,000 labels 36.9 %,
with all 43.0 % (seed 0); `benchmarks/league.py`.

Reference: Dwibedi et al., 2021, arXiv 2104.14548.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def nnclr_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.4,
    weight_decay: float = 1e-5,
    temperature: float = 0.2,
    queue_size: int = 65_536,
) -> Experiment:
    """NNCLR on CIFAR-10: the neighbour of one view among earlier images finds the other view.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        temperature: Of the contrastive loss.
        queue_size: Projections among which neighbours are looked for; an eighth of them if small.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(2048)
    method = methods.nnclr(
        encoder=cifar.resnet(),
        projector=nn.mlp((hidden, hidden, 256), final_norm=True),
        predictor=nn.mlp((cifar.sized(4096), 256)),
        augment=cifar.asymmetric_views(),
        queue_size=cifar.sized(queue_size),
        temperature=temperature,
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("nnclr_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(nnclr_cifar10)
