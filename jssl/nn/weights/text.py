"""Names of text transformers' tensors, and of the heads that they are trained with."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from jssl.nn.weights.link import ByPath, Link, Naming, Path, later_rows, linear, norm, rows, same

PARTS = ("encoder", "head", "token_bias", "pooler", "next")
"""What the parameters of a model in pretraining are: the network, and what stands on top of it."""

BESIDE = ("cls.", "lm_head.", "classifier.", "qa_outputs.", "score.", "embeddings.position_ids")


class Names(NamedTuple):
    """What the files of BERT and of RoBERTa call differently.

    unused: rows of the table of positions before the first one's.
    affine: the scale and the bias of a norm.
    dense, norm: the layers of the masked head.
    scores: the layer behind it, which repeats the embeddings and the bias.
    next: the head for the next sentence, if there is one.
    """

    unused: int
    affine: tuple[str, str]
    dense: str
    norm: str
    bias: str
    scores: str
    next: str | None


BERT = Names(
    unused=0,
    affine=("weight", "bias"),
    dense="cls.predictions.transform.dense",
    norm="cls.predictions.transform.LayerNorm",
    bias="cls.predictions.bias",
    scores="cls.predictions.decoder",
    next="cls.seq_relationship",
)

FIRST_BERT = BERT._replace(affine=("gamma", "beta"))

ROBERTA = Names(
    unused=2,
    affine=("weight", "bias"),
    dense="lm_head.dense",
    norm="lm_head.layer_norm",
    bias="lm_head.bias",
    scores="lm_head.decoder",
    next=None,
)


def is_text(shapes: ByPath) -> bool:
    """Whether these are a text transformer's arrays, alone or with what it is trained with."""
    return (*_root(shapes), "tokens") in shapes


def namings(shapes: ByPath) -> dict[str, Naming]:
    """The namings that have names for exactly these arrays; of each family that comes first which is written.

    A file holds an encoder without a prefix, and with one if there are heads beside it.
    """
    whole = any(path[1] in ("head", "next") for path in shapes)
    found: dict[str, Naming] = {}
    for family, (prefix, make) in FAMILIES.items():
        found[family] = make(prefix if whole else "", shapes)
        found[f"{family}, other prefix"] = make("" if whole else prefix, shapes)
    gated = _gated(shapes)
    return {
        name: naming
        for name, naming in found.items()
        if name.startswith("modernbert") == gated and _complete(naming.links(shapes), shapes)
    }


def _gated(shapes: ByPath) -> bool:
    path = (*_root(shapes), "block0")
    return shapes[*path, "mlp1", "kernel"][1] != shapes[*path, "mlp2", "kernel"][0]


def _complete(links: Iterable[Link], shapes: ByPath) -> bool:
    return {path for link in links for path in link.paths} == set(shapes)


def _root(shapes: ByPath) -> Path:
    return ("params", "encoder") if ("params", "encoder", "tokens") in shapes else ("params",)


def _blocks(shapes: ByPath) -> list[tuple[int, Path]]:
    root = _root(shapes)
    names = {path[len(root)] for path in shapes if path[: len(root)] == root}
    return [(index, (*root, f"block{index}")) for index in range(sum(n.startswith("block") for n in names))]


def _naming(
    links: list[Link], heads: list[Link], shapes: ByPath, beside: tuple[str, ...], tied: dict[str, str]
) -> Naming:
    """Of an encoder's links, and of those heads that are there; ties count where there are scores."""
    found = links + [link for link in heads if link.paths[0] in shapes]
    scored = not heads or ("params", "token_bias") in shapes
    return Naming(lambda _: found, (*BESIDE, *beside), tuple(tied.items()) if scored else ())


def _bert(names: Names, prefix: str, shapes: ByPath) -> Naming:
    root, embed = _root(shapes), f"{prefix}embeddings."
    table = f"{embed}word_embeddings.weight"
    links = [
        same(table, (*root, "tokens")),
        later_rows(f"{embed}position_embeddings.weight", (*root, "positions"), names.unused),
        same(f"{embed}token_type_embeddings.weight", (*root, "types")),
        *norm(f"{embed}LayerNorm", (*root, "embed_norm"), names.affine),
    ]
    for index, path in _blocks(shapes):
        links += _bert_block(f"{prefix}encoder.layer.{index}.", path, names.affine)
    heads = [
        *linear([names.dense], ("params", "head", "dense")),
        *norm(names.norm, ("params", "head", "norm"), names.affine),
        same(names.bias, ("params", "token_bias")),
        *linear([f"{prefix}pooler.dense"], ("params", "pooler", "dense")),
    ]
    if names.next is not None:
        heads += linear([names.next], ("params", "next"))
    tied = {f"{names.scores}.weight": table, f"{names.scores}.bias": names.bias}
    return _naming(links, heads, shapes, (f"{prefix}pooler.",), tied)


