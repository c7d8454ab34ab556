"""Made-up examples of a few classes."""

import numpy as np

from jssl import evals


def clusters(seed, num_train, num_test, *, dim=16, classes=4, spread=0.5):
    """A training and a test split; the classes are balls around random centres, `spread` wide."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dim))

    def draw(num):
        labels = rng.permutation(np.arange(num) % classes).astype(np.int32)
        features = (centres[labels] + spread * rng.normal(size=(num, dim))).astype(np.float32)
        return evals.Split(None, features, labels)

    return draw(num_train), draw(num_test)
