"""What stands in three places or more: normalisation, averages, queues, codes, the global batch."""

from jssl.ops.agreement import normalized_mutual_information
from jssl.ops.candidates import log_sum_exp, log_sum_exp_of_others, nearest
from jssl.ops.devices import as_batch, as_whole, gather, global_rows, masked_mean, mean
from jssl.ops.dropout import dropout
from jssl.ops.ema import ema
from jssl.ops.kmeans import (
    Clusters,
    KMeans,
    kmeans,
    minibatch_kmeans_start,
    minibatch_kmeans_update,
    split_empty,
)
from jssl.ops.kmeans_start import nearest_centroids
from jssl.ops.numeric import at_least_float32, cosine_similarity, cross_entropy, cubic_kernel, l2_normalize
from jssl.ops.queue import Queue, queue_init, queue_push, queue_valid
from jssl.ops.sampling import sample_token
from jssl.ops.schedules import at_step, cosine, linear, warmup_cosine, warmup_linear
from jssl.ops.sinkhorn import sinkhorn
from jssl.ops.whitening import pca_whiten

__all__ = [
    "Clusters",
    "KMeans",
    "Queue",
    "as_batch",
    "as_whole",
    "at_least_float32",
    "at_step",
    "cosine",
    "cosine_similarity",
    "cross_entropy",
    "cubic_kernel",
    "dropout",
    "ema",
    "gather",
    "global_rows",
    "kmeans",
    "l2_normalize",
    "linear",
    "log_sum_exp",
    "log_sum_exp_of_others",
    "masked_mean",
    "mean",
    "minibatch_kmeans_start",
    "minibatch_kmeans_update",
    "nearest",
    "nearest_centroids",
    "normalized_mutual_information",
    "pca_whiten",
    "queue_init",
    "queue_push",
    "queue_valid",
    "sample_token",
    "sinkhorn",
    "split_empty",
    "warmup_cosine",
    "warmup_linear",
]
