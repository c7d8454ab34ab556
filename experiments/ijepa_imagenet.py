"""I-JEPA on ImageNet with the authors' recipe: ViT-H/14, AdamW, 300 epochs.

    python -m experiments.ijepa_imagenet --data-dir DIR --batch-size 64    # one device
    python -m experiments.ijepa_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

Published: linear 79.3 % (paper, table 1); not reproduced here, for want of an accelerator.

Reference: Assran et al., 2023, arXiv 2301.08243; the authors' configs/in1k_vith14_ep300.yaml, for the
numbers; what is the same for all experiments on ImageNet, and how they deviate, stands in
`experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, ops, pretext
from jssl.experiment import Experiment
from jssl.pretext import image


def ijepa_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 300,
    steps: int | None = None,
    batch_size: int = 2_048,
    pieces: int = 1,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.04,
    decay: float = 0.996,
    predictor_width: int = 384,
    predictor_depth: int = 12,
    patch: int = 14,
    width: int = 1280,
    depth: int = 32,
    heads: int = 16,
) -> Experiment:
    """I-JEPA on ImageNet: from one part of an image, predict an averaged encoder's features of other parts.

    Args:
        data_dir: Where TFDS prepared imagenet2012; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        size: Pixels of a large view.
        epochs: Passes over the training images.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        pieces: Parts of a batch that networks take one after the other, for less memory (see `nn.in_pieces`).
        learning_rate: Of AdamW, for a batch of 2,048; it grows with the batch.
        weight_decay: Of AdamW at the start; it rises to ten times that along a cosine.
        decay: Of the averaged encoder at the start; it rises to 1 along a line.
        predictor_width: Of the predictor.
        predictor_depth: Number of its blocks.
        patch: Pixels along the side of a patch.
        width: Of the transformer.
        depth: Number of its blocks.
        heads: Of its attention.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    method = methods.ijepa(
        tokenizer=task.patches(patch),
        encoder=task.transformer(width, depth, heads, remat="nothing"),
        predictor=task.transformer(predictor_width, predictor_depth, heads, mask_token=True),
        mask=lambda key, n: pretext.multiblock_mask(key, task.grid(patch)),
        decay=ops.linear(decay, 1.0, task.steps),
        augment=image.random_resized_crop(size, scale=(0.3, 1.0)),
        mean=imagenet.MEAN,
        std=imagenet.STD,
        untokenize=nn.unpatchify,
    )
    peak = learning_rate * batch_size / 2_048
    schedule = task.schedule(peak, warmup=40 * task.epoch, start=peak / 5, end=peak / 1_000)
    optimizer = imagenet.adamw(schedule, ops.cosine(weight_decay, 10 * weight_decay, task.steps))
    return task.experiment("ijepa_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(ijepa_imagenet)
