"""Write minilm.npz: sentence embeddings of all-MiniLM-L6-v2 by its published weights, which aren't stored.

The pipeline of sentence-transformers for this model: `BertModel`, the mean over the attention mask, length 1.

Made with torch 2.14.1 and transformers 5.24.0: `python tests/golden/minilm.py FOLDER`, of the folder with
model.safetensors and the tokenizer.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import AutoTokenizer, BertModel

SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays an instrument.",
    "The cat sleeps on the windowsill all afternoon.",
    "Interest rates were left unchanged by the central bank on Thursday.",
    "In the beginning, God created the heavens and the earth.",
    "Is there life on other planets?",
    "No.",
    "The proof follows from the triangle inequality and from the fact that a continuous function on a "
    "compact set is bounded, which we have seen in the second chapter of these notes.",
    "El perro corre por la playa.",
    "Jabberwocky: 'Twas brillig, and the slithy toves did gyre and gimble in the wabe!",
    "x = [1, 2, 3]; print(sum(x))",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
]


@torch.no_grad()
def main(folder: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    inputs = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    there = inputs["attention_mask"]
    h = BertModel.from_pretrained(folder).eval()(**inputs).last_hidden_state
    mean = (h * there[..., None]).sum(1) / there.sum(1, keepdim=True)
    np.savez_compressed(
        Path(__file__).with_suffix(".npz"),
        sentences=np.array(SENTENCES),
        tokens=inputs["input_ids"].numpy().astype(np.int32),
        lengths=there.sum(1).numpy().astype(np.int32),
        embeddings=normalize(mean).numpy(),
    )


if __name__ == "__main__":
    main(sys.argv[1])
