"""Golden steps of LARS by solo-learn's wrapper around torch's SGD, stored in siamese_lars.npz.

Run it in the environment of make_siamese.py:

    python tests/golden/make_siamese_lars.py

Without weight decay, where solo-learn adds two norms and jssl takes the norm of a sum.
"""

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

STEPS = 5
RATES = (0.0, 0.4, 0.3, 0.3, 0.1)


def wrapper() -> Any:
    package: Any = importlib.util.find_spec("solo")
    spec: Any = importlib.util.spec_from_file_location("lars", Path(package.origin).parent / "utils/lars.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.LARSWrapper


def steps(clip: bool) -> dict[str, np.ndarray]:
    """The weights after each step, which are a layer of 4x3 and its bias."""
    rng = np.random.default_rng(0)
    layer = {"kernel": rng.normal(size=(4, 3)), "bias": rng.normal(size=(3,))}
    weights = {name: torch.tensor(x, requires_grad=True) for name, x in layer.items()}
    sgd = torch.optim.SGD(list(weights.values()), lr=1.0, momentum=0.9)
    optimizer = wrapper()(sgd, eta=0.02, clip=clip, eps=0.0, exclude_bias_n_norm=True)
    stored = {f"start_{name}": x for name, x in layer.items()}
    for step, rate in enumerate(RATES):
        sgd.param_groups[0]["lr"] = rate
        for name, x in weights.items():
            gradient = rng.normal(size=x.shape) * (0.05 if step == 1 else 1.0)
            stored[f"gradient_{name}_{step}"] = gradient
            x.grad = torch.tensor(gradient)
        optimizer.step()
        stored |= {f"after_{name}_{step}": x.detach().numpy().copy() for name, x in weights.items()}
    return stored


if __name__ == "__main__":
    solo_version = importlib.metadata.version("solo-learn")
    arrays = {"versions": np.array(f"torch {torch.__version__}, solo-learn {solo_version}")}
    for clip in (False, True):
        arrays |= {f"clip={clip}/{name}": x for name, x in steps(clip).items()}
    np.savez_compressed(Path(__file__).with_name("siamese_lars.npz"), **arrays)
