"""What the experiments on CIFAR-10 share: data, encoders, views, optimizers, evaluations, in two sizes.

"paper" is the published recipe: all 50,000 images and a ResNet-18 whose stem keeps the 32x32 pixels (or a
ViT-S/4). "small" ends in minutes on two cores: 10,000 images, a narrow encoder, narrow heads, few epochs, and
AdamW at one rate for nearly every method, since LARS and SGD at the published rates need many more steps.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

import optax

from jssl import data, evals, nn, ops, pretext, train
from jssl.core import Encoder, Method, Schedule, Tokenizer, Transform, Tree
from jssl.evals import Eval
from jssl.experiment import Experiment
from jssl.pretext import image

Preset = Literal["paper", "small"]
MakeOptimizer: TypeAlias = Callable[[optax.Schedule], optax.GradientTransformation]
MakeSchedule: TypeAlias = Callable[[float, float, int], Schedule]

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
IMAGES = 10_000
EPOCHS = 10
RATE = 3e-3


class Setting(NamedTuple):
    """One size of the task; made by `setting`."""

    small: bool
    data: data.DataSet
    batch_size: int
    steps: int

    @property
    def epoch(self) -> int:
        """Steps in a pass over the training images."""
        return max(1, len(self.data.train) // self.batch_size)

    @property
    def patch(self) -> int:
        """Pixels along the side of a token."""
        return 8 if self.small else 4

    @property
    def grid(self) -> tuple[int, int]:
        """Tokens along the sides of an image."""
        return 32 // self.patch, 32 // self.patch

    @property
    def pool(self) -> Literal["mean", "flatten"]:
        """Of the tokens of masked methods: their mean, or side by side, as suits so few and narrow ones."""
        return "flatten" if self.small else "mean"

    @property
    def width(self) -> int:
        """Of the vision transformer."""
        return 96 if self.small else 384

    @property
    def depth(self) -> int:
        """Of the vision transformer."""
        return 4 if self.small else 12

    @property
    def heads(self) -> int:
        """Of the vision transformer's attention."""
        return self.width // (32 if self.small else 64)

    def sized(self, number: int) -> int:
        """A head's width, a number of prototypes or of a queue's rows: an eighth of the paper's if small."""
        return number // 8 if self.small else number

    @property
    def jitter(self) -> float:
        """Strength of the colour jitter in the recipes that have it as for ImageNet; half of it if small."""
        return 0.5 if self.small else 1.0

    def patches(self) -> Tokenizer:
        """An image to its tokens."""
        return nn.patches(self.patch)

    @property
    def interpolation(self) -> image.Interpolation:
        """Of crops for views: bicubic, as in solo-learn's recipes, or bilinear, as in lightly's, if small."""
        return "bilinear" if self.small else "bicubic"

    def augment(
        self, strength: float = 0.5, *, size: int = 32, smallest: float = 0.08, largest: float = 1.0
    ) -> Transform:
        """SimCLR's augmentation for CIFAR-10: no blur, and half of the colour jitter or another share of it.

        Args:
            strength: of the jitter, 1 for that of ImageNet.
            size: pixels of the view.
            smallest: share of the image that a crop has at least.
            largest: share of the image that a crop has at most.
        """
        return pretext.simclr_augment(
            size, strength=strength, blur=False, scale=(smallest, largest), interpolation=self.interpolation
        )

    def views(self, strength: float = 0.5) -> Transform:
        """SimCLR's two views: `augment` twice."""
        return pretext.two_views(self.augment(strength))

    def asymmetric_views(self, smallest: float = 0.08) -> Transform:
        """BYOL's two views without blur: weaker jitter, and the second sometimes solarized.

        Args:
            smallest: share of the image that a crop has at least.
        """
        return pretext.byol_views(32, scale=(smallest, 1.0), interpolation=self.interpolation, blur=False)

    def crops(self, num_local: int = 4) -> Transform:
        """Two views of large parts, and small crops of small parts."""
        large, small = self.augment(smallest=0.3), self.augment(size=16, largest=0.3)
        return pretext.multi_crop(large, small, num_local=num_local)

    def resnet(self) -> Encoder:
        """ResNet-18, or a narrow one of three stages; takes images as they are."""
        small = nn.resnet((1, 1, 1), width=32, stem="patch4")
        return normalized(small if self.small else nn.resnet18(stem="cifar"))

    def transformer(self, *, drop_path: float = 0.0, **options: Any) -> Encoder:
        """ViT-S's blocks over tokens, or four narrow ones, which need no stochastic depth."""
        rate = 0.0 if self.small else drop_path
        return nn.transformer(self.width, self.depth, self.heads, drop_path=rate, **options)

    def decay(self, start: float, end: float = 1.0, *, along: MakeSchedule = ops.cosine) -> Schedule:
        """Of an averaged target; at most 0.98 at the start if small, to follow within 50 steps."""
        return along(min(start, 0.98) if self.small else start, end, self.steps)

    def teacher_temperature(self, end: float, *, epochs: int) -> Schedule:
        """From 0.04 to the end in the first epochs; always 0.04 if small, for sharper targets."""
        return ops.linear(0.04, 0.04 if self.small else end, min(epochs * self.epoch, self.steps))

    def optimizer(
        self,
        make: MakeOptimizer,
        learning_rate: float,
        *,
        small_rate: float = RATE,
        small_predictor: float = 1.0,
    ) -> optax.GradientTransformation:
        """The published optimizer by its learning rate's schedule (for a batch of 256), or AdamW if small.

        The rate rises for ten epochs (a twentieth of the steps if small) and falls to 0 along a cosine; if
        small, that of the "predictor" is so many times as high.
        """
        rate = small_rate if self.small else learning_rate * self.batch_size / 256
        warmup = self.steps // 20 if self.small else min(10 * self.epoch, self.steps // 10)
        schedule = ops.warmup_cosine(rate, warmup=warmup, steps=self.steps)
        if not self.small:
            return make(schedule)
        adam = adamw(1e-4)
        if small_predictor == 1:
            return adam(schedule)
        return predictor_apart(adam(lambda step: small_predictor * schedule(step)), adam(schedule))

    def experiment(
        self,
        name: str,
        method: Method,
        optimizer: optax.GradientTransformation,
        *,
        seed: int,
        refresh_every: int | None = None,
    ) -> Experiment:
        """All of it put together: kNN and collapse figures on the way, linear probes at the end."""
        every = self.epoch * (5 if self.small else 20)
        return Experiment(
            name=name,
            data=self.data,
            method=method,
            optimizer=optimizer,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=seed,
            refresh_every=refresh_every,
            evals=evaluations(small=self.small, every=every),
            save_every=500 if self.small else 2_000,
        )


