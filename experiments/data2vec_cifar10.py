"""data2vec on CIFAR-10: the paper's recipe for ViT-B/16 on ImageNet, scaled to ViT-S/4.

    python -m experiments.data2vec_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.data2vec_cifar10 --preset small    # minutes on two cores
    python -m experiments.data2vec_cifar10 --batch-size 2048    # on each host of a pod

Targets are the mean of the upper half of the blocks; the learning rate for a batch of 256 is the same. The
small preset normalises each feature over the image's tokens, not each token over its features, since what all
tokens share would else be most of the target.

Published: nothing on CIFAR-10; on ImageNet fine-tuned 84.2 % (ViT-B/16, paper); not run at full length here,
for want of an accelerator. Small preset: kNN 33.2 % (raw pixels 26.5, untrained 31.0), linear with 1,000
labels 35.2 %, with all 43.6 % (seed 0); `benchmarks/league.py`.

Reference: Baevski et al., 2022, arXiv 2202.03555.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment


def data2vec_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 800,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 2.5e-4,
    weight_decay: float = 0.05,
    mask_ratio: float = 0.6,
    beta: float = 2.0,
    decay: float = 0.9998,
) -> Experiment:
    """data2vec on CIFAR-10: an averaged network's features of the whole, predicted from a masked image.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW.
        mask_ratio: Share of the patches that is hidden, in blocks.
        beta: Of the smooth L1 loss.
        decay: Of the teacher, constant; if small, it rises from 0.98 to that.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    method = methods.data2vec(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(mask_token=True, drop_path=0.25),
        teacher=cifar.transformer(mask_token=True, last_blocks=cifar.depth // 2),
        mask=lambda key, n: pretext.block_mask(key, cifar.grid, mask_ratio),
        decay=cifar.decay(decay, decay, along=ops.linear),
        beta=beta,
        normalize="instance" if cifar.small else "layer",
        augment=cifar10.crop_and_flip(),
        mean=cifar10.MEAN,
        std=cifar10.STD,
        pool=cifar.pool,
        untokenize=nn.unpatchify,
    )
    optimizer = cifar.optimizer(cifar10.adamw(weight_decay), learning_rate)
    return cifar.experiment("data2vec_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(data2vec_cifar10)
