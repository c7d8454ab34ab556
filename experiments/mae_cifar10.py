"""MAE on CIFAR-10 with solo-learn's recipe: ViT-S/4, AdamW, 1,000 epochs.

    python -m experiments.mae_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.mae_cifar10 --preset small    # minutes on two cores
    python -m experiments.mae_cifar10 --batch-size 2048    # on each host of a pod

Published: nothing on CIFAR-10 (solo-learn has the recipe, and no figure); on ImageNet linear 67.8 %
(ViT-B/16, paper); not run at full length here, for want of an accelerator. Small preset: kNN 39.1 ± 0.4 %
(raw pixels 26.5, untrained 31.7 ± 1.4), linear with 1,000 labels 39.1 ± 0.5 %, with all 48.4 ± 0.5 % (means
of 3 seeds); `benchmarks/league.py`.

Reference: He et al., 2021, arXiv 2111.06377.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def mae_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 2e-4,
    weight_decay: float = 0.05,
    mask_ratio: float = 0.75,
    normalize: bool = True,
) -> Experiment:
    """MAE on CIFAR-10: hidden patches are filled in from the visible ones.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW.
        mask_ratio: Share of the patches that is hidden.
        normalize: Whether the target is each patch less its mean, over its deviation.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.mae(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(),
        decoder=nn.transformer(64, 1, 2) if cifar.small else nn.transformer(512, 8, 16),
        mask_ratio=mask_ratio,
        normalize=normalize,
        augment=cifar10.crop_and_flip(0.08, interpolation="bicubic"),
        mean=cifar10.MEAN,
        std=cifar10.STD,
        pool=cifar.pool,
        untokenize=nn.unpatchify,
    )
    optimizer = cifar.optimizer(cifar10.adamw(weight_decay, b2=0.95), learning_rate)
    return cifar.experiment("mae_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(mae_cifar10)
