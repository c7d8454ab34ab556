"""Write published_weights.npz: features of PyTorch's models, names and shapes of the tensors in their files.

The weights are N(0, 0.3), drawn from the names, so that none is stored and no published file is needed.

Made with torch 2.14.1, timm 1.0.31 and transformers 5.23.0: `python tests/golden/published_weights.py`
* ResNet-50: torchvision's 0.29.1 at full depth and an eighth of the width; at the full width, its names and
  shapes are asserted to be those of timm's.
* MAE: the authors' encoder is made of timm's blocks, with timm's names; the decoder's are put beside them.
* DINOv2 in the authors' names: through timm's own conversion of their files.
* Hugging Face: the files that `save_pretrained` writes, read again with the drawn numbers.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import timm
import torch
import torchvision
import transformers
from safetensors.numpy import load_file, save_file
from timm.layers import SwiGLUPacked
from timm.models.vision_transformer import VisionTransformer, checkpoint_filter_fn
from torch.nn.functional import interpolate
from weights import images, normal

VIT = {"img_size": 16, "patch_size": 4, "embed_dim": 32, "depth": 2, "num_heads": 4, "num_classes": 0}
HUGGINGFACE = {
    "image_size": 16,
    "patch_size": 4,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(normal(name, shape)) for name, shape in shapes.items()}


def shapes_of(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(x.shape) for name, x in model.state_dict().items() if x.ndim}


def batch(height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(images((2, height, width, 3))).permute(0, 3, 1, 2)


def found(shapes: dict[str, tuple[int, ...]], **features: torch.Tensor) -> dict[str, np.ndarray]:
    return {"shapes": np.array(json.dumps(shapes)), **{name: x.numpy() for name, x in features.items()}}


def resnet() -> dict[str, np.ndarray]:
    model = torchvision.models.resnet50()
    assert shapes_of(model) == shapes_of(timm.create_model("resnet50"))
    for name, module in list(model.named_modules()):
        narrow = None
        if isinstance(module, torch.nn.Conv2d):
            inputs = 3 if module.in_channels == 3 else module.in_channels // 8
            geometry = (module.kernel_size, module.stride, module.padding)
            narrow = torch.nn.Conv2d(inputs, module.out_channels // 8, *geometry, bias=False)
        elif isinstance(module, torch.nn.BatchNorm2d):
            narrow = torch.nn.BatchNorm2d(module.num_features // 8)
        if narrow is not None:
            parent, _, own = name.rpartition(".")
            setattr(model.get_submodule(parent), own, narrow)
    model.fc = torch.nn.Identity()
    shapes = shapes_of(model)
    model.load_state_dict(drawn(shapes), strict=False)
    return found({**shapes, "fc.weight": (10, 256), "fc.bias": (10,)}, features=model.eval()(batch(64, 48)))


def convnext() -> dict[str, np.ndarray]:
    model = timm.models.convnext.ConvNeXt(depths=(1, 1, 2, 1), dims=(8, 12, 16, 24), num_classes=10)
    shapes = shapes_of(model)
    model.load_state_dict(drawn(shapes))
    return found(
        shapes, features=model.eval().forward_head(model.forward_features(batch(64, 64)), pre_logits=True)
    )


def vit() -> dict[str, np.ndarray]:
    model = VisionTransformer(**VIT)
    shapes = shapes_of(model)
    model.load_state_dict(drawn(shapes))
    decoder = {
        "mask_token": (1, 1, 8),
        "decoder_pos_embed": (1, 17, 8),
        "decoder_blocks.0.norm1.weight": (8,),
    }
    return found({**shapes, **decoder}, features=model.eval().forward_features(batch(16, 16)))


def vit_at_other_sizes() -> dict[str, np.ndarray]:
    """With registers, layer scale, no bias of q, k and v, and no position of the class token."""
    model = VisionTransformer(
        **VIT, reg_tokens=2, no_embed_class=True, init_values=1.0, qkv_bias=False, dynamic_img_size=True
    )
    shapes = shapes_of(model)
    model.load_state_dict(drawn(shapes))
    model.eval()
    sizes = {f"features_{h}x{w}": model.forward_features(batch(h, w)) for h, w in ((24, 16), (8, 12))}
    return found(shapes, features=model.forward_features(batch(16, 16)), **sizes)


def dinov2(swiglu: bool) -> dict[str, np.ndarray]:
    """The authors' names, with registers and, in their largest model, SwiGLU."""
    layer = {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU, "mlp_ratio": 5.5} if swiglu else {}
    model = VisionTransformer(**VIT, reg_tokens=3, no_embed_class=True, init_values=1.0, **layer)
    renamed = {"reg_token": "register_tokens"}
    shapes = {"mask_token": (1, 32)}
    for name, shape in shapes_of(model).items():
        if swiglu:
            name = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        shapes[renamed.get(name, name)] = (1, 17, 32) if name == "pos_embed" else shape
    model.load_state_dict(checkpoint_filter_fn(drawn(shapes), model))
    return found(shapes, features=model.eval().forward_features(batch(16, 16)))


