"""Runs that differ in seeds and numbers only, trained in one program."""

from jssl.sweep.command import main
from jssl.sweep.train import sweep

__all__ = ["main", "sweep"]
