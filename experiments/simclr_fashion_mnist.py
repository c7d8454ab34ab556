"""SimCLR on Fashion-MNIST: from raw images to an encoder that beats its baselines, in a few minutes."""

from experiments.common import cosine_adamw, evaluations, garment_augment, small_resnet
from jssl import data, experiment, methods, nn, pretext
from jssl.experiment import Experiment


def simclr_fashion_mnist(
    data_dir: str | None = None,
    seed: int = 0,
    steps: int = 1_000,
    batch_size: int = 256,
    learning_rate: float = 5e-3,
    weight_decay: float = 1e-4,
    temperature: float = 0.5,
    width: int = 32,
) -> Experiment:
    """SimCLR on Fashion-MNIST: two views of an image find each other among those of all others.

    Args:
        data_dir: Where TFDS prepared Fashion-MNIST; the 10,000 images inside jssl if not given.
        seed: Of everything random.
        steps: Training steps.
        batch_size: Images a step; each gives two views.
        learning_rate: The highest of a cosine schedule with warm-up.
        weight_decay: Of AdamW, on kernels only.
        temperature: Of NT-Xent.
        width: Channels of the encoder's first stage.
    """
    encoder = small_resnet(width)
    return Experiment(
        name="simclr_fashion_mnist",
        data=data.fashion_mnist(data_dir),
        method=methods.simclr(
            encoder=encoder,
            projector=nn.mlp((256, 64)),
            augment=pretext.two_views(garment_augment()),
            temperature=temperature,
        ),
        optimizer=cosine_adamw(learning_rate, weight_decay, steps),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=evaluations(encoder, every=500),
    )


if __name__ == "__main__":
    experiment.main(simclr_fashion_mnist)
