"""The peer's side of `text.py`: Hugging Face's models in its Trainer, and nothing of jssl.

Run as `python -m benchmarks.text_hf WORKLOAD`; speeds are asked for by lines.
"""

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import torch
from tokenizers import Tokenizer, models
from torch.utils.data import Dataset
from transformers import (
    BertConfig,
    BertForMaskedLM,
    DataCollatorForLanguageModeling,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)

from benchmarks import sides
from benchmarks.text import (
    BATCH,
    COUNTED,
    DEPTH,
    DROPOUT,
    HEADS,
    LEARNING_RATE,
    LENGTH,
    RATE,
    UNCOUNTED,
    VOCAB,
    WEIGHT_DECAY,
    WIDTH,
    Clock,
    tokens,
)

NAMES = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def tokenizer() -> PreTrainedTokenizerFast:
    """What the collator asks for: special tokens and the size."""
    words = {**{name: place for place, name in enumerate(NAMES)}, **{str(i): i for i in range(5, VOCAB)}}
    parts = dict(zip(("pad", "unk", "cls", "sep", "mask"), NAMES, strict=True))
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, "[UNK]")),
        **{f"{part}_token": name for part, name in parts.items()},
    )


def model(name: str) -> torch.nn.Module:
    """Of the sizes that both sides have."""
    if name == "clm":
        no_dropout = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=VOCAB,
                n_positions=LENGTH,
                n_embd=WIDTH,
                n_layer=DEPTH,
                n_head=HEADS,
                bos_token_id=None,
                eos_token_id=None,
                **no_dropout,
            )
        )
    return BertForMaskedLM(
        BertConfig(
            vocab_size=VOCAB,
            hidden_size=WIDTH,
            num_hidden_layers=DEPTH,
            num_attention_heads=HEADS,
            intermediate_size=4 * WIDTH,
            max_position_embeddings=LENGTH,
            hidden_dropout_prob=DROPOUT,
            attention_probs_dropout_prob=DROPOUT,
        )
    )


class Rows(Dataset):
    """As a tokenizer gives them."""

    def __init__(self) -> None:
        self.rows = tokens().tolist()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, list[int]]:
        return {"input_ids": self.rows[index]}


class Timed(TrainerCallback):
    """Speeds of the steps that count."""

    speeds: tuple[float, float]

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        if state.global_step == UNCOUNTED:
            self._clock = Clock()
        if state.global_step == UNCOUNTED + COUNTED:
            self.speeds = self._clock.speeds()


def main() -> None:
    name = sys.argv[1]
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        per_device_train_batch_size=BATCH,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        max_steps=UNCOUNTED + COUNTED,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    timed = Timed()
    trainer = Trainer(
        model(name),
        arguments,
        DataCollatorForLanguageModeling(tokenizer(), mlm=name == "mlm", mlm_probability=RATE),
        Rows(),
        callbacks=[timed],
    )

    def go(question: str) -> Iterator[float]:
        trainer.train()
        yield from timed.speeds

    sides.answer(go)


if __name__ == "__main__":
    main()
