"""What the makers publish of their chips, as far as a plan needs it."""

from typing import NamedTuple

import jax


class Chip(NamedTuple):
    """Figures of one chip.

    Attributes:
        name: as topologies have it, "v5e".
        memory: bytes.
        flops: the most bfloat16 operations a second.
        bandwidth: bytes a second between the chip and its memory.
        network: bytes a second that a chip sends over all of its links together, and receives as many.
        source: where the figures stand.
    """

    name: str
    memory: float
    flops: float
    bandwidth: float
    network: float
    source: str


CLOUD = "https://cloud.google.com/tpu/docs/"

CHIPS = {
    chip.name: chip
    for chip in (
        Chip("v4", 32 * 2**30, 275e12, 1200e9, 300e9, CLOUD + "v4; links: arXiv 2304.01433"),
        Chip("v5e", 16 * 2**30, 197e12, 819e9, 200e9, CLOUD + "v5e"),
        Chip("v5p", 95 * 2**30, 459e12, 2765e9, 600e9, CLOUD + "v5p"),
        Chip("v6e", 32 * 2**30, 918e12, 1638e9, 400e9, CLOUD + "v6e"),
    )
}
"""By name; the documents count both directions of the network together."""


def topology(name: str) -> list[jax.Device]:
    """The devices of a TPU slice that isn't there, as "v5e:16x16": programs can be compiled for them.

    Raises:
        ValueError: libtpu is missing, or knows no such slice.
    """
    from jax.experimental import topologies

    generation = name.partition(":")[0]
    if generation not in CHIPS:
        raise ValueError(
            f"Expected a topology as v5e:16x16, of one of {', '.join(CHIPS)}, got {name!r}: the kind of "
            "chip and how many along each side of the slice."
        )
    try:
        described = topologies.get_topology_desc(platform="tpu", topology_name=name)
    except Exception as error:
        raise ValueError(
            f"No topology {name!r}: {error} What compiles for TPUs is libtpu: pip install 'jssl[tpu]'."
        ) from error
    return list(described.devices)
