"""iBOT on CIFAR-10: the authors' recipe for ViT-S/16 on ImageNet, scaled to ViT-S/4.

    python -m experiments.ibot_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.ibot_cifar10 --preset small    # minutes on two cores
    python -m experiments.ibot_cifar10 --batch-size 2048    # on each host of a pod

Half as many prototypes, four small crops of 16 pixels, and the same learning rate for a batch of 256.

Published: nothing on CIFAR-10; on ImageNet kNN 75.2 % and linear 77.9 % (the authors' README, ViT-S/16, 800
epochs); not run at full length here, for want of an accelerator. Small preset: kNN 32.0 % (raw pixels 26.5,
untrained 29.0), linear with 1,000 labels 31.5 %, with all 37.5 % (seed 0); `benchmarks/league.py`.

Reference: Zhou et al., 2021, arXiv 2111.07832.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment


def ibot_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 800,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 5e-4,
    weight_decay: float = 0.04,
    num_prototypes: int = 4_096,
    teacher_temperature: float = 0.07,
    decay: float = 0.996,
    num_local: int = 4,
) -> Experiment:
    """iBOT on CIFAR-10: an averaged network's assignments of views, and of hidden patches, are predicted.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW at the start; it rises to ten times that along a cosine.
        num_prototypes: Of the head, which views and patches share; an eighth of them if small.
        teacher_temperature: Of the teacher after 30 epochs, from 0.04; always 0.04 if small.
        decay: Of the teacher at the start, 0.98 at most if small; it rises to 1.
        num_local: Small crops of each image.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden, temperature = cifar.sized(2048), cifar.teacher_temperature(teacher_temperature, epochs=30)
    method = methods.ibot(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(cls_token=True, mask_token=True, drop_path=0.1),
        head=nn.dino_head(cifar.sized(num_prototypes), hidden=(hidden, hidden), learned_lengths=True),
        augment=cifar.crops(num_local),
        mask=lambda key, n: pretext.ibot_mask(key, cifar.grid),
        teacher_temperature=temperature,
        token_temperature=temperature,
        decay=cifar.decay(decay),
        freeze_prototypes_steps=cifar.epoch,
        mean=cifar10.MEAN,
        std=cifar10.STD,
        untokenize=nn.unpatchify,
    )
    adamw = cifar10.adamw(ops.cosine(weight_decay, 10 * weight_decay, cifar.steps), clip=3.0)
    optimizer = cifar.optimizer(adamw, learning_rate, small_rate=1e-3)
    return cifar.experiment("ibot_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(ibot_cifar10)
