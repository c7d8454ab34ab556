"""MoCo v3 on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, no queue, 1,000 epochs.

    python -m experiments.moco_v3_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.moco_v3_cifar10 --preset small    # minutes on two cores
    python -m experiments.moco_v3_cifar10 --batch-size 2048    # on each host of a pod

Published: linear 93.10 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 38.9 % (raw pixels 26.5, untrained 28.5), linear with 1,000 labels 38.1 %,
with all 43.1 % (seed 0); `benchmarks/league.py`.

Reference: Chen, Xie and He, 2021, arXiv 2104.02057.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def moco_v3_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-6,
    temperature: float = 0.2,
    decay: float = 0.99,
) -> Experiment:
    """MoCo v3 on CIFAR-10: a prediction finds the key of its other view among those of the batch.

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
        decay: Of the target at the start, 0.98 at most if small; it rises to 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(4096)
    method = methods.moco(
        encoder=cifar.resnet(),
        projector=nn.mlp((hidden, 256), final_norm=True),
        predictor=nn.mlp((hidden, 256)),
        augment=cifar.asymmetric_views(),
        queue_size=0,
        symmetric=True,
        temperature=temperature,
        decay=cifar.decay(decay),
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("moco_v3_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(moco_v3_cifar10)
