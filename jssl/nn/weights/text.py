"""Names of text transformers' tensors, and of the heads that they are trained with."""

from collections.abc import Iterable
from typing import NamedTuple

from jssl.nn.weights.link import ByPath, Link, Naming, Path, later_rows, linear, norm, rows, same

PARTS = ("encoder", "head", "token_bias", "pooler", "next")
"""What the parameters of a model in pretraining are: the network, and what stands on top of it."""


class Names(NamedTuple):
    """What the files of BERT and of RoBERTa call differently.

    prefix: of the encoder's names, in files that hold more.
    unused: rows of the table of positions before the first one's.
    bias: of the scores of all tokens.
    """

    prefix: str
    unused: int
    dense: str
    norm: str
    bias: str
    tied: tuple[str, str]


BERT = Names(
    prefix="bert.",
    unused=0,
    dense="cls.predictions.transform.dense",
    norm="cls.predictions.transform.LayerNorm",
    bias="cls.predictions.bias",
    tied=("cls.predictions.decoder.weight", "cls.predictions.decoder.bias"),
)

ROBERTA = Names(
    prefix="roberta.",
    unused=2,
    dense="lm_head.dense",
    norm="lm_head.layer_norm",
    bias="lm_head.bias",
    tied=("lm_head.decoder.weight", "lm_head.decoder.bias"),
)

NORM, OLD_NORM = ("weight", "bias"), ("gamma", "beta")

BESIDE = ("cls.", "lm_head.", "classifier.", "qa_outputs.", "score.", "embeddings.position_ids")


def is_text(shapes: ByPath) -> bool:
    """Whether these are a text transformer's arrays, alone or with what it is trained with."""
    return ("params", "tokens") in shapes or ("params", "encoder", "tokens") in shapes


def namings(shapes: ByPath) -> dict[str, Naming]:
    """The namings that have names for exactly these arrays; of each family that comes first which is written.

    A file holds an encoder without a prefix, and with one if there are heads beside it.
    """
    whole = any(path[1] in ("head", "next") for path in shapes)
    found: dict[str, Naming] = {}
    for family, names in (("bert", BERT), ("roberta", ROBERTA)):
        for kind, norms in (("", NORM), (", old", OLD_NORM)):
            found[family + kind] = _bert(names, names.prefix if whole else "", norms, shapes)
            other = _bert(names, "" if whole else names.prefix, norms, shapes)
            found[f"{family}{kind}, other prefix"] = other
    found |= {"gpt2": _gpt2("", shapes), "gpt2, other prefix": _gpt2("transformer.", shapes)}
    for kind, prefix in (("", "model." if whole else ""), (", other prefix", "" if whole else "model.")):
        found[f"modernbert{kind}"] = _modernbert(prefix, shapes)
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


def _there(links: Iterable[Link], shapes: ByPath) -> list[Link]:
    return [link for link in links if link.paths[0] in shapes]


def _bert(names: Names, prefix: str, norms: tuple[str, str], shapes: ByPath) -> Naming:
    root = _root(shapes)

    def links(shapes: ByPath) -> list[Link]:
        embed = f"{prefix}embeddings."
        found = [
            same(f"{embed}word_embeddings.weight", (*root, "tokens")),
            later_rows(f"{embed}position_embeddings.weight", (*root, "positions"), names.unused),
            same(f"{embed}token_type_embeddings.weight", (*root, "types")),
            *norm(f"{embed}LayerNorm", (*root, "embed_norm"), norms),
        ]
        for index, path in _blocks(shapes):
            found += _bert_block(f"{prefix}encoder.layer.{index}.", path, norms)
        heads = [
            *linear([names.dense], ("params", "head", "dense")),
            *norm(names.norm, ("params", "head", "norm"), norms),
            same(names.bias, ("params", "token_bias")),
            *linear([f"{prefix}pooler.dense"], ("params", "pooler", "dense")),
        ]
        if names is BERT:
            heads += linear(["cls.seq_relationship"], ("params", "next"))
        return found + _there(heads, shapes)

    table = f"{prefix}embeddings.word_embeddings.weight"
    tied = zip(names.tied, (table, names.bias), strict=True) if ("params", "token_bias") in shapes else ()
    return Naming(links, (*BESIDE, f"{prefix}pooler."), tuple(tied))


