"""Train state, step, loop, checkpoints, sharding and logs. Nothing here names a method."""

from jssl.train.checkpoint import Checkpoints, Restored, SaveFailed
from jssl.train.feed import BatchIterator, Feed
from jssl.train.interrupt import Interrupted, StopRequest
from jssl.train.lars import lars
from jssl.train.logs import Logs
from jssl.train.loop import Books, Hook, NonFiniteLoss, RunBooks, fit
from jssl.train.masks import kernels, token_embeddings, weights
from jssl.train.progress import ProgressReport
from jssl.train.sharding import (
    batch_sharding,
    check_batch_size,
    device_mesh,
    parse_mesh,
    put_batch,
    replicated,
    state_sharding,
)
from jssl.train.step import Step, init_state, make_step

__all__ = [
    "BatchIterator",
    "Books",
    "Checkpoints",
    "Feed",
    "Hook",
    "Interrupted",
    "Logs",
    "NonFiniteLoss",
    "ProgressReport",
    "Restored",
    "RunBooks",
    "SaveFailed",
    "Step",
    "StopRequest",
    "batch_sharding",
    "check_batch_size",
    "device_mesh",
    "fit",
    "init_state",
    "kernels",
    "lars",
    "make_step",
    "parse_mesh",
    "put_batch",
    "replicated",
    "state_sharding",
    "token_embeddings",
    "weights",
]
