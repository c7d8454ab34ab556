"""What a run needs and costs, before it starts: for devices that are here, or for TPU slices that are not."""

from jssl.plan.chips import CHIPS, Chip, topology
from jssl.plan.collectives import Collective, find_collectives
from jssl.plan.command import main
from jssl.plan.hlo import Module
from jssl.plan.make import Cost, Plan, Traffic, make_plan
from jssl.plan.page import draw_plans
from jssl.plan.show import show
from jssl.plan.work import Work, count

__all__ = [
    "CHIPS",
    "Chip",
    "Collective",
    "Cost",
    "Module",
    "Plan",
    "Traffic",
    "Work",
    "count",
    "draw_plans",
    "find_collectives",
    "main",
    "make_plan",
    "show",
    "topology",
]
