"""SimCLR on CIFAR-10 with lightly's published recipe: ResNet-18, batch 128, 200 epochs.

    python -m experiments.simclr_cifar10 --data-dir ~/tensorflow_datasets
    python -m experiments.simclr_cifar10 --data-dir ~/tensorflow_datasets --width 16 --epochs 1    # small

Published: kNN (k = 200, temperature 0.1) 84.7 % after 200 epochs with batch 128, 87.9 % after 800 with batch
512 (lightly's benchmark table, docs.lightly.ai). Not reproduced here, for want of an accelerator.

Reference: Chen et al., 2020, arXiv 2002.05709.
"""

import optax

from jssl import data, evals, experiment, methods, nn, pretext
from jssl.experiment import Experiment


def simclr_cifar10(
    data_dir: str | None = None,
    seed: int = 0,
    epochs: int = 200,
    steps: int | None = None,
    batch_size: int = 128,
    learning_rate: float = 0.06,
    weight_decay: float = 5e-4,
    temperature: float = 0.5,
    width: int = 64,
) -> Experiment:
    """SimCLR on CIFAR-10: two views of an image find each other among those of all others.

    Args:
        data_dir: Where TFDS prepared CIFAR-10; ~/tensorflow_datasets if not given.
        seed: Of everything random.
        epochs: Passes over the training images.
        steps: Training steps, instead of epochs.
        batch_size: Images a step; each gives two views.
        learning_rate: The highest of a cosine schedule, for a batch of 128; it grows with the batch.
        weight_decay: Of SGD, on all parameters.
        temperature: Of NT-Xent.
        width: Channels of the encoder's first stage; 64 makes it a ResNet-18.
    """
    images = data.dataset("cifar10", data_dir)
    steps = steps or epochs * len(images.train) // batch_size
    encoder = nn.normalized(
        nn.resnet18(width=width, stem="cifar"), mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)
    )
    schedule = optax.cosine_decay_schedule(learning_rate * batch_size / 128, steps)
    return Experiment(
        name="simclr_cifar10",
        data=images,
        method=methods.simclr(
            encoder=encoder,
            projector=nn.mlp((512, 128)),
            augment=pretext.two_views(pretext.simclr_augment(32, strength=0.5, blur=False)),
            temperature=temperature,
        ),
        optimizer=optax.chain(optax.add_decayed_weights(weight_decay), optax.sgd(schedule, momentum=0.9)),
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        evals=(
            evals.knn(k=200, temperature=0.1, every=5 * len(images.train) // batch_size),
            evals.collapse(every=len(images.train) // batch_size),
            evals.linear_probe(labels=(None,)),
        ),
        save_every=1_000,
    )


if __name__ == "__main__":
    experiment.main(simclr_cifar10)
