import inspect
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec
from sklearn.cluster import KMeans as SklearnKMeans
from sklearn.datasets import make_blobs

from jssl import ops
from jssl.ops.kmeans import _multiplied, _scattered
from jssl.ops.kmeans_start import block_size, kmeans_start
from tests.ops.across_devices import AXIS, SPLIT, WHOLE, mesh

KEY = 3


def blobs(n=400, k=12, dim=5, std=1.0):
    x, label = make_blobs(n, dim, centers=k, cluster_std=std, random_state=0)
    return jnp.asarray(x, jnp.float32), label


def naive_assignments(x, centroids):
    x, centroids = (np.asarray(a, np.float64) for a in (x, centroids))
    return ((x[:, None] - centroids[None]) ** 2).sum(axis=2)


def naive_lloyd(x, centroids, num_iterations, spherical):
    """Without empty clusters."""
    x, c = np.asarray(x, np.float64), np.asarray(centroids, np.float64)
    for _ in range(num_iterations):
        nearest = naive_assignments(x, c).argmin(axis=1)
        c = np.stack([x[nearest == k].mean(axis=0) for k in range(len(c))])
        if spherical:
            c /= np.linalg.norm(c, axis=1, keepdims=True)
    return c


def check_is_consistent(x, found):
    """The assignments, counts and distortion are those of the centroids."""
    squared = naive_assignments(x, found.centroids)
    own = np.take_along_axis(squared, np.asarray(found.assignments)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(own, squared.min(axis=1), rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(np.bincount(found.assignments, minlength=squared.shape[1]), found.counts)
    np.testing.assert_allclose(found.distortion, squared.min(axis=1).mean(), rtol=1e-4)


@pytest.mark.parametrize("spherical", [False, True])
@pytest.mark.parametrize("num_iterations", [1, 7])
def test_equals_explicit_loops(spherical, num_iterations):
    x, _ = blobs()
    x = ops.l2_normalize(x) if spherical else x
    start_key, _ = jax.random.split(jax.random.key(KEY))
    start = kmeans_start(x, 12, key=start_key, where=jnp.ones(len(x), bool))
    found = ops.kmeans(x, 12, key=jax.random.key(KEY), num_iterations=num_iterations, spherical=spherical)
    expected = naive_lloyd(x, start, num_iterations, spherical)
    np.testing.assert_allclose(found.centroids, expected, rtol=1e-4, atol=1e-4)
    check_is_consistent(x, found)


def test_finds_separate_groups():
    x, label = blobs(std=0.1)
    found = ops.kmeans(x, 12, key=jax.random.key(0))
    assert ops.normalized_mutual_information(found.assignments, jnp.asarray(label)) > 1 - 1e-6
    np.testing.assert_allclose(found.distortion, 5 * 0.1**2, rtol=0.2)


def test_is_as_good_as_scikit_learn():
    x, _ = blobs(2000, 40, std=2.0)
    ours = [float(ops.kmeans(x, 40, key=jax.random.key(seed)).distortion) for seed in range(4)]
    theirs = [
        SklearnKMeans(40, n_init=1, max_iter=20, random_state=seed).fit(np.asarray(x)).inertia_ / len(x)
        for seed in range(4)
    ]
    assert np.mean(ours) < 1.03 * np.mean(theirs)


def test_a_start_of_far_rows_is_better_than_one_of_any_rows():
    x, _ = blobs(1000, 30, std=0.2)
    far, of_any = (
        np.mean([ops.kmeans(x, 30, key=jax.random.key(s), start=start).distortion for s in range(3)])
        for start in ("k-means++", "random")
    )
    assert far < of_any


@pytest.mark.parametrize("start", ["k-means++", "random"])
def test_the_start_is_made_of_different_rows(start):
    x, _ = blobs()
    rows = kmeans_start(x, len(x), key=jax.random.key(0), start=start, where=jnp.ones(len(x), bool))
    assert len(np.unique(rows, axis=0)) == len(x)
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(x, axis=0))


@pytest.mark.parametrize("start", ["k-means++", "random"])
def test_rows_left_out_change_nothing(start):
    x, _ = blobs(100, 6)
    where = jnp.arange(150) < 100
    padded = jnp.concatenate([x, 1e3 * jnp.ones((50, 5))])
    found = ops.kmeans(padded, 6, key=jax.random.key(0), where=where, start=start)
    moved = ops.kmeans(padded.at[100:].set(7.0), 6, key=jax.random.key(0), where=where, start=start)
    np.testing.assert_allclose(found.centroids, moved.centroids, rtol=1e-5)
    assert found.counts.sum() == 100
    assert np.abs(found.centroids).max() < 50
    assert found.assignments.shape == (150,)


def test_an_empty_cluster_takes_half_of_the_largest():
    centroids = jnp.asarray([[0.0, 0.0], [9.0, 9.0], [5.0, 5.0], [-7.0, 7.0]])
    counts = jnp.asarray([3, 80, 0, 0])
    split = ops.split_empty(jax.random.key(0), centroids, counts, distance=2.0)
    np.testing.assert_array_equal(split[:2], centroids[:2])
    np.testing.assert_allclose(jnp.linalg.norm(split[2] - centroids[1]), 0.02, rtol=1e-3)
    np.testing.assert_allclose(jnp.linalg.norm(split[3] - centroids[0]), 0.02, rtol=1e-3)


def test_more_empty_clusters_than_others_share_them():
    centroids = jnp.concatenate([jnp.ones((1, 3)), jnp.zeros((7, 3))])
    split = ops.split_empty(jax.random.key(0), centroids, jnp.asarray([8.0] + [0.0] * 7), distance=1.0)
    np.testing.assert_allclose(split, 1.0, atol=0.02)
    assert len(np.unique(split, axis=0)) == 8


def test_no_cluster_stays_empty():
    """All centroids begin on copies of three rows, so that most of them have nothing at first."""
    x, _ = blobs(300, 3, std=1.0)
    copies = jnp.concatenate([x[:3]] * 100)
    spread = ops.kmeans(jnp.concatenate([copies, x]), 20, key=jax.random.key(1), start="random")
    assert (spread.counts > 0).all()
    assert spread.counts.max() < 300


def test_equal_rows_stay_finite():
    found = ops.kmeans(jnp.ones((10, 3)), 4, key=jax.random.key(0))
    assert np.isfinite(found.centroids).all()
    assert found.counts.max() == 10
    np.testing.assert_allclose(found.distortion, 0, atol=1e-6)


def test_centroids_of_many_blocks_are_compared_as_one(monkeypatch):
    x, _ = blobs(500)
    centroids = jax.random.normal(jax.random.key(0), (300, 5))
    assert block_size(2**22, 300) == 128
    monkeypatch.setattr("jssl.ops.kmeans_start.TABLE", 1)
    assignments, squared = ops.nearest_centroids(x, centroids)
    expected = naive_assignments(x, centroids)
    np.testing.assert_array_equal(assignments, expected.argmin(axis=1))
    np.testing.assert_allclose(squared, expected.min(axis=1), rtol=1e-4)


def test_the_same_bits_at_each_call():
    x, _ = blobs()
    first, second = (ops.kmeans(x, 12, key=jax.random.key(5)) for _ in range(2))
    assert jax.tree.all(jax.tree.map(np.array_equal, first, second))


@pytest.mark.parametrize("way", ["jit", "shard_map", "unchecked_shard_map", "pmap"])
@pytest.mark.parametrize("options", [{}, {"start": "random"}, {"spherical": True}])
def test_same_across_devices(way, options):
    x, _ = blobs()
    key = jax.random.key(2)
    expected = ops.kmeans(x, 12, key=jax.random.clone(key), **options)
    own = partial(ops.kmeans, k=12, axis_name=AXIS, **options)
    if way == "jit":
        split = jax.device_put(x, NamedSharding(mesh(), PartitionSpec(AXIS)))
        found = ops.kmeans(split, 12, key=key, **options)
        assert len(found.assignments.sharding.device_set) == 8
    elif way == "pmap":
        found = jax.pmap(lambda x, key: own(x, key=key), axis_name=AXIS, in_axes=(0, None))(
            x.reshape(8, -1, 5), key
        )
        found = jax.tree.map(lambda leaf: leaf[0], found._replace(assignments=found.assignments[None]))
        found = found._replace(assignments=found.assignments.reshape(-1))
    else:
        found = jax.jit(
            jax.shard_map(
                lambda x, key: own(x, key=key),
                mesh=mesh(),
                in_specs=(SPLIT, WHOLE),
                out_specs=ops.KMeans(WHOLE, WHOLE, SPLIT, WHOLE),
                check_vma=way == "shard_map",
            )
        )(x, key)
    np.testing.assert_array_equal(found.assignments, expected.assignments)
    np.testing.assert_array_equal(found.counts, expected.counts)
    np.testing.assert_allclose(found.centroids, expected.centroids, rtol=1e-4, atol=1e-5)


def test_half_precision_is_computed_in_float32():
    x, _ = blobs()
    low = x.astype(jnp.bfloat16)
    found = ops.kmeans(low, 12, key=jax.random.key(0))
    assert found.centroids.dtype == jnp.float32
    wide = ops.kmeans(low.astype(jnp.float32), 12, key=jax.random.key(0))
    np.testing.assert_array_equal(found.centroids, wide.centroids)


def test_no_gradient():
    x, _ = blobs(50, 3)
    gradient = jax.grad(lambda x: ops.kmeans(x, 3, key=jax.random.key(0), num_iterations=2).distortion)(x)
    assert (gradient == 0).all()


@pytest.mark.parametrize("options", [{"k": 0}, {"k": 51}, {"start": "first"}])
def test_wrong_arguments_of_the_start(options):
    x, _ = blobs(50)
    arguments = {"k": 3, "key": jax.random.key(0), "where": jnp.ones(50, bool), **options}
    with pytest.raises(ValueError, match="expected"):
        inspect.unwrap(kmeans_start)(x, **arguments)


def test_no_iterations():
    x, _ = blobs(50)
    with pytest.raises(ValueError, match="1 iteration or more"):
        inspect.unwrap(ops.kmeans)(x, 3, key=jax.random.key(0), num_iterations=0)


def stream(x, k, *, passes=3, batch=200, **options):
    clusters = ops.minibatch_kmeans_start(
        x[:200], k, key=jax.random.key(0), spherical=options.get("spherical", False)
    )
    for number in range(passes * len(x) // batch):
        rows = jnp.asarray(np.asarray(x)[number * batch % len(x) :][:batch])
        clusters = ops.minibatch_kmeans_update(clusters, rows, key=jax.random.key(number + 1), **options)
    return clusters


def test_a_stream_finds_what_the_whole_array_shows():
    x, _ = blobs(1000, 4)
    clusters = stream(x, 4)
    _, squared = ops.nearest_centroids(x, clusters.centroids)
    assert squared.mean() < 1.05 * ops.kmeans(x, 4, key=jax.random.key(0)).distortion
    assert clusters.counts.sum() == 3000


def test_without_decay_a_centroid_is_the_mean_of_all_that_it_got():
    x = jnp.concatenate([jnp.zeros((6, 2)), 9 + jax.random.normal(jax.random.key(0), (6, 2))])
    clusters = ops.Clusters(jnp.asarray([[0.0, 0.0], [8.0, 8.0]]), jnp.zeros(2))
    for rows in (x[:8], x[4:], x[2:9]):
        clusters = ops.minibatch_kmeans_update(clusters, rows, key=jax.random.key(1))
    far = [row for rows in (x[:8], x[4:], x[2:9]) for row in np.asarray(rows) if row.sum() > 9]
    np.testing.assert_allclose(clusters.centroids[1], np.mean(far, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(clusters.counts, [23 - len(far), len(far)])


def test_decay_follows_rows_that_move():
    rows = jnp.ones((10, 3))
    clusters = ops.Clusters(jnp.zeros((1, 3)), jnp.zeros(1))
    for place in (0.0, 0.0, 0.0, 0.0, 1.0, 1.0):
        clusters = ops.minibatch_kmeans_update(clusters, place * rows, key=jax.random.key(0), decay=0.5)
    np.testing.assert_allclose(clusters.centroids, 1.5 / (2 - 2**-5), rtol=1e-5)


def test_a_dead_cluster_of_a_stream_comes_back():
    x, _ = blobs(400, 4, std=1.0)
    clusters = ops.Clusters(jnp.concatenate([x[:3], 1e4 * jnp.ones((1, 5))]), jnp.zeros(4))
    for number in range(4):
        clusters = ops.minibatch_kmeans_update(clusters, x, key=jax.random.key(number))
    assert (clusters.counts > 1).all()


def test_a_spherical_stream_keeps_length_1():
    x, _ = blobs()
    np.testing.assert_allclose(jnp.linalg.norm(stream(x, 5, spherical=True).centroids, axis=1), 1, rtol=1e-5)


def test_a_stream_is_the_same_across_devices():
    x, _ = blobs(80, 4)
    clusters = ops.Clusters(x[:4] + 1, jnp.ones(4))
    expected = ops.minibatch_kmeans_update(clusters, x, key=jax.random.key(0))
    update = jax.shard_map(
        lambda x, key: ops.minibatch_kmeans_update(clusters, x, key=key, axis_name=AXIS),
        mesh=mesh(),
        in_specs=(SPLIT, WHOLE),
        out_specs=WHOLE,
    )
    found = jax.jit(update)(x, jax.random.key(0))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_both_ways_to_add_up_clusters_agree():
    """Of which only the first runs on a CPU."""
    x, _ = blobs()
    assignments = jax.random.randint(jax.random.key(0), (len(x),), 0, 11)
    where = jnp.arange(len(x)) % 3 > 0
    by_row, by_product = (add(x, assignments, where, k=12) for add in (_scattered, _multiplied))
    np.testing.assert_allclose(by_row[0], by_product[0], rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(by_row[1], by_product[1])
    assert by_row[1][11] == 0
    assert by_row[1].sum() == where.sum()


def test_of_equally_near_centroids_the_first_is_taken():
    x = jnp.asarray([[0.0, 0.0], [3.0, 0.0]])
    centroids = jnp.asarray([[9.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    assert ops.nearest_centroids(x, centroids)[0].tolist() == [1, 1]
