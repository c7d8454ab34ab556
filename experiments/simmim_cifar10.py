"""SimMIM on CIFAR-10: the authors' recipe for ViT-B/16 on ImageNet, scaled to ViT-S/4.

    python -m experiments.simmim_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.simmim_cifar10 --preset small    # minutes on two cores
    python -m experiments.simmim_cifar10 --batch-size 2048    # on each host of a pod

Squares of two by two patches are hidden, as there; the learning rate, of a batch of 512 there, decays along a
cosine. The small preset's patches are as large as those squares; its target is normalised as MAE's, since
raw pixels take far longer to teach it more than colours.

Published: nothing on CIFAR-10; on ImageNet fine-tuned 83.8 % (the authors' README, ViT-B/16); not run at
full length here, for want of an accelerator. Small preset: kNN 32.9 % (raw pixels 26.5, untrained 31.0),
linear with 1,000 labels 34.9 %, with all 44.9 % (seed 0); `benchmarks/league.py`.

Reference: Xie et al., 2021, arXiv 2111.09886.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment


def simmim_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 800,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 1e-4,
    weight_decay: float = 0.05,
    mask_ratio: float = 0.6,
    unit: int = 2,
) -> Experiment:
    """SimMIM on CIFAR-10: the pixels of hidden squares, predicted by a linear layer.

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
        unit: Patches along the side of a hidden square; if small, always 1.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.simmim(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(mask_token=True, drop_path=0.1),
        mask=lambda key, n: pretext.unit_mask(key, cifar.grid, mask_ratio, unit=1 if cifar.small else unit),
        normalize=cifar.small,
        augment=cifar10.crop_and_flip(0.67),
        mean=cifar10.MEAN,
        std=cifar10.STD,
        pool=cifar.pool,
        untokenize=nn.unpatchify,
    )
    optimizer = cifar.optimizer(cifar10.adamw(weight_decay), learning_rate)
    return cifar.experiment("simmim_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(simmim_cifar10)
