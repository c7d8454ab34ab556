"""Published weights: read from safetensors files into networks here, and written back."""

from collections.abc import Iterable, Mapping
from os import PathLike
from types import MappingProxyType
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError, numpy

from jssl.core import Variables
from jssl.nn.weights import convolutional, text, vit
from jssl.nn.weights.link import ByPath, Link, Naming, Path, Shapes

Family = Literal[
    "timm", "dinov2", "huggingface", "huggingface-dinov2", "bert", "roberta", "gpt2", "modernbert"
]

VIT = MappingProxyType(
    {
        "timm": vit.naming(vit.TIMM),
        "dinov2": vit.naming(vit.DINOV2),
        "huggingface": vit.naming(vit.HUGGINGFACE_VIT),
        "huggingface with prefix": vit.naming(vit.HUGGINGFACE_VIT, "vit."),
        "huggingface-dinov2": vit.naming(vit.HUGGINGFACE_DINOV2),
        "huggingface-dinov2 with prefix": vit.naming(vit.HUGGINGFACE_DINOV2, "dinov2."),
    }
)


def load_weights(path: str | PathLike[str], variables: Variables, *, ignore: Iterable[str] = ()) -> Variables:
    """A network's variables with the numbers of a published safetensors file, in float32.

    Read are ResNets of timm and torchvision, ConvNeXts of timm, and vision transformers of timm, MAE, DINO
    and DINOv2, in the authors' or in Hugging Face's naming, which is recognised. They give the same features
    where the network has the same options; for images normalised as the file's own, in patches of its size:

    * ResNet-50: `resnet50()`.
    * ViT of timm, DINO or MAE: `vit(patches(16, relative=True), *VIT_SIZES["base"], cls_token=True,
      gelu="erf", positions=Grid((14, 14)))`; Hugging Face's `ViTModel` and `ViTMAEModel` have
      `epsilon=1e-12`.
    * DINOv2: `vit(patches(14, relative=True), *VIT_SIZES["small"], pool="cls", gelu="erf", layer_scale=1.0,
      mask_token=True, positions=Grid((37, 37), antialias=False, offset=0.1))`, in Hugging Face's form without
      the offset; with registers `registers=4` and `Grid((37, 37))`; giant: `swiglu=True`.
    * ConvNeXt: `convnext_tiny(gelu="erf")`.

    Of text, in Hugging Face's naming, with the vocabulary, the sizes and the number of positions of the file:

    * BERT, and sentence encoders made of it: `text_transformer(30522, 768, 12, 12, max_length=512, **BERT)`.
    * RoBERTa: `text_transformer(50265, 768, 12, 12, max_length=512, **ROBERTA)`; its files have two more
      positions, which are never used.
    * GPT-2: `text_transformer(50257, 768, 12, 12, max_length=1024, **GPT2)`.
    * ModernBERT: `text_transformer(50368, 768, 22, 12, mlp_ratio=2.25, window=64, **MODERN)`.

    They are read with what they were trained with, too, into a dictionary {"encoder": the network's, "head":
    `masked_head`'s, "token_bias": [vocab_size], "pooler": `pooler`'s, "next": `linear(2)`'s} as `params`, in
    which all but the first may be missing.

    Args:
        path: of a .safetensors file.
        variables: of `nn.resnet`, `nn.convnext`, `nn.vit`, `nn.transformer` or `nn.text_transformer`, for the
            shapes; those of `jax.eval_shape(encoder.init, key, images)` will do.
        ignore: beginnings of names to leave out, beside those of classifiers and decoders, and of a mask
            vector that the network doesn't have.

    Raises:
        ValueError: for another kind of network, names of the file that are unknown, missing or of another
            shape, with all of their names, and scores of tokens by another table than the embeddings'.

    Example:
        encoder = nn.normalized(nn.resnet50(), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 224, 224, 3)))
        variables = nn.load_weights("resnet50.safetensors", shapes)
    """
    tensors, shapes = _tensors(path), _shapes(variables)
    naming = _recognised(_namings(shapes).values(), tensors, shapes)
    links = naming.links(shapes)
    ignored = tuple(ignore)
    beside = tuple(name for name in tensors if _among(name, naming.ignored) or name.startswith(ignored))
    _check_names(path, _names(links), set(tensors), set(beside))
    _check_tied(path, tensors, [tie for tie in naming.tied if not tie[0].startswith(ignored)])
    found: dict[Path, np.ndarray] = {}
    for link in links:
        own = tuple(shapes[place] for place in link.paths)
        values = tuple(tensors[name] for name in link.names)
        _check_shapes(path, link, values, shapes)
        found |= zip(link.paths, link.read(values, own), strict=True)
    return jax.tree_util.tree_map_with_path(
        lambda place, _: jnp.asarray(found[_path(place)].astype(np.float32)), variables
    )


