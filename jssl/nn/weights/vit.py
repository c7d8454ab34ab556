"""Names of vision transformers' tensors."""

from typing import NamedTuple

from jssl.nn.weights.link import ByPath, Link, Naming, linear, norm, patch_kernel, positions, same


class Names(NamedTuple):
    """What a file calls the parts of a vision transformer."""

    cls: str
    positions: str
    mask: str
    registers: str
    embed: str
    block: str
    norm1: str
    qkv: tuple[str, ...]
    out: str
    scale1: str
    norm2: str
    mlp: tuple[str, str]
    swiglu: tuple[str, str]
    scale2: str
    norm: str


TIMM = Names(
    cls="cls_token",
    positions="pos_embed",
    mask="mask_token",
    registers="reg_token",
    embed="patch_embed.proj",
    block="blocks.",
    norm1="norm1",
    qkv=("attn.qkv",),
    out="attn.proj",
    scale1="ls1.gamma",
    norm2="norm2",
    mlp=("mlp.fc1", "mlp.fc2"),
    swiglu=("mlp.fc1", "mlp.fc2"),
    scale2="ls2.gamma",
    norm="norm",
)

DINOV2 = TIMM._replace(registers="register_tokens", swiglu=("mlp.w12", "mlp.w3"))

HUGGINGFACE_DINOV2 = Names(
    cls="embeddings.cls_token",
    positions="embeddings.position_embeddings",
    mask="embeddings.mask_token",
    registers="embeddings.register_tokens",
    embed="embeddings.patch_embeddings.projection",
    block="encoder.layer.",
    norm1="norm1",
    qkv=tuple(f"attention.attention.{part}" for part in ("query", "key", "value")),
    out="attention.output.dense",
    scale1="layer_scale1.lambda1",
    norm2="norm2",
    mlp=("mlp.fc1", "mlp.fc2"),
    swiglu=("mlp.weights_in", "mlp.weights_out"),
    scale2="layer_scale2.lambda1",
    norm="layernorm",
)

HUGGINGFACE_VIT = HUGGINGFACE_DINOV2._replace(
    norm1="layernorm_before", norm2="layernorm_after", mlp=("intermediate.dense", "output.dense")
)


def naming(names: Names, prefix: str = "") -> Naming:
    """The naming of files in which all names of the encoder begin with `prefix`."""

    def links(shapes: ByPath) -> list[Link]:
        return [
            link._replace(names=tuple(prefix + name for name in link.names)) for link in _links(names, shapes)
        ]

    beside = ("head.", "head_dist.", "classifier.", "decoder", "pooler.", f"{prefix}pooler.")
    return Naming(links, (*beside, f"{prefix}{names.mask}"))


def _links(names: Names, shapes: ByPath) -> list[Link]:
    depth = len({path[1] for path in shapes if path[1].startswith("block")})
    return [
        *_vectors(names, shapes),
        patch_kernel(f"{names.embed}.weight", ("params", "embed", "kernel")),
        same(f"{names.embed}.bias", ("params", "embed", "bias")),
        *(link for index in range(depth) for link in _block(names, index, shapes)),
        *norm(names.norm, ("params", "norm")),
    ]


def _vectors(names: Names, shapes: ByPath) -> list[Link]:
    """Class token, registers, mask vector and learned positions, those that the network has."""
    links = [
        same(names.cls, ("params", "cls")),
        same(names.registers, ("params", "registers")),
        same(names.mask, ("params", "mask_token"), (1, -1)),
    ]
    grid, cls = ("params", "positions"), ("params", "cls_position")
    if grid in shapes:
        links.append(positions(names.positions, grid, cls if cls in shapes else None))
    return [link for link in links if link.paths[0] in shapes]


def _block(names: Names, index: int, shapes: ByPath) -> list[Link]:
    name, path = f"{names.block}{index}.", ("params", f"block{index}")
    first, second = shapes[*path, "mlp1", "kernel"], shapes[*path, "mlp2", "kernel"]
    mlp = names.mlp if first[1] == second[0] else names.swiglu
    links = [
        *norm(name + names.norm1, (*path, "norm1")),
        *linear([name + part for part in names.qkv], (*path, "attention", "qkv")),
        *linear([name + names.out], (*path, "attention", "out")),
        same(name + names.scale1, (*path, "scale1")),
        *norm(name + names.norm2, (*path, "norm2")),
        *linear([name + mlp[0]], (*path, "mlp1")),
        *linear([name + mlp[1]], (*path, "mlp2")),
        same(name + names.scale2, (*path, "scale2")),
    ]
    return [link for link in links if link.paths[0] in shapes]