def _bert_block(name: str, path: Path, affine: tuple[str, str]) -> list[Link]:
    attention = (*path, "attention")
    return [
        *linear([f"{name}attention.self.{part}" for part in ("query", "key", "value")], (*attention, "qkv")),
        *linear([f"{name}attention.output.dense"], (*attention, "out")),
        *norm(f"{name}attention.output.LayerNorm", (*path, "norm1"), affine),
        *linear([f"{name}intermediate.dense"], (*path, "mlp1")),
        *linear([f"{name}output.dense"], (*path, "mlp2")),
        *norm(f"{name}output.LayerNorm", (*path, "norm2"), affine),
    ]


def _gpt2(prefix: str, shapes: ByPath) -> Naming:
    """Its kernels are [in, out], as they are here."""
    root, table = _root(shapes), f"{prefix}wte.weight"
    layers = {
        "attn.c_attn": ("attention", "qkv"),
        "attn.c_proj": ("attention", "out"),
        "mlp.c_fc": ("mlp1",),
        "mlp.c_proj": ("mlp2",),
    }
    links = [
        same(table, (*root, "tokens")),
        same(f"{prefix}wpe.weight", (*root, "positions")),
        *norm(f"{prefix}ln_f", (*root, "norm")),
    ]
    for index, path in _blocks(shapes):
        name = f"{prefix}h.{index}."
        links += norm(f"{name}ln_1", (*path, "norm1")) + norm(f"{name}ln_2", (*path, "norm2"))
        for layer, place in layers.items():
            links.append(same(f"{name}{layer}.weight", (*path, *place, "kernel")))
            links.append(same(f"{name}{layer}.bias", (*path, *place, "bias")))
    return _naming(links, [], shapes, (".attn.bias", ".attn.masked_bias"), {"lm_head.weight": table})


def _modernbert(prefix: str, shapes: ByPath) -> Naming:
    """Without any bias but that of the scores, and without a norm before the first attention."""
    root, table = _root(shapes), f"{prefix}embeddings.tok_embeddings.weight"
    kernels = {
        "attn.Wqkv.weight": ("attention", "qkv"),
        "attn.Wo.weight": ("attention", "out"),
        "mlp.Wi.weight": ("mlp1",),
        "mlp.Wo.weight": ("mlp2",),
    }
    links = [
        same(table, (*root, "tokens")),
        same(f"{prefix}embeddings.norm.weight", (*root, "embed_norm", "scale")),
        same(f"{prefix}final_norm.weight", (*root, "norm", "scale")),
    ]
    for index, path in _blocks(shapes):
        name = f"{prefix}layers.{index}."
        links += [rows([name + layer], (*path, *place, "kernel")) for layer, place in kernels.items()]
        if index:
            links.append(same(f"{name}attn_norm.weight", (*path, "norm1", "scale")))
        links.append(same(f"{name}mlp_norm.weight", (*path, "norm2", "scale")))
    heads = [
        rows(["head.dense.weight"], ("params", "head", "dense", "kernel")),
        same("head.norm.weight", ("params", "head", "norm", "scale")),
        same("decoder.bias", ("params", "token_bias")),
    ]
    return _naming(links, heads, shapes, ("head.", "decoder."), {"decoder.weight": table})


FAMILIES: dict[str, tuple[str, Callable[[str, ByPath], Naming]]] = {
    "bert": ("bert.", partial(_bert, BERT)),
    "bert at first": ("bert.", partial(_bert, FIRST_BERT)),
    "roberta": ("roberta.", partial(_bert, ROBERTA)),
    "gpt2": ("transformer.", _gpt2),
    "modernbert": ("model.", _modernbert),
}
"""Each family's prefix of the encoder's names, where a file holds more, and its naming."""
