"""Pretext tasks, each put together in one file from an encoder, transforms and losses."""

from jssl.methods.mae import mae
from jssl.methods.simclr import simclr
from jssl.methods.swav import swav

__all__ = ["mae", "simclr", "swav"]
