"""One row for each method: a new one adds a row here, and tests/methods/test_conformance.py does the rest.

Networks and shapes are as small as they may be, since every row is compiled for one device and for eight.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jssl import methods, nn, ops, pretext
from jssl.core import Batch, Method


class Row(NamedTuple):
    """A method with what the suite needs to know about it.

    grown: a step at which every parameter learns and all parts of the state are in use.
    show: the shapes of its pictures for a batch of 16.
    inputs: the array of the batch that it embeds.
    """

    name: str
    method: Method
    dim: int
    show: dict[str, tuple[int, ...]]
    grown: int = 0
    learning_rate: float = 1e-2
    inputs: str = "image"


def batch() -> Batch:
    """16 pictures and texts of four kinds, so small that a method learns them in some twenty steps."""
    generator = np.random.default_rng(0)
    kinds = generator.integers(0, 256, (4, 8, 8, 3))
    label = np.arange(16, dtype=np.int32) % 4
    image = np.clip(kinds[label] + generator.normal(0, 20, (16, 8, 8, 3)), 0, 255)
    index = np.arange(16, dtype=np.int32)
    tokens = generator.integers(5, 30, (4, 12)).astype(np.int32)[label]
    length = 12 - label[:, None]
    place = np.arange(12, dtype=np.int32)[None]
    padding = place >= length
    return {
        "tokens": jnp.asarray(np.where(padding, 0, tokens)),
        "segments": jnp.asarray(np.where(padding, 0, 1).astype(np.int32)),
        "sentences": jnp.asarray(np.where(padding, 0, 1 + place // 3).astype(np.int32)),
        "document": jnp.asarray(index),
        "labels": jnp.asarray(np.where(padding | (place % 3 == 1), -1, tokens % 3).astype(np.int32)),
        "pairs": jnp.asarray(np.where(padding, 0, tokens)[np.stack([index, 15 - index], axis=1)]),
        "score": jnp.asarray((label % 3 == 0).astype(np.float32)),
        "image": jnp.asarray(image.astype(np.uint8)),
        "label": jnp.asarray(label),
        "index": jnp.asarray(index),
    }


class Examples:
    """The batch as the training source of a method's refresh."""

    def __init__(self, batch: Batch):
        self.arrays = {name: np.asarray(values) for name, values in batch.items()}

    def __len__(self):
        return 16

    def __getitem__(self, index):
        return {name: values[index] for name, values in self.arrays.items()}


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


def text(**options):
    return nn.text_transformer(30, 16, 1, 2, max_length=16, dropout=0.1, **options)


MASK = functools.partial(
    pretext.text.mask_tokens, rate=0.3, mask_id=4, vocab_size=30, special=(0, 1, 2, 3, 4)
)
PAIR = functools.partial(pretext.text.sentence_pair, length=15, cls=2, sep=3, pad=0)


