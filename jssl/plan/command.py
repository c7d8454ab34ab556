"""`jssl plan FILE`: the command."""

import json
import math
import os
import sys
from collections.abc import Sequence

import jax

from jssl import data, options, platform
from jssl.locate import Factory, find
from jssl.plan.chips import CHIPS, topology
from jssl.plan.make import Plan, as_json, make_plan
from jssl.plan.page import draw_plans
from jssl.plan.show import show, show_all
from jssl.train import check_batch_size, device_mesh, parse_mesh

OWN: dict[str, options.Option] = {
    "topology": (
        str | None,
        None,
        "A slice of TPUs, as v5e:16x16, for which the step is compiled without having it (needs libtpu); the "
        "devices present if not given.",
    ),
    "mesh": options.MESH,
    "input_rate": (
        float | None,
        None,
        "Examples a second that a host can read and decode; the plan says where the devices would wait.",
    ),
    "json": (bool, False, "Print the plan as JSON."),
    "page": (
        str | None,
        None,
        "An HTML file to draw several plans into: costs and memory beside each other.",
    ),
}


def main(path: str, args: Sequence[str]) -> None:
    """Plan the experiment in a file, for every combination of the values that its options list by commas.

    Raises:
        ValueError: no such experiment or topology, or a batch that can't be divided.
    """
    factory = find(path)
    plans, combinations = [], options.combinations(args)
    for words in combinations:
        arguments, own = options.parse(factory, words, OWN)
        try:
            plans.append(_plan(factory, arguments, own))
        except ValueError as error:
            if len(combinations) == 1:
                raise
            sys.stderr.write(f"{' '.join(words)}: {error}\n")
    if own["json"]:
        found = [as_json(plan) for plan in plans]
        sys.stdout.write(json.dumps(found if len(combinations) > 1 else found[0], indent=2) + "\n")
    elif len(combinations) == 1:
        show(plans[0])
    elif plans:
        show_all(plans)
    if own["page"] and plans:
        sys.stderr.write(f"{draw_plans(plans, own['page'])}\n")


def _plan(factory: Factory, arguments: dict, own: dict) -> Plan:
    slice_, mesh = own["topology"], own["mesh"]
    sizes = parse_mesh(mesh) if mesh else None
    num = math.prod(sizes.values()) if sizes else None
    if slice_:
        without_tpu()
        devices = topology(slice_)
        where, chip = slice_, CHIPS[slice_.partition(":")[0]]
        if num not in (None, len(devices)):
            raise ValueError(f"{where} has {len(devices)} chips, but --mesh {mesh} names {num}.")
    else:
        platform.configure(devices=num)
        devices = platform.select_devices(num)
        where, chip = f"{len(devices)} x {devices[0].device_kind}", None
    with data.absent():
        experiment = factory(**arguments)
    check_batch_size(experiment.batch_size, num_devices=len(devices))
    laid_out = device_mesh(devices, fsdp=sizes["fsdp"] if sizes else 1)
    return make_plan(experiment, laid_out, where, chip, input_rate=own["input_rate"])


def without_tpu() -> None:
    """Settings with which libtpu compiles on a machine that has no TPU; never over the user's own."""
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    # Nothing runs on a TPU here, so that two plans at a time don't get in each other's way.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    jax.config.update("jax_platforms", "cpu")
