"""A denoising autoencoder on CIFAR-10: ResNet-18, half of the pixels hidden, 200 epochs.

    python -m experiments.autoencoder_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.autoencoder_cifar10 --preset small    # minutes on two cores
    python -m experiments.autoencoder_cifar10 --batch-size 2048    # on each host of a pod

No recipe is published for such networks; AdamW at its usual rate takes the place of the paper's gradient
descent layer by layer.

Published: nothing on CIFAR-10; not run at full length here, for want of an accelerator. Small preset: kNN
35.5 % (raw pixels 26.5, untrained 27.1), linear with 1,000 labels 32.8 %, with all 38.3 % (seed 0);
`benchmarks/league.py`.

Reference: Vincent et al., 2008, "Extracting and composing robust features with denoising autoencoders", ICML.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment
from jssl.pretext import image


def autoencoder_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 200,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    hidden: float = 0.5,
) -> Experiment:
    """Denoising autoencoder on CIFAR-10: a picture is restored from the features of a part of its pixels.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW.
        hidden: Share of the pixels that are gray for the encoder; 0 is a plain autoencoder.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.autoencoder(
        encoder=cifar.resnet(),
        decoder=nn.conv_decoder((32, 32, 3), width=16 if cifar.small else 64),
        corrupt=image.masking_noise(probability=hidden, value=0.5),
        augment=cifar10.crop_and_flip(),
    )
    optimizer = cifar.optimizer(cifar10.adamw(weight_decay), learning_rate)
    return cifar.experiment("autoencoder_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(autoencoder_cifar10)
