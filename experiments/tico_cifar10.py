"""TiCo on CIFAR-10: ResNet-18, LARS, 1,000 epochs.

    python -m experiments.tico_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.tico_cifar10 --preset small    # minutes on two cores
    python -m experiments.tico_cifar10 --batch-size 2048    # on each host of a pod

Published: nothing on CIFAR-10. The loss has the paper's weights for ImageNet; views, target and projector
are those of solo-learn's BYOL, the optimizer is that of its Barlow Twins. Not run at full length, for want
of an accelerator. Small preset: kNN 37.5 % (raw pixels 26.5, untrained 27.1), linear with 1,000 labels 36.6
%, with all 41.7 % (seed 0); `benchmarks/league.py`.

Reference: Zhu et al., 2022, arXiv 2206.10698.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def tico_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-4,
    covariance_weight: float = 8.0,
    covariance_decay: float = 0.9,
    decay: float = 0.99,
) -> Experiment:
    """TiCo on CIFAR-10: an image's views agree, and lie where those of other images don't.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        covariance_weight: Of the term that keeps embeddings apart.
        covariance_decay: Of the running covariance.
        decay: Of the target at the start, 0.98 at most if small; it rises to 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.tico(
        encoder=cifar.resnet(),
        projector=nn.mlp((cifar.sized(4096), 256)),
        augment=cifar.asymmetric_views(),
        covariance_weight=covariance_weight,
        covariance_decay=covariance_decay,
        decay=cifar.decay(decay),
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("tico_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(tico_cifar10)
