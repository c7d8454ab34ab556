"""Experiments small enough to be run many times, each with its method's whole state."""

import numpy as np
import optax

from jssl import data, evals, methods, nn, pretext
from jssl.core import Method, Transform
from jssl.experiment import Experiment, main


def tiny_data(num: int = 96) -> data.DataSet:
    """Four classes of blurred squares."""
    rng = np.random.default_rng(0)
    label = (np.arange(num) % 4).astype(np.int32)
    image = rng.integers(0, 60, (num, 16, 16, 1))
    for index, kind in enumerate(label):
        image[index, 4 * kind : 4 * kind + 4, 2:14] += 180
    source = data.arrays(image=image.astype(np.uint8), label=label)
    return data.DataSet(source, data.subset(source, list(range(48))), ("a", "b", "c", "d"))


def _experiment(
    name: str, method: Method, *, seed: int, steps: int, batch_size: int, learning_rate: float
) -> Experiment:
    return Experiment(
        name=name,
        data=tiny_data(),
        method=method,
        optimizer=optax.sgd(learning_rate, momentum=0.9),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(evals.knn(k=3, every=4), evals.collapse(every=4)),
        log_every=1,
        save_every=3,
    )


def _augment(size: int = 16) -> Transform:
    return pretext.compose(
        pretext.image.random_resized_crop(size, scale=(0.5, 1.0)), pretext.image.horizontal_flip()
    )


def simclr(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """SimCLR on squares."""
    method = methods.simclr(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        augment=pretext.two_views(_augment()),
    )
    return _experiment(
        "tiny_simclr", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )


def swav(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """SwAV with a queue and two sizes of crops."""
    method = methods.swav(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        num_prototypes=6,
        augment=pretext.multi_crop(_augment(), _augment(8), num_local=2),
        queue_size=32,
        queue_start_step=3,
        freeze_prototypes_steps=2,
    )
    return _experiment(
        "tiny_swav", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )


def mae(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """MAE on squares."""
    method = methods.mae(
        tokenizer=nn.patches(4),
        encoder=nn.transformer(8, 1, 2),
        decoder=nn.transformer(8, 1, 2),
        untokenize=nn.unpatchify,
    )
    return _experiment(
        "tiny_mae", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )


FACTORIES = {"simclr": simclr, "swav": swav, "mae": mae}

if __name__ == "__main__":
    import sys

    main(FACTORIES[sys.argv[1]], sys.argv[2:])
