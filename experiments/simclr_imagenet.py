"""SimCLR on ImageNet with the paper's recipe: ResNet-50, LARS, 1,000 epochs.

    python -m experiments.simclr_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.simclr_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

The projector has batch norm after both layers, as in the authors' code; the last one has no scale.

Published: linear 69.3 % (paper, table 6; 64.5 % after 100 epochs, the authors' README); not reproduced here,
for want of an accelerator.

Reference: Chen et al., 2020, arXiv 2002.05709, section 2 and appendix B.6, for the numbers; what is the same
for all experiments on ImageNet, and how they deviate, stands in `experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment


def simclr_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 4_096,
    pieces: int = 1,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-6,
    temperature: float = 0.1,
    stages: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
) -> Experiment:
    """SimCLR on ImageNet: two views of an image find each other among those of all others.

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
        temperature: Of NT-Xent.
        stages: Blocks of each stage of the residual network.
        width: Channels of its first stage.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    method = methods.simclr(
        encoder=task.resnet(stages, width),
        projector=nn.mlp((2048, 128), final_norm=True),
        augment=pretext.two_views(pretext.simclr_augment(size, interpolation="bicubic")),
        temperature=temperature,
    )
    schedule = task.schedule(learning_rate * batch_size / 256, warmup=10 * task.epoch)
    optimizer = imagenet.lars(schedule, weight_decay)
    return task.experiment("simclr_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(simclr_imagenet)
