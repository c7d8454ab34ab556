"""DINOv2 on CIFAR-10: the authors' recipe for ImageNet-1k, scaled to ViT-S/4.

    python -m experiments.dinov2_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.dinov2_cifar10 --preset small    # minutes on two cores
    python -m experiments.dinov2_cifar10 --batch-size 2048    # on each host of a pod

Fewer prototypes, four small crops of 16 pixels, 500 epochs; without layer scale, and without the decay of the
learning rate from layer to layer, for which the rate is half of the published one for a batch of 256.

Published: nothing on CIFAR-10; on ImageNet-1k alone kNN 81.6 % and linear 82.9 % (ViT-L/16, the authors'
README); not run at full length here, for want of an accelerator. Small preset: kNN 36.0 % (raw pixels 26.5,
untrained 29.0), linear with 1,000 labels 29.5 %, with all 35.9 % (seed 0); `benchmarks/league.py`.

Reference: Oquab et al., 2023, arXiv 2304.07193.
"""

from experiments import cifar10
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment


def dinov2_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 500,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.04,
    num_prototypes: int = 4_096,
    teacher_temperature: float = 0.07,
    decay: float = 0.992,
    koleo_weight: float = 0.1,
    num_local: int = 4,
) -> Experiment:
    """DINOv2 on CIFAR-10: DINO of views and iBOT of hidden patches, shared out by Sinkhorn, and KoLeo.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW at the start; it rises to ten times that along a cosine.
        num_prototypes: Of each of the two heads; an eighth of them if small.
        teacher_temperature: Of the teacher after 30 epochs, from 0.04; always 0.04 if small.
        decay: Of the teacher at the start, 0.98 at most if small; it rises to 1.
        koleo_weight: Of KoLeo, which spreads the class tokens.
        num_local: Small crops of each image.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size)
    hidden = cifar.sized(2048)
    head = nn.dino_head(cifar.sized(num_prototypes), hidden=(hidden, hidden), learned_lengths=True)
    method = methods.dinov2(
        tokenizer=cifar.patches(),
        encoder=cifar.transformer(cls_token=True, mask_token=True, drop_path=0.3),
        head=head,
        token_head=head,
        augment=cifar.crops(num_local),
        mask=lambda key, n: pretext.ibot_mask(key, cifar.grid),
        teacher_temperature=cifar.teacher_temperature(teacher_temperature, epochs=30),
        koleo_weight=koleo_weight,
        decay=cifar.decay(decay),
        freeze_prototypes_steps=cifar.epoch,
        mean=cifar10.MEAN,
        std=cifar10.STD,
        untokenize=nn.unpatchify,
    )
    adamw = cifar10.adamw(ops.cosine(weight_decay, 10 * weight_decay, cifar.steps), clip=3.0)
    optimizer = cifar.optimizer(adamw, learning_rate)
    return cifar.experiment("dinov2_cifar10", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(dinov2_cifar10)
