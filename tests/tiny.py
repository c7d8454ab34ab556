"""Experiments small enough to be run many times, each with its method's whole state."""

from dataclasses import replace
from functools import partial

import numpy as np
import optax

from jssl import data, evals, methods, nn, ops, pretext, train
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
    """SwAV with a queue and two sizes of crops.

    Its codes and predictions are soft: at the paper's temperatures, six prototypes in four dimensions magnify
    the rounding of other shardings a thousandfold in ten steps.
    """
    method = methods.swav(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        num_prototypes=6,
        augment=pretext.multi_crop(_augment(), _augment(8), num_local=2),
        temperature=0.3,
        epsilon=0.2,
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


def moco(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """MoCo with a queue for each view and a decay that changes."""
    method = methods.moco(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        augment=pretext.two_views(_augment()),
        queue_size=40,
        symmetric=True,
        decay=ops.cosine(0.9, 1.0, 30),
    )
    return _experiment(
        "tiny_moco", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )


def byol(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-1,
) -> Experiment:
    """BYOL by LARS, whose state is resumed too."""
    method = methods.byol(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        predictor=nn.mlp((8, 4)),
        augment=pretext.two_views(_augment()),
        decay=ops.cosine(0.9, 1.0, 30),
    )
    experiment = _experiment(
        "tiny_byol", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )
    schedule = optax.warmup_cosine_decay_schedule(0.0, learning_rate, 5, 30)
    return replace(experiment, optimizer=train.lars(schedule, weight_decay=1e-4, clip=True))


def _indexed(experiment: Experiment) -> Experiment:
    """With examples that know their number, and a refresh that does not wait for the end of an epoch."""
    images = experiment.data._replace(train=data.indexed(experiment.data.train))
    return replace(experiment, data=images, refresh_every=4)


def deepcluster(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """DeepCluster of squares into more clusters than there are classes."""
    method = methods.deepcluster(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        num_clusters=6,
        num_examples=96,
        augment=_augment(),
        pca_dim=4,
        num_iterations=5,
    )
    return _indexed(
        _experiment(
            "tiny_deepcluster",
            method,
            seed=seed,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
        )
    )


def deepcluster_v2(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """DeepCluster-v2 with three heads and two sizes of crops."""
    method = methods.deepcluster_v2(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        projector=nn.mlp((8, 4)),
        num_prototypes=(5, 5, 7),
        num_examples=96,
        augment=pretext.multi_crop(_augment(), _augment(8), num_local=2),
        num_iterations=5,
    )
    return _indexed(
        _experiment(
            "tiny_deepcluster_v2",
            method,
            seed=seed,
            steps=steps,
            batch_size=batch_size,
            learning_rate=learning_rate,
        )
    )


def dino(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-3,
) -> Experiment:
    """DINO with batch norm in both networks, a centre, and numbers that change with the step."""
    method = methods.dino(
        encoder=nn.resnet((1, 1), width=4, stem="stride2"),
        head=nn.dino_head(6, hidden=(8,), bottleneck=4, norm="batch"),
        augment=pretext.multi_crop(_augment(), _augment(8), num_local=2),
        teacher_temperature=ops.linear(0.04, 0.07, 20),
        decay=ops.cosine(0.9, 1.0, 30),
        freeze_prototypes_steps=3,
    )
    return _experiment(
        "tiny_dino", method, seed=seed, steps=steps, batch_size=batch_size, learning_rate=learning_rate
    )


def bert(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 10,
    batch_size: int = 16,
    learning_rate: float = 1e-2,
) -> Experiment:
    """BERT with dropout on bytes of some chapters, its network on half of the batch at a time."""
    tokenizer = data.text.byte_tokenizer()
    pad, _, cls, sep, mask, *_ = (index or 0 for index in tokenizer.special)
    chapters = data.text.web_bible()
    known, new = (
        data.text.passages(part, tokenizer, 29) for part in (chapters.train[:2], chapters.held_out[:1])
    )
    network = nn.text_transformer(tokenizer.size, 8, 2, 2, max_length=32, dropout=0.1, **nn.BERT)
    special = tokenizer.special_ids
    return Experiment(
        name="tiny_bert",
        data=data.DataSet(known, data.subset(new, list(range(20)))),
        method=methods.bert(
            encoder=nn.in_pieces(network, 2),
            head=nn.masked_head(),
            pooler=nn.pooler(),
            pair=partial(pretext.text.sentence_pair, length=32, cls=cls, sep=sep, pad=pad),
            mask=partial(pretext.text.mask_tokens, mask_id=mask, vocab_size=tokenizer.size, special=special),
            pad=pad,
        ),
        optimizer=optax.adamw(learning_rate, mask=train.weights),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(evals.held_out(every=4),),
        inputs="tokens",
        pad=pad,
        tokenizer=tokenizer,
        log_every=1,
        save_every=3,
    )


FACTORIES = {
    "simclr": simclr,
    "swav": swav,
    "mae": mae,
    "moco": moco,
    "byol": byol,
    "deepcluster": deepcluster,
    "deepcluster_v2": deepcluster_v2,
    "dino": dino,
    "bert": bert,
}

if __name__ == "__main__":
    import sys

    main(FACTORIES[sys.argv[1]], sys.argv[2:])
