"""DeepCluster-v2 on CIFAR-10 with solo-learn's recipe: ResNet-18, LARS, 1,000 epochs.

    python -m experiments.deepcluster_v2_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.deepcluster_v2_cifar10 --preset small    # minutes on two cores
    python -m experiments.deepcluster_v2_cifar10 --batch-size 2048    # on each host of a pod

Images are clustered anew in each epoch, by the projections of the epoch before.

Published: linear 88.85 % (solo-learn's table, online classifier); not reproduced here, for want of an
accelerator. Small preset: kNN 37.3 % (raw pixels 26.5, untrained 28.5), linear with 1,000 labels 36.5 %,
with all 41.9 % (seed 0); `benchmarks/league.py`.

Reference: Caron et al., 2020, arXiv 2006.09882, appendix D.
"""

from experiments import cifar10
from jssl import experiment, methods, nn
from jssl.experiment import Experiment


def deepcluster_v2_cifar10(
    preset: cifar10.Preset = "paper",
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 1_000,
    steps: int | None = None,
    batch_size: int = 256,
    learning_rate: float = 0.6,
    weight_decay: float = 1e-6,
    num_prototypes: int = 3_000,
    temperature: float = 0.1,
) -> Experiment:
    """DeepCluster-v2 on CIFAR-10: every view finds the centroid of the cluster that its image was in.

    Args:
        preset: "paper", or "small" for two cores (see `experiments/cifar10.py`).
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images, of the paper's size.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS.
        num_prototypes: Clusters of each of the three heads; an eighth of them if small.
        temperature: Of the predictions.
    """
    cifar = cifar10.setting(preset, data_dir, epochs=epochs, steps=steps, batch_size=batch_size, index=True)
    num_examples = len(cifar.data.train)
    clusters = min(cifar.sized(num_prototypes), num_examples // 4)
    method = methods.deepcluster_v2(
        encoder=cifar.resnet(),
        projector=nn.mlp((cifar.sized(2048), 128)),
        num_prototypes=(clusters, clusters, clusters),
        num_examples=num_examples,
        augment=cifar.views(cifar.jitter),
        temperature=temperature,
    )
    optimizer = cifar.optimizer(cifar10.lars(weight_decay), learning_rate)
    refresh_every = cifar.epoch
    return cifar.experiment(
        "deepcluster_v2_cifar10", method, optimizer, seed=seed, refresh_every=refresh_every
    )


if __name__ == "__main__":
    experiment.main(deepcluster_v2_cifar10)
