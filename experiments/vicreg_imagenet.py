"""VICReg on ImageNet with the authors' recipe: ResNet-50, LARS, 1,000 epochs.

    python -m experiments.vicreg_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.vicreg_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

Published: linear 73.2 % (paper, table 1, and the authors' README); not reproduced here, for want of an
accelerator.

Reference: Bardes et al., 2021, arXiv 2105.04906, section 4; the authors' README.md and main_vicreg.py, for
the numbers; what is the same for all experiments on ImageNet, and how they deviate, stands in
`experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment


def vicreg_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 2_048,
    pieces: int = 1,
    learning_rate: float = 0.2,
    weight_decay: float = 1e-6,
    invariance_weight: float = 25.0,
    variance_weight: float = 25.0,
    covariance_weight: float = 1.0,
    projector_width: int = 8_192,
    stages: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
) -> Experiment:
    """VICReg on ImageNet: two views agree, while each dimension varies and is uncorrelated with the others.

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
        invariance_weight: Of the distance between the views.
        variance_weight: Of the dimensions that vary too little.
        covariance_weight: Of the covariances between different dimensions.
        projector_width: Of the projector's three layers.
        stages: Blocks of each stage of the residual network.
        width: Channels of its first stage.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    method = methods.vicreg(
        encoder=task.resnet(stages, width),
        projector=nn.mlp((projector_width,) * 3),
        augment=pretext.byol_views(size),
        invariance_weight=invariance_weight,
        variance_weight=variance_weight,
        covariance_weight=covariance_weight,
    )
    peak = learning_rate * batch_size / 256
    schedule = task.schedule(peak, warmup=10 * task.epoch, end=peak / 1_000)
    optimizer = imagenet.lars(schedule, weight_decay)
    return task.experiment("vicreg_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(vicreg_imagenet)
