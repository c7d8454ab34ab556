"""What stands in three places or more: normalisation, averages, queues, codes, the global batch."""

from jssl.ops.devices import gather, global_rows, masked_mean, mean
from jssl.ops.ema import ema
from jssl.ops.numeric import at_least_float32, cosine_similarity, cross_entropy, l2_normalize
from jssl.ops.queue import Queue, queue_init, queue_push, queue_valid
from jssl.ops.schedules import at_step, cosine, linear
from jssl.ops.sinkhorn import sinkhorn

__all__ = [
    "Queue",
    "at_least_float32",
    "at_step",
    "cosine",
    "cosine_similarity",
    "cross_entropy",
    "ema",
    "gather",
    "global_rows",
    "l2_normalize",
    "linear",
    "masked_mean",
    "mean",
    "queue_init",
    "queue_push",
    "queue_valid",
    "sinkhorn",
]
