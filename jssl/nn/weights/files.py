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
from jssl.nn.weights import convolutional, vit
from jssl.nn.weights.link import Link, Naming, Path, Shapes

Family = Literal["timm", "dinov2", "huggingface", "huggingface-dinov2"]

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

    Args:
        path: of a .safetensors file.
        variables: of `nn.resnet`, `nn.convnext`, `nn.vit` or `nn.transformer`, for the shapes; those of
            `jax.eval_shape(encoder.init, key, images)` will do.
        ignore: beginnings of names to leave out, beside those of classifiers and decoders, and of a mask
            vector that the network doesn't have.

    Raises:
        ValueError: for another kind of network, and names of the file that are unknown, missing or of another
            shape, with all of their names.

    Example:
        encoder = nn.normalized(nn.resnet50(), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), jnp.zeros((1, 224, 224, 3)))
        variables = nn.load_weights("resnet50.safetensors", shapes)
    """
    tensors, shapes = _tensors(path), _shapes(variables)
    naming = max(
        _namings(shapes).values(), key=lambda naming: len(_names(naming.links(shapes)) & set(tensors))
    )
    links = naming.links(shapes)
    beside = tuple(name for name in tensors if _among(name, naming.ignored) or name.startswith(tuple(ignore)))
    _check_names(path, _names(links), set(tensors), set(beside))
    found: dict[Path, np.ndarray] = {}
    for link in links:
        own = tuple(shapes[place] for place in link.paths)
        values = tuple(tensors[name] for name in link.names)
        _check_shapes(path, link, values, own)
        found |= zip(link.paths, link.read(values, own), strict=True)
    return jax.tree_util.tree_map_with_path(
        lambda place, _: jnp.asarray(found[_path(place)].astype(np.float32)), variables
    )


def save_weights(path: str | PathLike[str], variables: Variables, *, naming: Family = "timm") -> None:
    """Write a network's variables to a safetensors file, named and shaped as PyTorch's models have them.

    What `load_weights` reads is written back exactly. Hugging Face's names are those of `ViTModel`,
    `ViTMAEModel` ("huggingface") and `Dinov2Model` ("huggingface-dinov2"), without a prefix.

    Args:
        path: of the .safetensors file.
        variables: of `nn.resnet`, `nn.convnext`, `nn.vit` or `nn.transformer`.
        naming: "timm" (for ResNets torchvision's, too; for ViTs the one of MAE and DINO), and for ViTs
            "dinov2", "huggingface" or "huggingface-dinov2".

    Raises:
        ValueError: for another kind of network, or a naming that it doesn't have.
    """
    if naming not in get_args(Family):
        raise ValueError(f"expected a naming of {get_args(Family)}, got {naming!r}")
    shapes = _shapes(variables)
    namings = _namings(shapes)
    if naming not in namings:
        raise ValueError(f"this kind of network has the naming 'timm' only, got {naming!r}")
    arrays = {_path(place): np.asarray(x) for place, x in jax.tree_util.tree_leaves_with_path(variables)}
    tensors: dict[str, np.ndarray] = {}
    for link in namings[naming].links(shapes):
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


def _namings(shapes: Mapping[Path, tuple[int, ...]]) -> Mapping[str, Naming]:
    """The namings of this kind of network, known by the names of its parts."""
    if ("params", "block0", "attention", "qkv", "kernel") in shapes:
        return VIT
    if ("params", "stem_norm", "scale") not in shapes:
        raise ValueError(
            "expected the variables of nn.resnet, nn.convnext, nn.vit or nn.transformer, in a chain those of "
            f"the encoder alone; got arrays such as {'/'.join(next(iter(shapes), ('none',)))}"
        )
    return {
        "timm": convolutional.RESNET if ("params", "norm", "scale") not in shapes else convolutional.CONVNEXT
    }


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


def _check_shapes(
    path: str | PathLike[str], link: Link, values: tuple[np.ndarray, ...], shapes: Shapes
) -> None:
    zeros = link.write(tuple(np.broadcast_to(np.float32(0), shape) for shape in shapes))
    for name, expected, value in zip(link.names, zeros, values, strict=True):
        if expected.shape != value.shape:
            raise ValueError(
                f"expected {name} of shape {expected.shape} for this network, got {value.shape} in {path}: "
                "build the network with the sizes of the file"
            )