def huggingface(kind: str, config: transformers.PretrainedConfig, *sizes: tuple[int, int], **call):
    with tempfile.TemporaryDirectory() as folder:
        getattr(transformers, kind)(config).save_pretrained(folder)
        file = Path(folder) / "model.safetensors"
        shapes = {name: x.shape for name, x in load_file(file).items()}
        save_file({name: x.numpy() for name, x in drawn(shapes).items()}, file, metadata={"format": "pt"})
        model = getattr(transformers, kind).from_pretrained(folder).eval()
    model = getattr(model, "vit", model)
    run = lambda h, w: model(batch(h, w), **call).last_hidden_state  # noqa: E731
    others = {f"features_{h}x{w}": run(h, w) for h, w in sizes}
    return found(shapes, features=run(16, 16), **others)


def tables() -> dict[str, np.ndarray]:
    """A learned table [4, 5, 3] at other sizes, in each of the three published ways.

    "offset" is DINOv2's, which leaves the table alone at its own size.
    """
    table = torch.from_numpy(normal("table", (1, 3, 4, 5)))
    results = {"table": table}
    for h, w in ((7, 6), (2, 3), (1, 9), (4, 5)):
        results[f"antialias_{h}x{w}"] = interpolate(table, size=(h, w), mode="bicubic", antialias=True)
        results[f"bicubic_{h}x{w}"] = interpolate(table, size=(h, w), mode="bicubic")
        scale = ((h + 0.1) / 4, (w + 0.1) / 5)
        offset = interpolate(table, scale_factor=scale, mode="bicubic")
        results[f"offset_{h}x{w}"] = table if (h, w) == (4, 5) else offset
    return {name: x[0].permute(1, 2, 0).numpy() for name, x in results.items()}


@torch.no_grad()
def main() -> None:
    mae = transformers.ViTMAEConfig(
        **HUGGINGFACE,
        intermediate_size=128,
        mask_ratio=0.0,
        decoder_hidden_size=8,
        decoder_num_hidden_layers=1,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    in_order = {"noise": torch.arange(16.0).expand(2, -1)}
    registers = transformers.Dinov2WithRegistersConfig(**HUGGINGFACE, num_register_tokens=3)
    results = {
        "tables": tables(),
        "resnet": resnet(),
        "convnext": convnext(),
        "vit": vit(),
        "vit_registers": vit_at_other_sizes(),
        "dinov2": dinov2(swiglu=False),
        "dinov2_swiglu": dinov2(swiglu=True),
        "hf_vit": huggingface("ViTModel", transformers.ViTConfig(**HUGGINGFACE, intermediate_size=128)),
        "hf_mae": huggingface("ViTMAEForPreTraining", mae, **in_order),
        "hf_dinov2": huggingface("Dinov2Model", transformers.Dinov2Config(**HUGGINGFACE), (24, 16), (8, 12)),
        "hf_dinov2_swiglu": huggingface(
            "Dinov2Model", transformers.Dinov2Config(**HUGGINGFACE, use_swiglu_ffn=True)
        ),
        "hf_registers": huggingface("Dinov2WithRegistersModel", registers, (24, 16), (8, 12)),
    }
    arrays = {f"{model}/{name}": x for model, values in results.items() for name, x in values.items()}
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    main()
