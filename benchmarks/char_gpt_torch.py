"""The peer's side of `char_gpt.py`: nanoGPT's model and loop re-expressed in PyTorch, nothing of jssl.

Run as `python -m benchmarks.char_gpt_torch TEXT STEPS SEED`; prints the seconds of training, and the loss of
the whole validation split.
"""

import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.char_gpt import BATCH, BLOCK, DEPTH, HEADS, LEARNING_RATE, WARMUP, WIDTH, split


class Attention(nn.Module):
    """Causal, by PyTorch's fused attention."""

    def __init__(self) -> None:
        super().__init__()
        self.c_attn = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.c_proj = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        b, n, _ = x.shape
        q, k, v = (y.view(b, n, HEADS, -1).transpose(1, 2) for y in self.c_attn(x).split(WIDTH, dim=2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.c_proj(y.transpose(1, 2).reshape(b, n, WIDTH))


class Block(nn.Module):
    """Pre-norm, without biases."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH, bias=False), nn.LayerNorm(WIDTH, bias=False)
        self.attn = Attention()
        self.c_fc = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.c_proj = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.c_proj(F.gelu(self.c_fc(self.ln_2(x))))


class GPT(nn.Module):
    """Tied embeddings, learned positions."""

    def __init__(self, vocab_size: int) -> None:
        super().__init__()
        self.wte, self.wpe = nn.Embedding(vocab_size, WIDTH), nn.Embedding(BLOCK, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
        self.ln_f = nn.LayerNorm(WIDTH, bias=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                nn.init.normal_(
                    weight, std=0.02 / math.sqrt(2 * DEPTH) if name.endswith("c_proj.weight") else 0.02
                )

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        h = self.wte(x) + self.wpe(torch.arange(x.shape[1]))
        logits = self.ln_f(self.blocks(h)) @ self.wte.weight.T
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), y.reshape(-1))


def learning_rate(step: int, steps: int) -> float:
    """Linear warm-up, then a cosine to a tenth."""
    if step < WARMUP:
        return LEARNING_RATE * (step + 1) / (WARMUP + 1)
    share = (step - WARMUP) / (steps - WARMUP)
    low = LEARNING_RATE / 10
    return low + 0.5 * (1 + math.cos(math.pi * share)) * (LEARNING_RATE - low)


def main() -> None:
    """Train, then the validation loss."""
    text, steps, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    started = time.perf_counter()
    torch.manual_seed(seed)
    train, held_out, size = split(text)
    data = torch.from_numpy(train.astype(np.int64))
    model = GPT(size)
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=LEARNING_RATE, betas=(0.9, 0.99))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, steps)
        places = torch.randint(len(data) - BLOCK, (BATCH,))
        x = torch.stack([data[i : i + BLOCK] for i in places])
        y = torch.stack([data[i + 1 : i + 1 + BLOCK] for i in places])
        loss = model(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    seconds = time.perf_counter() - started
    whole = torch.from_numpy(held_out.astype(np.int64))
    windows = (len(whole) - 1) // BLOCK
    x, y = whole[: windows * BLOCK].view(-1, BLOCK), whole[1 : windows * BLOCK + 1].view(-1, BLOCK)
    with torch.no_grad():
        losses = [
            float(model(x[i : i + 64], y[i : i + 64])) * len(x[i : i + 64]) for i in range(0, len(x), 64)
        ]
    print(seconds, sum(losses) / len(x))


if __name__ == "__main__":
    main()
