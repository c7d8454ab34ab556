"""Golden values and gradients of token predictions, computed by PyTorch and stored in tokens.npz.

Run it in an environment of its own with `torch==2.14.1`, which jssl never uses:

    python tests/golden/make_tokens.py

A key of the file is `loss/case/field`. Inputs are float32; results stand in float32 and in float64, computed
from the same inputs. A target of -100 is one that PyTorch ignores.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

DTYPES = {"float32": torch.float32, "float64": torch.float64}
Arrays = dict[str, np.ndarray]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def targets(seed: int, rows: int, vocab: int) -> np.ndarray:
    random = np.random.default_rng(seed + 1)
    return np.where(random.random(rows) < 0.3, -100, random.integers(0, vocab, rows)).astype(np.int32)


def token_cases() -> Iterator[Arrays]:
    for rows, vocab, smoothing in ((4, 3, 0.0), (24, 50, 0.0), (24, 50, 0.1)):
        case = f"token_cross_entropy/{rows}x{vocab},label_smoothing={smoothing}"
        logits, labels = 3 * normal(rows, rows, vocab), targets(rows, rows, vocab)
        stored = {f"{case}/logits": logits, f"{case}/targets": labels}
        for name, dtype in DTYPES.items():
            x = torch.tensor(logits, dtype=dtype, requires_grad=True)
            value = functional.cross_entropy(x, torch.tensor(labels).long(), label_smoothing=smoothing)
            value.backward()
            stored |= {
                f"{case}/value_{name}": value.detach().numpy(),
                f"{case}/gradient_{name}": x.grad.numpy(),
            }
        yield stored


def tied_cases() -> Iterator[Arrays]:
    for rows, dim, vocab in ((5, 3, 4), (24, 8, 50)):
        case = f"tied_cross_entropy/{rows}x{dim}x{vocab}"
        inputs = {"h": normal(rows, rows, dim), "table": normal(vocab, vocab, dim), "bias": normal(7, vocab)}
        labels = targets(rows, rows, vocab)
        stored = {f"{case}/{name}": x for name, x in inputs.items()} | {f"{case}/targets": labels}
        for name, dtype in DTYPES.items():
            h, table, bias = (torch.tensor(x, dtype=dtype, requires_grad=True) for x in inputs.values())
            value = functional.cross_entropy(h @ table.T + bias, torch.tensor(labels).long())
            value.backward()
            stored[f"{case}/value_{name}"] = value.detach().numpy()
            for field, x in (("h", h), ("table", table), ("bias", bias)):
                stored[f"{case}/gradient_{field}_{name}"] = x.grad.numpy()
        yield stored


if __name__ == "__main__":
    arrays = {"versions": np.array(f"torch {torch.__version__}")}
    for cases in (token_cases(), tied_cases()):
        for stored in cases:
            arrays |= stored
    np.savez_compressed(Path(__file__).parent / "tokens.npz", **arrays)
