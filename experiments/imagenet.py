"""What the experiments on ImageNet share: data, encoders, schedules, optimizers, evaluations.

Prepare ImageNet once with TFDS, from the tar files that image-net.org gives, on a machine with TensorFlow:
`tfds build imagenet2012 --file_format=array_record --data_dir=DIR`. `--size` are the pixels of a large view.

All of them deviate from the published recipes in this:

* The host brings images to 256 pixels for views of 224: the shorter side, then the square in the centre.
  Random crops are cut on the device, out of these squares and not out of the whole pictures.
* Networks compute in bfloat16, heads and losses in float32; the authors' code has float32 or float16.
* Features are judged by the kNN of DINO's code (k = 20, temperature 0.07, all labels) and by a linear
  classifier on 1 % of the labels. The published linear figures are of a classifier trained on random crops
  with all labels: a kNN figure may be compared with a published one, the linear one may not.

The evaluations hold all training features on one device: 21 GB for those of a ResNet-50.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jssl import data, evals, nn, ops, pretext, train
from jssl.core import Encoder, Method, Tokenizer, Tokens, Transform, Variables
from jssl.experiment import Experiment
from jssl.pretext import image

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
DTYPE = jnp.bfloat16
KNN_EPOCHS = 25
ONE_PERCENT = 12_811


class Setting(NamedTuple):
    """The task at one size of the large views; made by `setting`."""

    data: data.DataSet
    size: int
    batch_size: int
    steps: int
    pieces: int = 1

    @property
    def epoch(self) -> int:
        """Steps in a pass over the training images."""
        return max(1, len(self.data.train) // self.batch_size)

    def schedule(self, peak: float, *, warmup: int, start: float = 0.0, end: float = 0.0) -> optax.Schedule:
        """From `start` up to `peak` in `warmup` steps, and down to `end` along a cosine."""
        rising = min(warmup, self.steps // 2)
        return ops.warmup_cosine(peak, warmup=rising, steps=self.steps, start=start, end=end)

    def resnet(self, stages: Sequence[int], width: int, *, zero_init_last: bool = True) -> Encoder:
        """Bottleneck blocks, those of ResNet-50 by stages (3, 4, 6, 3); takes images as they are."""
        network = nn.resnet(
            stages, block="bottleneck", width=width, zero_init_last=zero_init_last, dtype=DTYPE
        )
        return self.normalized(network)

    def normalized(self, encoder: Encoder) -> Encoder:
        """An encoder of images as they are, of which it sees the centre: 224 of 256 pixels."""
        return self.in_pieces(_seen_through(self.centre, nn.normalized(encoder, mean=MEAN, std=STD)))

    def transformer(self, width: int, depth: int, heads: int, **options: Any) -> Encoder:
        """Blocks over tokens, as the authors' code computes them; many in a loop, to compile in minutes."""
        if depth > 12:
            options = {"rolled": True, "remat": "dots_with_no_batch_dims"} | options
        return self.in_pieces(nn.transformer(width, depth, heads, gelu="erf", dtype=DTYPE, **options))

    def in_pieces(self, encoder: Encoder) -> Encoder:
        """The encoder on a part of the batch at a time, if there are several."""
        return encoder if self.pieces == 1 else nn.in_pieces(encoder, self.pieces)

    def patches(self, patch: int, *, relative: bool = False) -> Tokenizer:
        """A tokenizer of an image's centre."""
        tokenize = nn.patches(patch, relative=relative)

        def tokens_of(x: Any) -> Tokens:
            return tokenize(self.centre(x))

        return tokens_of

    def centre(self, x: jax.Array) -> jax.Array:
        """The central square of the size of a large view; views are no larger and stay as they are."""
        if x.shape[0] <= self.size:
            return x
        return image.center_crop(image.to_float(x), self.size)

    def grid(self, patch: int) -> tuple[int, int]:
        """Patches along the sides of a large view."""
        return self.size // patch, self.size // patch

    def local_size(self, patch: int = 1) -> int:
        """Pixels of a small view, whole patches: 96 where the large views have 224."""
        return patch * max(1, round(self.size * 96 / 224 / patch))

    def crops(self) -> Transform:
        """SwAV's multi-crop: two large and six small views with SimCLR's distortions."""
        large = pretext.simclr_augment(self.size, scale=(0.14, 1.0))
        small = pretext.simclr_augment(self.local_size(), scale=(0.05, 0.14))
        return pretext.multi_crop(large, small, num_local=6)

    def experiment(
        self,
        name: str,
        method: Method,
        optimizer: optax.GradientTransformation,
        *,
        seed: int,
        refresh_every: int | None = None,
    ) -> Experiment:
        """All of it put together: kNN and collapse figures on the way, a checkpoint in each epoch."""
        every = KNN_EPOCHS * self.epoch
        return Experiment(
            name=name,
            data=self.data,
            method=method,
            optimizer=optimizer,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=seed,
            refresh_every=refresh_every,
            evals=(
                evals.knn(k=20, temperature=0.07, every=every),
                evals.collapse(every=every),
                evals.linear_probe(labels=(ONE_PERCENT,), num_subsets=1),
            ),
            save_every=self.epoch,
        )


def setting(
    data_dir: str | None,
    size: int,
    *,
    epochs: int = 100,
    steps: int | None = None,
    batch_size: int,
    pieces: int = 1,
    index: bool = False,
) -> Setting:
    """ImageNet with images somewhat larger than the views.

    Args:
        data_dir: where TFDS prepared imagenet2012; ~/tensorflow_datasets if not given.
        size: pixels of the large views.
        epochs: passes over the training images.
        steps: training steps, instead of epochs.
        batch_size: images a step.
        pieces: parts that networks, not their heads, take a batch in.
        index: whether examples have their "index", for methods that remember something of each.
    """
    images = data.dataset("imagenet2012", data_dir, size=round(size * 256 / 224))
    source = data.indexed(images.train) if index else images.train
    steps = steps or max(1, epochs * len(source) // batch_size)
    return Setting(images._replace(train=source), size, batch_size, steps, pieces)


def lars(schedule: optax.Schedule, weight_decay: float) -> optax.GradientTransformation:
    """LARS, which neither adapts nor decays biases and norms."""
    return train.lars(schedule, weight_decay=weight_decay)


def adamw(
    schedule: optax.Schedule, weight_decay: float | optax.Schedule, *, b2: float = 0.999
) -> optax.GradientTransformation:
    """AdamW, which decays kernels only."""
    return optax.adamw(schedule, b2=b2, weight_decay=weight_decay, mask=train.kernels)


def _seen_through(look: Any, encoder: Encoder) -> Encoder:
    """The encoder of what `look` makes of each image."""

    def init(key: jax.Array, x: jax.Array) -> Variables:
        return encoder.init(key, jax.vmap(look)(x))

    def apply(variables: Variables, x: jax.Array, **options: Any) -> tuple[Any, Any]:
        return encoder.apply(variables, jax.vmap(look)(x), **options)

    return Encoder(init, apply)