def _bert_block(name: str, path: Path, norms: tuple[str, str]) -> list[Link]:
    attention = (*path, "attention")
    return [
        *linear([f"{name}attention.self.{part}" for part in ("query", "key", "value")], (*attention, "qkv")),
        *linear([f"{name}attention.output.dense"], (*attention, "out")),
        *norm(f"{name}attention.output.LayerNorm", (*path, "norm1"), norms),
        *linear([f"{name}intermediate.dense"], (*path, "mlp1")),
        *linear([f"{name}output.dense"], (*path, "mlp2")),
        *norm(f"{name}output.LayerNorm", (*path, "norm2"), norms),
    ]


def _gpt2(prefix: str, shapes: ByPath) -> Naming:
    """GPT-2's kernels are [in, out], as they are here."""
    root = _root(shapes)
    layers = {
        "attn.c_attn": ("attention", "qkv"),
        "attn.c_proj": ("attention", "out"),
        "mlp.c_fc": ("mlp1",),
        "mlp.c_proj": ("mlp2",),
    }

    def links(shapes: ByPath) -> list[Link]:
        found = [
            same(f"{prefix}wte.weight", (*root, "tokens")),
            same(f"{prefix}wpe.weight", (*root, "positions")),
            *norm(f"{prefix}ln_f", (*root, "norm")),
        ]
        for index, path in _blocks(shapes):
            name = f"{prefix}h.{index}."
            found += norm(f"{name}ln_1", (*path, "norm1")) + norm(f"{name}ln_2", (*path, "norm2"))
            for layer, place in layers.items():
                found.append(same(f"{name}{layer}.weight", (*path, *place, "kernel")))
                found.append(same(f"{name}{layer}.bias", (*path, *place, "bias")))
        return found

    masks = (".attn.bias", ".attn.masked_bias")
    return Naming(links, (*BESIDE, *masks), (("lm_head.weight", f"{prefix}wte.weight"),))


def _modernbert(prefix: str, shapes: ByPath) -> Naming:
    """Without any bias but that of the scores, and without a norm before the first attention."""
    root = _root(shapes)
    kernels = {
        "attn.Wqkv.weight": ("attention", "qkv"),
        "attn.Wo.weight": ("attention", "out"),
        "mlp.Wi.weight": ("mlp1",),
        "mlp.Wo.weight": ("mlp2",),
    }

    def links(shapes: ByPath) -> list[Link]:
        found = [
            same(f"{prefix}embeddings.tok_embeddings.weight", (*root, "tokens")),
            same(f"{prefix}embeddings.norm.weight", (*root, "embed_norm", "scale")),
            same(f"{prefix}final_norm.weight", (*root, "norm", "scale")),
        ]
        for index, path in _blocks(shapes):
            name = f"{prefix}layers.{index}."
            found += [rows([name + layer], (*path, *place, "kernel")) for layer, place in kernels.items()]
            if index:
                found.append(same(f"{name}attn_norm.weight", (*path, "norm1", "scale")))
            found.append(same(f"{name}mlp_norm.weight", (*path, "norm2", "scale")))
        heads = [
            rows(["head.dense.weight"], ("params", "head", "dense", "kernel")),
            same("head.norm.weight", ("params", "head", "norm", "scale")),
            same("decoder.bias", ("params", "token_bias")),
        ]
        return found + _there(heads, shapes)

    tied = (("decoder.weight", f"{prefix}embeddings.tok_embeddings.weight"),)
    beside = ("head.", "decoder.", *BESIDE)
    return Naming(links, beside, tied if ("params", "token_bias") in shapes else ())