def save_weights(path: str | PathLike[str], variables: Variables, *, naming: Family | None = None) -> None:
    """Write a network's variables to a safetensors file, named and shaped as PyTorch's models have them.

    What `load_weights` reads is written back exactly, but for rows that are never used. Hugging Face's names
    are those of `ViTModel`, `ViTMAEModel` ("huggingface") and `Dinov2Model` ("huggingface-dinov2"), without a
    prefix, and those of text: without a prefix for an encoder, with it where there are heads.

    Args:
        path: of the .safetensors file.
        variables: of `nn.resnet`, `nn.convnext`, `nn.vit`, `nn.transformer` or `nn.text_transformer`, or a
            dictionary as in `load_weights`.
        naming: None or "timm" for images (for ResNets torchvision's, too; for ViTs the one of MAE and DINO),
            and for ViTs also "dinov2", "huggingface" or "huggingface-dinov2". Text needs no naming, but
            "roberta" for what is like BERT in all shapes.

    Raises:
        ValueError: for another kind of network, or a naming that it doesn't have.
    """
    if naming not in (None, *get_args(Family)):
        raise ValueError(f"expected a naming of {get_args(Family)}, got {naming!r}")
    shapes = _shapes(variables)
    namings = _namings(shapes)
    chosen = next(iter(namings)) if naming is None else naming
    if chosen not in namings:
        has = " or ".join(repr(name) for name in namings if name in get_args(Family))
        raise ValueError(f"this kind of network has the naming {has} only, got {naming!r}")
    arrays = {_path(place): np.asarray(x) for place, x in jax.tree_util.tree_leaves_with_path(variables)}
    tensors: dict[str, np.ndarray] = {}
    for link in namings[chosen].links(shapes):
        written = link.write(tuple(arrays[place] for place in link.paths))
        tensors |= {name: np.ascontiguousarray(x) for name, x in zip(link.names, written, strict=True)}
    numpy.save_file(tensors, path, metadata={"format": "pt"})


def _tensors(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    try:
        return numpy.load_file(path)
    except SafetensorError as error:
        raise ValueError(
            f"expected a safetensors file, {path} isn't one: in PyTorch, "
            "safetensors.torch.save_file(model.state_dict(), path) makes one"
        ) from error


def _path(place: Any) -> Path:
    return tuple(str(key.name if hasattr(key, "name") else key.key) for key in place)


def _shapes(variables: Variables) -> dict[Path, tuple[int, ...]]:
    return {_path(place): tuple(x.shape) for place, x in jax.tree_util.tree_leaves_with_path(variables)}


def _namings(shapes: ByPath) -> Mapping[str, Naming]:
    """The namings of this kind of network, known by the names of its parts."""
    if text.is_text(shapes):
        return _text_namings(shapes)
    if ("params", "block0", "attention", "qkv", "kernel") in shapes:
        return VIT
    if ("params", "stem_norm", "scale") not in shapes:
        raise ValueError(
            "expected the variables of nn.resnet, nn.convnext, nn.vit, nn.transformer or "
            "nn.text_transformer, in a chain those of the encoder alone; got arrays such as "
            f"{'/'.join(next(iter(shapes), ('none',)))}"
        )
    return {
        "timm": convolutional.RESNET if ("params", "norm", "scale") not in shapes else convolutional.CONVNEXT
    }


def _text_namings(shapes: ByPath) -> Mapping[str, Naming]:
    found = text.namings(shapes)
    if not found:
        raise ValueError(
            "expected a text transformer with max_length and nn.BERT, nn.ROBERTA or nn.GPT2, or with "
            f"nn.MODERN, alone or in a dictionary of {', '.join(text.PARTS)}; no published files hold all of "
            f"{', '.join(sorted({path[1] for path in shapes}))}"
        )
    return found


def _recognised(namings: Iterable[Naming], tensors: Mapping[str, np.ndarray], shapes: ByPath) -> Naming:
    """The naming of which most names are there; among equals, that with most of the right shape."""

    def likeness(naming: Naming) -> tuple[int, int]:
        links = naming.links(shapes)
        there = [link for link in links if set(link.names) <= set(tensors)]
        fitting = [
            name
            for link in there
            for name, shape in zip(link.names, _written(link, shapes), strict=True)
            if tensors[name].shape == shape
        ]
        return len(_names(links) & set(tensors)), len(fitting)

    return max(namings, key=likeness)


def _written(link: Link, shapes: ByPath) -> Shapes:
    """The shapes of the link's tensors in a file."""
    zeros = (np.broadcast_to(np.float32(0), shapes[place]) for place in link.paths)
    return tuple(x.shape for x in link.write(tuple(zeros)))


def _names(links: Iterable[Link]) -> set[str]:
    return {name for link in links for name in link.names}


def _among(name: str, ignored: Iterable[str]) -> bool:
    return any(name.startswith(part) or name.endswith(part) for part in ignored)


def _check_names(path: str | PathLike[str], needed: set[str], there: set[str], beside: set[str]) -> None:
    missing, unknown = sorted(needed - there), sorted(there - needed - beside)
    if missing or unknown:
        raise ValueError(
            f"expected {path} to hold this network's weights; missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown) or 'none'}. Build the network with the options that "
            "load_weights names for such files, or leave unknown ones out with ignore=(...)"
        )


def _check_tied(
    path: str | PathLike[str], tensors: Mapping[str, np.ndarray], tied: Iterable[tuple[str, str]]
) -> None:
    for name, repeated in tied:
        if name in tensors and not np.array_equal(tensors[name], tensors[repeated]):
            raise ValueError(
                f"expected {name} to be {repeated} once more, as here the scores of tokens are products with "
                f"their embeddings; in {path} they differ. Leave it out with ignore=({name!r},)"
            )


def _check_shapes(
    path: str | PathLike[str],
    link: Link,
    values: tuple[np.ndarray, ...],
    shapes: ByPath,
) -> None:
    for name, expected, value in zip(link.names, _written(link, shapes), values, strict=True):
        if expected != value.shape:
            raise ValueError(
                f"expected {name} of shape {expected} for this network, got {value.shape} in {path}: "
                "build the network with the sizes of the file"
            )
