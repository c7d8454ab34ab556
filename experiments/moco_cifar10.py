"""MoCo v2+ on CIFAR-10 with solo-learn's recipe: ResNet-18, SGD, a queue of 32,768 keys, 1,000 epochs.

    python -m experiments.moco_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.moco_cifar10 --preset small    # minutes on two cores
    python -m experiments.moco_cifar10 --batch-size 2048    # on each host of a pod

Published: linear 92.94 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 39.0 % (raw pixels 26.5, untrained 28.5), linear with 1,000 labels 37.0 %,
with all 42.8 % (seed 0); `benchmarks/league.py`.

Reference: Chen et al., 2020, arXiv 2003.04297; symmetric ("v2+"): Chen and He, 2020, arXiv 2011.10566.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def moco_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-4,
    temperature: float = 0.2,
    queue_size: int = 32_768,
    decay: float = 0.99,
) -> Experiment:
    """MoCo v2+ on CIFAR-10: each view finds the key that an averaged network makes of the other.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of SGD, for a batch of 256; it grows with the batch.
        weight_decay: Of SGD.
        temperature: Of the contrastive loss.
        queue_size: Keys that are kept as negatives; an eighth of them if small.
        decay: Of the target at the start, 0.98 at most if small; it rises to 0.999.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.moco(
        encoder=cifar.resnet(),
        projector=nn.mlp((cifar.sized(2048), 256), norm=None),
        augment=cifar.views(),
        queue_size=cifar.sized(queue_size),
        symmetric=True,
        temperature=temperature,
        decay=cifar.decay(decay, 0.999),
    )
    optimizer = cifar.optimizer(cifar10.sgd(weight_decay), learning_rate)
    return cifar.experiment("moco_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(moco_cifar10)
