"""Names of residual networks' and ConvNeXts' tensors."""

from jssl.nn.weights.link import ByPath, Link, Naming, batch_norm, convolution, linear, norm, same


def _resnet(shapes: ByPath) -> list[Link]:
    links = [
        convolution("conv1.weight", ("params", "stem_conv", "kernel")),
        *batch_norm("bn1", ("stem_norm",)),
    ]
    for block in sorted({path[1] for path in shapes if path[1].startswith("stage")}):
        stage, index = block.removeprefix("stage").split("_block")
        name = f"layer{int(stage) + 1}.{index}."
        for number in (1, 2, 3):
            kernel = ("params", block, f"conv{number}", "kernel")
            links.append(convolution(f"{name}conv{number}.weight", kernel))
            links += batch_norm(f"{name}bn{number}", (block, f"norm{number}"))
        links.append(convolution(f"{name}downsample.0.weight", ("params", block, "shortcut_conv", "kernel")))
        links += batch_norm(f"{name}downsample.1", (block, "shortcut_norm"))
    return [link for link in links if link.paths[0] in shapes]


def _convnext(shapes: ByPath) -> list[Link]:
    links = [*_sampling("stem.0", "stem_conv"), *norm("stem.1", ("params", "stem_norm"))]
    blocks = sorted({path[1] for path in shapes if "_block" in path[1]})
    for stage in sorted({block.split("_block")[0] for block in blocks} - {"stage0"}):
        name = f"stages.{stage.removeprefix('stage')}.downsample."
        links += norm(f"{name}0", ("params", f"{stage}_norm"))
        links += _sampling(f"{name}1", f"{stage}_conv")
    for block in blocks:
        stage, index = block.removeprefix("stage").split("_block")
        name, path = f"stages.{stage}.blocks.{index}.", ("params", block)
        links.append(same(f"{name}gamma", (*path, "scale")))
        links += _sampling(f"{name}conv_dw", f"{block}.conv")
        links += norm(f"{name}norm", (*path, "norm"))
        links += linear([f"{name}mlp.fc1"], (*path, "mlp1")) + linear([f"{name}mlp.fc2"], (*path, "mlp2"))
    return [*links, *norm("head.norm", ("params", "norm"))]


def _sampling(name: str, path: str) -> list[Link]:
    at = ("params", *path.split("."))
    return [convolution(f"{name}.weight", (*at, "kernel")), same(f"{name}.bias", (*at, "bias"))]


RESNET = Naming(_resnet, ("fc.", ".num_batches_tracked"))
CONVNEXT = Naming(_convnext, ("head.fc.",))