def setting(
    preset: Preset,
    data_dir: str | None,
    *,
    epochs: int,
    steps: int | None = None,
    batch_size: int,
    index: bool = False,
) -> Setting:
    """The task in one of its two sizes.

    Args:
        preset: "paper" or "small".
        data_dir: where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        epochs: of the paper's size; the small one has 10.
        steps: training steps, instead of epochs.
        batch_size: images a step.
        index: whether examples have their "index", for methods that remember something of each.
    """
    images = data.dataset("cifar10", data_dir)
    small = preset == "small"
    source = data.subset(images.train, range(min(IMAGES, len(images.train)))) if small else images.train
    source = data.cached(source)
    source = data.indexed(source) if index else source
    steps = steps or max(1, (EPOCHS if small else epochs) * len(source) // batch_size)
    return Setting(small, images._replace(train=source), batch_size, steps)


def evaluations(*, small: bool, every: int) -> tuple[Eval, ...]:
    """kNN as in lightly's table, collapse figures, and linear probes, with 1,000 labels too if small."""
    return (
        evals.knn(k=200, temperature=0.1, every=every),
        evals.collapse(every=every),
        evals.linear_probe(labels=(1000, None) if small else (None,)),
    )


def lars(weight_decay: float) -> MakeOptimizer:
    """LARS as in solo-learn's recipes for CIFAR."""
    return partial(train.lars, weight_decay=weight_decay, trust_coefficient=0.02, clip=True)


def sgd(weight_decay: float) -> MakeOptimizer:
    """SGD with momentum 0.9, which decays all parameters."""
    return lambda rate: optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(rate, momentum=0.9))


def adamw(weight_decay: float | optax.Schedule, *, b2: float = 0.999, clip: float = 0.0) -> MakeOptimizer:
    """AdamW, which decays kernels only; behind a bound on the norm of the gradient if `clip` isn't 0."""

    def make(rate: optax.Schedule) -> optax.GradientTransformation:
        adam = optax.adamw(rate, b2=b2, weight_decay=weight_decay, mask=train.kernels)
        return optax.chain(optax.clip_by_global_norm(clip), adam) if clip else adam

    return make


def predictor_apart(
    predictor: optax.GradientTransformation, others: optax.GradientTransformation
) -> optax.GradientTransformation:
    """The parameters "predictor" by an optimizer of their own."""

    def parts(params: Tree) -> dict[str, str]:
        return {name: "predictor" if name == "predictor" else "others" for name in params}

    return optax.partition({"predictor": predictor, "others": others}, parts)


def normalized(encoder: Encoder) -> Encoder:
    """An encoder of images as they are."""
    return nn.normalized(encoder, mean=MEAN, std=STD)


def crop_and_flip(smallest: float = 0.2, *, interpolation: image.Interpolation = "bilinear") -> Transform:
    """One view in its own colours: a crop of at least that share of the image, and a flip."""
    crop = image.random_resized_crop(32, scale=(smallest, 1.0), interpolation=interpolation)
    return pretext.compose(crop, image.horizontal_flip())
