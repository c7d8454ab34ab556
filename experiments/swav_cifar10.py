"""SwAV on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, two views, 1,000 epochs.

    python -m experiments.swav_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.swav_cifar10 --preset small    # minutes on two cores
    python -m experiments.swav_cifar10 --batch-size 2048    # on each host of a pod

Published: linear 89.17 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 34.1 ± 0.5 % (raw pixels 26.5, untrained 28.2 ± 0.3), linear with 1,000 labels
34.6 ± 0.3 %, with all 40.6 ± 0.2 % (means of 3 seeds); `benchmarks/league.py`.

Reference: Caron et al., 2020, arXiv 2006.09882.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def swav_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.6,
    weight_decay: float = 1e-6,
    num_prototypes: int = 3_000,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    queue_size: int = 3_840,
) -> Experiment:
    """SwAV on CIFAR-10: views of an image predict each other's prototypes.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        num_prototypes: Clusters; an eighth of them if small.
        temperature: Of the predictions.
        epsilon: Of the Sinkhorn assignment; smaller is sharper.
        queue_size: Past images that take part in the assignment; an eighth of them if small.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.swav(
        encoder=cifar.resnet(),
        projector=nn.mlp((cifar.sized(2048), 128)),
        num_prototypes=cifar.sized(num_prototypes),
        augment=cifar.views(cifar.jitter),
        temperature=temperature,
        epsilon=epsilon,
        queue_size=cifar.sized(queue_size),
        queue_start_step=min(50 * cifar.epoch, cifar.steps // 4),
        freeze_prototypes_steps=min(2 * cifar.epoch, cifar.steps // 20),
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("swav_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(swav_cifar10)
