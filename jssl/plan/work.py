"""What a compiled program computes and moves in a step, loops as often as they run.

XLA's own count of these takes the body of a loop once.
"""

import math
import re
from typing import NamedTuple

import numpy as np

from jssl.plan.hlo import Array, Instruction, Module

STILL = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "while", "conditional", "call"}
STILL |= {"after-all", "partition-id", "replica-id", "optimization-barrier", "opt-barrier", "add-dependency"}
"""Instructions that move nothing themselves."""


class Work(NamedTuple):
    """Of one device in a step.

    Attributes:
        flops: of its matrix products and convolutions, which is nearly all; two for a product and its sum.
        bytes: between the chip and its memory, each fusion reading what it takes and writing what it gives.
    """

    flops: float
    bytes: float


def count(module: Module) -> Work:
    """The work of a program."""
    flops = moved = 0.0
    for computation, times in module.times.items():
        for instruction in module.computations.get(computation, ()):
            flops += times * _flops(instruction, module)
            if computation not in module.fused:
                moved += times * _moved(instruction, module)
    return Work(flops, moved)


def _flops(instruction: Instruction, module: Module) -> float:
    if instruction.opcode not in ("dot", "convolution"):
        return 0.0
    left, right = (module.named[name].results[0].shape for name in instruction.operands[:2])
    (result,) = instruction.results
    if instruction.opcode == "dot":
        summed = math.prod(left[axis] for axis in _numbers(instruction.text, "lhs_contracting_dims"))
        return 2.0 * math.prod(result.shape) * summed
    return 2.0 * _convolution(instruction.text, left, right, result.shape)


def _numbers(text: str, attribute: str) -> list[int]:
    match = re.search(rf"\b{attribute}=\{{([\d,]*)\}}", text)
    return [int(n) for n in match[1].split(",") if n] if match else []


def _convolution(text: str, left: tuple[int, ...], right: tuple[int, ...], result: tuple[int, ...]) -> float:
    """Products of a convolution, without those with padding."""
    labels = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", text)
    if labels is None:
        return 0.0
    inputs, kernel, outputs = labels[1], labels[2], labels[3]
    groups = {
        name: int(match[1]) if (match := re.search(rf"\b{name}_group_count=(\d+)", text)) else 1
        for name in ("feature", "batch")
    }
    positions = 1
    for index, axis in enumerate(sorted(letter for letter in outputs if letter.isdigit())):
        positions *= _meetings(
            _Window.read(text, index),
            left[inputs.index(axis)],
            right[kernel.index(axis)],
            result[outputs.index(axis)],
        )
    features = left[inputs.index("f")] // groups["feature"] * result[outputs.index("f")]
    return float(positions) * features * (left[inputs.index("b")] // groups["batch"])


class _Window(NamedTuple):
    """How a kernel moves along one dimension."""

    stride: int
    low: int
    left_dilation: int
    right_dilation: int

    @classmethod
    def read(cls, text: str, index: int) -> "_Window":
        window = re.search(r"\bwindow=\{(.*?)\}", text)

        def part(name: str, default: int) -> int:
            match = re.search(rf"\b{name}=(\S+)", window[1]) if window else None
            return int(match[1].split("x")[index].split("_")[0]) if match else default

        return cls(part("stride", 1), part("pad", 0), part("lhs_dilate", 1), part("rhs_dilate", 1))


def _meetings(window: _Window, size: int, kernel: int, result: int) -> int:
    """Pairs of an output's position and a kernel's that meet an input and not padding or a gap."""
    places = np.arange(result)[:, None] * window.stride - window.low
    places = places + np.arange(kernel) * window.right_dilation
    inside = (places >= 0) & (places <= (size - 1) * window.left_dilation)
    return int(np.count_nonzero(inside & (places % window.left_dilation == 0)))


def _moved(instruction: Instruction, module: Module) -> float:
    """Bytes that an instruction reads from the chip's memory and writes into it."""
    opcode = instruction.opcode
    if opcode in STILL or opcode.endswith(("-done", "-update")) or opcode == "async-start":
        return 0.0
    operands = [module.named[name].results for name in instruction.operands]
    if opcode == "fusion":
        return _moved_by_fusion(instruction, operands, module)
    if opcode.endswith("-start"):
        # The results repeat the operands; what arrives is the largest of them or as large.
        source = max((array for arrays in operands for array in arrays), key=lambda x: x.bytes, default=None)
        target = max(instruction.results, key=lambda x: x.bytes)
        if opcode == "slice-start":
            target = instruction.results[min(1, len(instruction.results) - 1)]
            source = target._replace(near=source.near) if source else None
        return _far(target) + (_far(source) if source else 0.0)
    if opcode in ("dynamic-slice", "slice", "gather"):
        read = operands[0][0]
        return sum(_far(x) + _far(x._replace(near=read.near)) for x in instruction.results)
    if opcode == "dynamic-update-slice":
        written = operands[1][0]
        return _far(written) + _far(written._replace(near=instruction.results[0].near))
    return sum(_far(x) for arrays in (*operands, instruction.results) for x in arrays)


def _far(array: Array) -> float:
    return 0.0 if array.near else float(array.bytes)


def _moved_by_fusion(instruction: Instruction, operands: list[tuple[Array, ...]], module: Module) -> float:
    """Of an operand that is only sliced the slices, of one that is only updated in place the updates."""
    (called,) = instruction.called("calls")
    inner = module.computations[called]
    moved = in_place = 0.0
    for parameter in (x for x in inner if x.opcode == "parameter"):
        array = operands[int(parameter.text.split(" parameter(")[1].split(")")[0])][0]
        users = _users(parameter.name, inner, module)
        if users and all(user.opcode == "dynamic-slice" for user in users):
            moved += sum(_far(user.results[0]._replace(near=array.near)) for user in users)
        elif users and all(
            user.opcode == "dynamic-update-slice" and user.operands[0] == parameter.name for user in users
        ):
            # What is written is the update, and the array as a whole is not read.
            moved += sum(
                _far(module.named[user.operands[1]].results[0]._replace(near=array.near)) for user in users
            )
            in_place += _far(array)
        else:
            moved += _far(array)
    return moved + max(0.0, sum(_far(x) for x in instruction.results) - in_place)


def _users(name: str, inner: list[Instruction], module: Module) -> list[Instruction]:
    """Those that take a result, seen through changes of its form and into fusions within."""
    found: list[Instruction] = []
    for user in inner:
        if name not in user.operands:
            continue
        if user.opcode == "bitcast":
            found.extend(_users(user.name, inner, module))
        elif user.opcode == "fusion":
            (callee,) = user.called("calls")
            within = module.computations[callee]
            number = f"parameter({user.operands.index(name)})"
            found.extend(
                found_within
                for x in within
                if number in x.text
                for found_within in _users(x.name, within, module)
            )
        else:
            found.append(user)
    return found
