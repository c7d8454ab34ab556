"""Text from a causal language model: `Generator` for programs, `jssl generate` for the terminal."""

from jssl.generate.command import main
from jssl.generator import Generator, Settings

__all__ = ["Generator", "Settings", "main"]
