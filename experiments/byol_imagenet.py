"""BYOL on ImageNet with the paper's recipe: ResNet-50, LARS, 1,000 epochs.

    python -m experiments.byol_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.byol_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

For 300 epochs the authors have a learning rate of 0.3, a weight decay of 1e-6 and a decay of 0.99, for 100
epochs 0.45, 1e-6 and 0.99.

Published: linear 74.3 % (paper, table 1); not reproduced here, for want of an accelerator.

Reference: Grill et al., 2020, arXiv 2006.07733, section 3.3; the authors' byol/configs/byol.py, for the
numbers; what is the same for all experiments on ImageNet, and how they deviate, stands in
`experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment


def byol_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 4_096,
    pieces: int = 1,
    learning_rate: float = 0.2,
    weight_decay: float = 1.5e-6,
    decay: float = 0.996,
    stages: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
) -> Experiment:
    """BYOL on ImageNet: from one view, predict what an averaged network makes of the other.

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
        decay: Of the target at the start; it rises to 1 along a cosine.
        stages: Blocks of each stage of the residual network.
        width: Channels of its first stage.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    method = methods.byol(
        encoder=task.resnet(stages, width),
        projector=nn.mlp((4096, 256)),
        predictor=nn.mlp((4096, 256)),
        augment=pretext.byol_views(size),
        decay=ops.cosine(decay, 1.0, task.steps),
    )
    schedule = task.schedule(learning_rate * batch_size / 256, warmup=10 * task.epoch)
    optimizer = imagenet.lars(schedule, weight_decay)
    return task.experiment("byol_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(byol_imagenet)
