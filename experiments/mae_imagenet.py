"""MAE on ImageNet with the paper's recipe: ViT-B/16, AdamW, 1,600 epochs.

    python -m experiments.mae_imagenet --data-dir DIR --batch-size 256    # one device
    python -m experiments.mae_imagenet --data-dir DIR --run-dir DIR    # on each host of a pod

Published: fine-tuned 83.6 % (paper, table 3), linear 67.8 % (the authors' FINETUNE.md; 68.0 % in the paper);
not reproduced here, for want of an accelerator.

Reference: He et al., 2021, arXiv 2111.06377, appendix A.1, table 8; the authors' main_pretrain.py, for the
numbers; what is the same for all experiments on ImageNet, and how they deviate, stands in
`experiments/imagenet.py`.
"""

from experiments import imagenet
from jssl import experiment, methods, nn, pretext
from jssl.experiment import Experiment
from jssl.pretext import image


def mae_imagenet(
    data_dir: str | None = None,
    seed: int = 0,
    size: int = 224,
    epochs: int = 1_600,
    steps: int | None = None,
    batch_size: int = 4_096,
    pieces: int = 1,
    learning_rate: float = 1.5e-4,
    weight_decay: float = 0.05,
    mask_ratio: float = 0.75,
    decoder_width: int = 512,
    decoder_depth: int = 8,
    patch: int = 16,
    width: int = 768,
    depth: int = 12,
    heads: int = 12,
) -> Experiment:
    """MAE on ImageNet: hidden patches are filled in from the visible ones.

    Args:
        data_dir: Where TFDS prepared imagenet2012; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        size: Pixels of a large view.
        epochs: Passes over the training images.
        steps: Training steps, instead of epochs.
        batch_size: Images a step.
        pieces: Parts of a batch that networks take one after the other, for less memory (see `nn.in_pieces`).
        learning_rate: Of AdamW, for a batch of 256; it grows with the batch.
        weight_decay: Of AdamW.
        mask_ratio: Share of the patches that is hidden.
        decoder_width: Of the decoder.
        decoder_depth: Number of its blocks.
        patch: Pixels along the side of a patch.
        width: Of the transformer.
        depth: Number of its blocks.
        heads: Of its attention.
    """
    task = imagenet.setting(data_dir, size, epochs=epochs, steps=steps, batch_size=batch_size, pieces=pieces)
    crop = image.random_resized_crop(size, scale=(0.2, 1.0), interpolation="bicubic")
    method = methods.mae(
        tokenizer=task.patches(patch),
        encoder=task.transformer(width, depth, heads),
        decoder=task.transformer(decoder_width, decoder_depth, 16),
        mask_ratio=mask_ratio,
        augment=pretext.compose(crop, image.horizontal_flip()),
        mean=imagenet.MEAN,
        std=imagenet.STD,
        untokenize=nn.unpatchify,
    )
    schedule = task.schedule(learning_rate * batch_size / 256, warmup=40 * task.epoch)
    optimizer = imagenet.adamw(schedule, weight_decay, b2=0.95)
    return task.experiment("mae_imagenet", method, optimizer, seed=seed)


if __name__ == "__main__":
    experiment.main(mae_imagenet)
