"""DeepCluster on CIFAR-10: the paper's recipe for ImageNet, ten clusters for each class, ResNet-18.

    python -m experiments.deepcluster_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.deepcluster_cifar10 --preset small    # minutes on two cores
    python -m experiments.deepcluster_cifar10 --batch-size 2048    # on each host of a pod

Two things differ from the paper: SimCLR's augmentation makes the clusters independent of colour, where the
paper filters images by Sobel's operator; and the learning rate decays.

The images are clustered anew in each epoch, every second one of the small preset, whose heads need some steps
to learn the clusters.

Published: nothing on CIFAR-10; not run at full length here, for want of an accelerator. Small preset: kNN
35.9 % (raw pixels 26.5, untrained 28.5), linear with 1,000 labels 35.2 %, with all 41.4 % (seed 0);
`benchmarks/league.py`.

Reference: Caron et al., 2018, arXiv 1807.05520.
"""

from experiments import cifar10
from jssl import experiment, methods
from jssl.experiment import Experiment


def deepcluster_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 500,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.05,
    weight_decay: float = 1e-5,
    num_clusters: int = 100,
    pca_dim: int = 256,
) -> Experiment:
    """DeepCluster on CIFAR-10: cluster the features, learn to tell the clusters apart, and again.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of SGD, for a batch of 256; it grows with the batch.
        weight_decay: Of SGD.
        num_clusters: Found by k-means of all images' features.
        pca_dim: Principal components that are clustered; an eighth of them if small.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size, index=True)
    num_examples = len(cifar.data.train)
    method = methods.deepcluster(
        encoder=cifar.resnet(),
        num_clusters=min(num_clusters, num_examples // 4),
        num_examples=num_examples,
        augment=cifar.augment(),
        pca_dim=cifar.sized(pca_dim),
    )
    optimizer = cifar.optimizer(cifar10.sgd(weight_decay), learning_rate)
    refresh_every = cifar.epoch * (2 if cifar.small else 1)
    return cifar.experiment("deepcluster_cifar10", method, optimizer, seed=seed, refresh_every=refresh_every)


if __name__ == "__main__":
    experiment.main(deepcluster_cifar10)
