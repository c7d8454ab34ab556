"""Write text.npz: what Hugging Face's transformers over text gave, in float64.

The weights are N(0, 0.3), drawn from the names, so that none is stored and no published file is needed.

Made with torch 2.14.1 and transformers 5.24.0: `python tests/golden/text.py`. For each model it asserts that
the file with these names and shapes is loaded without a missing or an unexpected name, and that its own loss
is the one of the gradient. Files of `save_weights` with other numbers were loaded once by the same classes,
and those of an encoder alone by their base classes, without a missing or an unexpected name either.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file, save_file
from torch.nn.functional import cross_entropy
from weights import normal

SIZES = {
    "vocab_size": 40,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
}
LENGTHS = torch.tensor([9, 6, 4])
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
MODELS = {
    "bert": (
        "BertForPreTraining",
        transformers.BertConfig(**SIZES, max_position_embeddings=12),
    ),
    "roberta": (
        "RobertaForMaskedLM",
        transformers.RobertaConfig(
            **SIZES, max_position_embeddings=14, type_vocab_size=1, layer_norm_eps=1e-5
        ),
    ),
    "gpt2": (
        "GPT2LMHeadModel",
        transformers.GPT2Config(
            vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=12, bos_token_id=1, eos_token_id=2
        ),
    ),
    "modernbert": (
        "ModernBertForMaskedLM",
        transformers.ModernBertConfig(
            **{**SIZES, "num_hidden_layers": 4}, **SPECIAL, pad_token_id=0, local_attention=4
        ),
    ),
}


def drawn(kind: str, config: transformers.PretrainedConfig) -> tuple[torch.nn.Module, dict]:
    """The model with drawn numbers, by way of its own file, and the shapes in that file."""
    model_class = getattr(transformers, kind)
    with tempfile.TemporaryDirectory() as folder:
        model_class(config).save_pretrained(folder)
        file = Path(folder) / "model.safetensors"
        shapes = {name: x.shape for name, x in load_file(file).items()}
        save_file({name: normal(name, shape) for name, shape in shapes.items()}, file, {"format": "pt"})
        model, info = model_class.from_pretrained(
            folder, output_loading_info=True, attn_implementation="sdpa"
        )
    assert not any(info.values()), info
    return model.double().eval(), shapes


def batch(name: str) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    there = (torch.arange(9) < LENGTHS[:, None]).long()
    tokens = torch.randint(3, 40, (3, 9), generator=generator)
    pad = 1 if name == "roberta" else 0
    chosen = (torch.rand((3, 9), generator=generator) < 0.5) | (torch.arange(9) == 1)
    labels = tokens if name == "gpt2" else torch.randint(3, 40, (3, 9), generator=generator)
    labels = torch.where((there == 1) & (chosen | (name == "gpt2")), labels, -100)
    inputs = {"input_ids": torch.where(there == 1, tokens, pad), "attention_mask": there, "labels": labels}
    if name == "bert":
        inputs["token_type_ids"] = (torch.arange(9) >= LENGTHS[:, None] // 2).long() * there
        inputs["next_sentence_label"] = torch.tensor([0, 1, 1])
    return inputs


def mean_loss(scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return cross_entropy(scores.reshape(-1, scores.shape[-1]), labels.reshape(-1))


def hidden_states(model: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """What networks of 1, 2, ... of the layers give: behind the last norm, where there is one."""
    base = model.base_model
    out = base(**inputs, output_hidden_states=True)
    norm = getattr(base, "ln_f", getattr(base, "final_norm", torch.nn.Identity()))
    depth = len(out.hidden_states) - 1
    return torch.stack([*map(norm, out.hidden_states[1:depth]), out.last_hidden_state])


def made(name: str) -> dict[str, np.ndarray]:
    kind, config = MODELS[name]
    model, shapes = drawn(kind, config)
    inputs = batch(name)
    out = model(**inputs)
    labels, is_next = inputs.pop("labels"), inputs.pop("next_sentence_label", None)
    scores = out.prediction_logits if name == "bert" else out.logits
    # Their own loss is in float32.
    loss = mean_loss(scores[:, :-1], labels[:, 1:]) if name == "gpt2" else mean_loss(scores, labels)
    found = {"tokens": inputs["input_ids"], "labels": labels, "scores": scores}
    if is_next is not None:
        loss = loss + mean_loss(out.seq_relationship_logits, is_next)
        found |= {"types": inputs["token_type_ids"], "next": is_next}
        found["next_scores"] = out.seq_relationship_logits
    torch.testing.assert_close(loss, out.loss.double(), rtol=1e-6, atol=1e-6)
    loss.backward()
    gradients = {f"gradient/{key}": x.grad.float() for key, x in model.named_parameters() if key in shapes}
    found |= {"loss": loss, "hidden": hidden_states(model, inputs), **gradients}
    return {"shapes": np.array(json.dumps(shapes)), **{key: x.detach().numpy() for key, x in found.items()}}


def main() -> None:
    results = {name: made(name) for name in MODELS}
    arrays = {f"{model}/{name}": x for model, values in results.items() for name, x in values.items()}
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays, lengths=LENGTHS.numpy())


if __name__ == "__main__":
    main()
