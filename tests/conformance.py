"""One row for each method: a new one adds a row here, and tests/methods/test_conformance.py does the rest.

Networks and shapes are as small as they may be, since every row is compiled for one device and for eight.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl import methods, nn, ops
from jssl.core import Batch, Method


class Row(NamedTuple):
    """A method with what the suite needs to know about it.

    grown: a step at which every parameter learns and all parts of the state are in use.
    show: the shapes of its pictures for a batch of 16.
    """

    name: str
    method: Method
    dim: int
    show: dict[str, tuple[int, ...]]
    grown: int = 0
    learning_rate: float = 1e-2


def batch() -> Batch:
    """16 pictures of four kinds, so small that a method learns them in some twenty steps."""
    generator = np.random.default_rng(0)
    kinds = generator.integers(0, 256, (4, 8, 8, 3))
    label = np.arange(16, dtype=np.int32) % 4
    image = np.clip(kinds[label] + generator.normal(0, 20, (16, 8, 8, 3)), 0, 255)
    return {"image": jnp.asarray(image.astype(np.uint8)), "label": jnp.asarray(label)}


def noisy(key, image):
    """A change of the picture that is cheap to compile."""
    return jnp.clip(image + 0.1 * jax.random.normal(key, image.shape), 0.0, 1.0)


def two_views(key, image):
    return jax.vmap(noisy, (0, None))(jax.random.split(key), image)


def crops(key, image):
    """Two views of the full size and two of half of it."""
    keys = jax.random.split(key, 4)
    return jax.vmap(noisy, (0, None))(keys[:2], image), jax.vmap(noisy, (0, None))(keys[2:], image[2:6, 2:6])


def resnet():
    return nn.resnet((1, 1), width=8, stem="stride2")


ROWS = [
    Row(
        "simclr",
        methods.simclr(encoder=resnet(), projector=nn.mlp((16, 8)), augment=two_views, temperature=0.2),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "simclr_decoupled",
        methods.simclr(
            encoder=resnet(), projector=nn.mlp((16, 8)), augment=two_views, temperature=0.2, decoupled=True
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "moco",
        methods.moco(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            augment=two_views,
            queue_size=24,
            decay=ops.cosine(0.9, 1.0, 25),
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
        grown=3,
    ),
    Row(
        "moco_v3",
        methods.moco(
            encoder=resnet(),
            projector=nn.mlp((16, 8), final_norm=True),
            predictor=nn.mlp((16, 8)),
            augment=two_views,
            queue_size=0,
            symmetric=True,
            decay=0.9,
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "nnclr",
        methods.nnclr(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            predictor=nn.mlp((16, 8)),
            augment=two_views,
            queue_size=24,
            temperature=0.2,
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
        grown=3,
    ),
    Row(
        "byol",
        methods.byol(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            predictor=nn.mlp((16, 8)),
            augment=two_views,
            decay=0.9,
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "simsiam",
        methods.simsiam(
            encoder=resnet(),
            projector=nn.mlp((16, 8), final_norm=True),
            predictor=nn.mlp((4, 8)),
            augment=two_views,
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "swav",
        methods.swav(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            num_prototypes=6,
            augment=crops,
            queue_size=24,
            queue_start_step=3,
            freeze_prototypes_steps=2,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3), "prototypes": (16, 6)},
        grown=5,
    ),
    Row(
        "mae",
        methods.mae(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2),
            decoder=nn.transformer(8, 1, 2),
            mean=0.5,
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"reconstruction": (16, 3, 8, 8, 3)},
    ),
]
