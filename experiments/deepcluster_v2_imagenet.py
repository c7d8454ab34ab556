"""DeepCluster-v2 on ImageNet with the authors' recipe: ResNet-50, LARS, multi-crop, 800 epochs.

    python -m experiments.deepcluster_v2_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.deepcluster_v2_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

Published: linear 75.2 % (the authors' README); not reproduced here, for want of an accelerator.

A refresh clusters 1.28 million projections of each of two views, which stay on the device: 1.3 GB.

Reference: Caron et al., 2020, arXiv 2006.09882, appendix D; the authors'
scripts/deepclusterv2_800ep_pretrain.sh, for the numbers; what is the same for all experiments on ImageNet,
and how they deviate, stands in `experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, train
from jssl.experiment import Experiment


def deepcluster_v2_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 800,
    steps: int | None = None,
    batch_size: int = 4_096,
    pieces: int = 1,
    learning_rate: float = 0.3,
    weight_decay: float = 1e-6,
    num_prototypes: int = 3_000,
    temperature: float = 0.1,
    stages: tuple[int, ...] = (3, 4, 6, 3),
    width: int = 64,
) -> Experiment:
    """DeepCluster-v2 on ImageNet: every view finds the cluster that the image was in last.

    Args:
        data_dir: Where TFDS prepared imagenet2012; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        size: Pixels of a large view.
        epochs: Passes over the training images.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        pieces: Parts of a batch that networks take one after the other, for less memory (see `nn.in_pieces`).
        learning_rate: Of LARS, for a batch of 256; it grows with the batch.
        weight_decay: Of LARS, which adapts and decays all parameters here.
        num_prototypes: Clusters of each of the three heads.
        temperature: Of the predictions.
        stages: Blocks of each stage of the residual network.
        width: Channels of its first stage.
    """
    task = imagenet.setting(
        data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces, index=True
    )
    method = methods.deepcluster_v2(
        encoder=task.resnet(stages, width, zero_init_last=False),
        projector=nn.mlp((2048, 128)),
        num_prototypes=(num_prototypes,) * 3,
        num_examples=len(task.data.train),
        augment=task.crops(),
        temperature=temperature,
    )
    peak = learning_rate * batch_size / 256
    schedule = task.schedule(peak, warmup=10 * task.epoch, start=peak / 16, end=peak / 1_000)
    optimizer = train.lars(schedule, weight_decay=weight_decay, mask=None)
    return task.experiment("deepcluster_v2_imagenet", method, optimizer, seed=seed, refresh_every=task.epoch)


if __name__ == "__main__":
    experiment.main(deepcluster_v2_imagenet)
