"""Pretext tasks, each put together in one file from an encoder, transforms and losses."""

from jssl.methods.byol import byol
from jssl.methods.mae import mae
from jssl.methods.moco import moco
from jssl.methods.nnclr import nnclr
from jssl.methods.simclr import simclr
from jssl.methods.simsiam import simsiam
from jssl.methods.swav import swav

__all__ = ["byol", "mae", "moco", "nnclr", "simclr", "simsiam", "swav"]