def prototypes(num, **options):
    return nn.dino_head(num, hidden=(16,), bottleneck=8, **options)


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
        "barlow_twins",
        methods.barlow_twins(encoder=resnet(), projector=nn.mlp((16, 8)), augment=two_views),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "vicreg",
        methods.vicreg(encoder=resnet(), projector=nn.mlp((16, 8)), augment=two_views),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "tico",
        methods.tico(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            augment=two_views,
            # The loss rises while the covariance fills, which must not take all steps here.
            covariance_weight=1.0,
            covariance_decay=0.5,
            decay=0.9,
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3)},
    ),
    Row(
        "lejepa",
        methods.lejepa(
            encoder=resnet(), projector=nn.mlp((16, 8)), augment=crops, weight=0.2, num_projections=64
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3)},
    ),
    Row(
        "deepcluster",
        methods.deepcluster(
            encoder=resnet(), num_clusters=4, num_examples=16, augment=noisy, pca_dim=4, num_iterations=5
        ),
        dim=16,
        show={"views": (16, 2, 8, 8, 3), "clusters": (16, 4)},
    ),
    Row(
        "deepcluster_v2",
        methods.deepcluster_v2(
            encoder=resnet(),
            projector=nn.mlp((16, 8)),
            num_prototypes=(4, 4, 6),
            num_examples=16,
            augment=crops,
            num_iterations=5,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3), "clusters": (16, 4)},
    ),
    Row(
        "dino",
        methods.dino(
            encoder=resnet(),
            head=prototypes(6, norm="batch"),
            augment=crops,
            teacher_temperature=ops.linear(0.04, 0.05, 25),
            decay=0.9,
            freeze_prototypes_steps=2,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3)},
        grown=3,
    ),
    Row(
        "ibot",
        methods.ibot(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2, cls_token=True, mask_token=True),
            head=prototypes(6),
            augment=crops,
            mask=lambda key, n: pretext.ibot_mask(key, (4, 4)),
            decay=0.9,
            freeze_prototypes_steps=2,
            mean=0.5,
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3)},
        grown=3,
        learning_rate=3e-3,
    ),
    Row(
        "dinov2",
        methods.dinov2(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2, cls_token=True, mask_token=True, registers=1),
            head=prototypes(6, learned_lengths=True),
            token_head=prototypes(4, learned_lengths=True),
            augment=crops,
            mask=lambda key, n: pretext.ibot_mask(key, (4, 4)),
            decay=ops.cosine(0.9, 1.0, 50),
            mean=0.5,
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3)},
        grown=3,
        learning_rate=3e-3,
    ),
    Row(
        "msn",
        methods.msn(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2, cls_token=True),
            head=prototypes(6),
            augment=crops,
            mask_ratio=0.3,
            decay=0.9,
            mean=0.5,
            std=0.25,
        ),
        dim=16,
        show={"views": (16, 4, 8, 8, 3)},
        grown=3,
        learning_rate=3e-3,
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
    Row(
        "simmim",
        methods.simmim(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2, mask_token=True),
            mask=lambda key, n: pretext.unit_mask(key, (4, 4), 0.6),
            mean=(0.5, 0.5, 0.5),
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"reconstruction": (16, 3, 8, 8, 3)},
    ),
    Row(
        "ijepa",
        methods.ijepa(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 1, 2),
            predictor=nn.transformer(8, 1, 2, mask_token=True),
            mask=lambda key, n: pretext.multiblock_mask(key, (4, 4), num_targets=2),
            decay=0.99,
            mean=0.5,
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"blocks": (16, 4, 8, 8, 3)},
    ),
    Row(
        "data2vec",
        methods.data2vec(
            tokenizer=nn.patches(2),
            encoder=nn.transformer(16, 2, 2, mask_token=True),
            teacher=nn.transformer(16, 2, 2, mask_token=True, last_blocks=2),
            decay=ops.linear(0.99, 1.0, 25),
            mean=0.5,
            std=0.25,
            untokenize=nn.unpatchify,
        ),
        dim=16,
        show={"masked": (16, 2, 8, 8, 3)},
    ),
    Row(
        "autoencoder",
        methods.autoencoder(
            encoder=resnet(), decoder=nn.conv_decoder((8, 8, 3), width=4, stages=1), corrupt=noisy
        ),
        dim=16,
        show={"reconstruction": (16, 3, 8, 8, 3)},
    ),
    Row(
        "rotation",
        methods.rotation(encoder=resnet(), augment=noisy),
        dim=16,
        show={"rotations": (16, 4, 8, 8, 3)},
        grown=1,  # at first an activation is 0 but for rounding, where the gradient of a ReLU jumps
    ),
    Row(
        "jigsaw",
        methods.jigsaw(encoder=resnet(), head=nn.mlp((16,)), tile_size=3, grid=2, num_permutations=4),
        dim=16,
        show={"puzzle": (16, 2, 7, 7, 3)},
    ),
    Row(
        "colorization",
        methods.colorization(
            encoder=resnet(),
            decoder=nn.conv_decoder((4, 4, 8), width=4, stages=1),
            spacing=40.0,
            augment=noisy,
        ),
        dim=16,
        show={"colors": (16, 3, 8, 8, 3)},
    ),
    Row("clm", methods.clm(encoder=text(**nn.GPT2), pad=0), dim=16, show={}, inputs="tokens"),
    Row(
        "mlm",
        methods.mlm(encoder=text(**nn.BERT), head=nn.masked_head(), mask=MASK, pad=0),
        dim=16,
        show={"masked words": (16, 3, 12)},
        inputs="tokens",
    ),
    Row(
        "bert",
        methods.bert(
            encoder=text(**nn.BERT), head=nn.masked_head(), pooler=nn.pooler(), pair=PAIR, mask=MASK, pad=0
        ),
        dim=16,
        show={"masked words": (16, 3, 15)},
        inputs="tokens",
    ),
    Row(
        "simcse",
        methods.simcse(encoder=text(**nn.BERT), projector=nn.pooler(), pad=0),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "simcse_views",
        methods.simcse(
            encoder=text(**nn.BERT),
            augment=functools.partial(pretext.text.split_tokens, pad=0, special=(0, 2, 3)),
            pad=0,
        ),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "tsdae",
        methods.tsdae(
            encoder=text(**nn.BERT),
            decoder=text(causal=True, **nn.BERT),
            delete=functools.partial(pretext.text.delete_tokens, rate=0.3, pad=0, special=(0, 2, 3)),
            pad=0,
        ),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "electra",
        methods.electra(
            encoder=text(**nn.BERT),
            head=nn.masked_head(),
            generator=text(**nn.BERT),
            generator_head=nn.masked_head(),
            mask=functools.partial(MASK, keep=0.0, random=0.0),
            pad=0,
        ),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "classifier",
        methods.classifier(encoder=text(**nn.BERT), num_classes=4, pooler=nn.pooler(), pad=0, pool="first"),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "classifier_frozen",
        methods.classifier(encoder=text(**nn.BERT), num_classes=4, freeze=True, pad=0),
        dim=16,
        show={},
        learning_rate=3e-2,
        inputs="tokens",
    ),
    Row(
        "tagger",
        methods.tagger(encoder=text(**nn.BERT), num_classes=3, pad=0),
        dim=16,
        show={},
        inputs="tokens",
    ),
    Row(
        "similarity",
        methods.similarity(encoder=text(**nn.BERT), pad=0, inputs="pairs"),
        dim=16,
        show={},
        inputs="tokens",
    ),
]
