"""RotNet on CIFAR-10: the paper's recipe with ResNet-18 instead of its network of networks, 200 epochs.

    python -m experiments.rotation_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.rotation_cifar10 --preset small    # minutes on two cores
    python -m experiments.rotation_cifar10 --batch-size 2048    # on each host of a pod

The learning rate, of a batch of 128 there, decays along a cosine instead of in steps.

Published: 91.16 % with a convolutional classifier, 89.06 % with three layers, on the features of an early
block (paper, table 3), which a linear probe of the last features doesn't reach; not reproduced here, for
want of an accelerator. Small preset: kNN 38.1 % (raw pixels 26.5, untrained 27.1), linear with 1,000 labels
37.8 %, with all 43.8 % (seed 0); `benchmarks/league.py`.

Reference: Gidaris et al., 2018, arXiv 1803.07728.
"""

from experiments import cifar10
from jssl import experiment, methods, pretext
from jssl.experiment import Experiment
from jssl.pretext import image


def rotation_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 200,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.2,
    weight_decay: float = 5e-4,
    padding: int = 4,
) -> Experiment:
    """RotNet on CIFAR-10: tell by how many quarters of a circle a picture was turned.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of SGD, for a batch of 256; it grows with the batch.
        weight_decay: Of SGD.
        padding: Pixels on each side, before a part of 32x32 is cut out.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.rotation(
        encoder=cifar.resnet(),
        augment=pretext.compose(image.random_crop(32, padding=padding), image.horizontal_flip()),
    )
    optimizer = cifar.optimizer(cifar10.sgd(weight_decay), learning_rate)
    return cifar.experiment("rotation_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(rotation_cifar10)
