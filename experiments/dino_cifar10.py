"""DINO on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, two views, 1,000 epochs.

    python -m experiments.dino_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.dino_cifar10 --preset small    # minutes on two cores
    python -m experiments.dino_cifar10 --batch-size 2048    # on each host of a pod

Published: linear 89.52 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 32.2 ± 0.8 % (raw pixels 26.5, untrained 28.0 ± 0.9), linear with 1,000 labels
31.7 ± 1.2 %, with all 36.9 ± 1.3 % (means of 3 seeds); `benchmarks/league.py`.

Reference: Caron et al., 2021, arXiv 2104.14294.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def dino_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-6,
    num_prototypes: int = 4_096,
    temperature: float = 0.1,
    teacher_temperature: float = 0.07,
    decay: float = 0.9995,
) -> Experiment:
    """DINO on CIFAR-10: each view predicts how an averaged network assigns the other.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        num_prototypes: Of the head; an eighth of them if small.
        temperature: Of the student.
        teacher_temperature: Of the teacher after 50 epochs, from 0.04; always 0.04 if small.
        decay: Of the teacher at the start, 0.98 at most if small; it rises to 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(2048)
    method = methods.dino(
        encoder=cifar.resnet(),
        head=nn.dino_head(cifar.sized(num_prototypes), hidden=(hidden, hidden)),
        augment=cifar.asymmetric_views(),
        temperature=temperature,
        teacher_temperature=cifar.teacher_temperature(teacher_temperature, epochs=50),
        decay=cifar.decay(decay),
        freeze_prototypes_steps=cifar.epoch,
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    return cifar.experiment("dino_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(dino_cifar10)
