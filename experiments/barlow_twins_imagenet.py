"""Barlow Twins on ImageNet with the authors' recipe: ResNet-50, LARS, 1,000 epochs.

    python -m experiments.barlow_twins_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.barlow_twins_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

The whole loss is multiplied by 0.024, as in the authors' command: biases and norms, whose steps LARS does not
adapt, thereby learn at 0.0048 for a batch of 256, as the paper says. The paper's weight decay is 1.5e-6.

Published: linear 73.3 % (the authors' README; 73.2 % in the paper, table 1); not reproduced here, for want of
an accelerator.

Reference: Zbontar et al., 2021, arXiv 2103.03230, section 2; the authors' README.md and main.py, for the
numbers; what is the same for all experiments on ImageNet, and how they deviate, stands in
`experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment


def barlow_twins_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 2_048,
    pieces: int = 1,
    learning_rate: float = 0.2,
    weight_decay: float = 1e-6,
    redundancy_weight: float = 0.0051,
    scale: float = 0.024,
    projector_width: int = 8_192,
    stages: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
) -> Experiment:
    """Barlow Twins on ImageNet: two views agree in every dimension, and no dimension repeats another.

    Args:
        data_dir: Where TFDS prepared imagenet2012; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        size: Pixels of a large view.
        epochs: Passes over the training images.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        pieces: Parts of a batch that networks take one after the other, for less memory (see `nn.in_pieces`).
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        redundancy_weight: Of the correlations between different dimensions.
        scale: Of the whole loss.
        projector_width: Of the projector's three layers.
        stages: Blocks of each stage of the residual network.
        width: Channels of its first stage.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    method = methods.barlow_twins(
        encoder=task.resnet(stages, width),
        projector=nn.mlp((projector_width,) * 3),
        augment=pretext.byol_views(size),
        redundancy_weight=redundancy_weight,
        scale=scale,
    )
    peak = learning_rate * batch_size / 256
    schedule = task.schedule(peak, warmup=10 * task.epoch, end=peak / 1_000)
    optimizer = imagenet.lars(schedule, weight_decay)
    return task.experiment("barlow_twins_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(barlow_twins_imagenet)
