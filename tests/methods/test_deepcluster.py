import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn, train
from jssl.core import Encoder, Variables
from jssl.methods.cluster_parts import labels_of, spread_rows, sweep
from jssl.methods.deepcluster import _weights
from tests import conformance


def lookup() -> Encoder:
    """Features that are the numbers themselves, and one parameter that scales them."""

    def init(key, x):
        return Variables({"scale": jnp.ones(())}, {})

    def apply(variables, x, *, train, key=None):
        return variables.params["scale"] * x.reshape(len(x), -1), {}

    return Encoder(init, apply)


class Rows:
    """Float features of three groups in the ratio 8 : 1 : 1."""

    def __init__(self, num=120, with_label=True):
        generator = np.random.default_rng(0)
        self.label = np.repeat(np.arange(3, dtype=np.int32), [num * 8 // 10, num // 10, num // 10])
        centers = np.asarray([[0, 0, 0, 1], [4, 0, 0, 0], [0, 4, 0, 0]], np.float32)
        self.x = (centers[self.label] + 0.2 * generator.normal(size=(num, 4))).astype(np.float32)
        self.with_label, self.reads = with_label, 0

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        self.reads += 1
        example = {"image": self.x[i], "index": np.asarray(i, np.int32)}
        return example | ({"label": self.label[i]} if self.with_label else {})

    def batch(self, rows):
        return {"image": jnp.asarray(self.x[rows]), "index": jnp.asarray(rows, jnp.int32)}


def deepcluster(**options):
    defaults = {
        "encoder": lookup(),
        "num_clusters": 3,
        "num_examples": 120,
        "augment": lambda key, x: x,
        "pca_dim": None,
    }
    return methods.deepcluster(**{**defaults, **options})


def started(method, rows):
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    return method.refresh(params, state, rows, key=jax.random.key(1))


def test_a_refresh_finds_the_groups_and_measures_them():
    rows = Rows()
    params, state, metrics = started(deepcluster(), rows)
    assert metrics["refresh/nmi_labels"] > 0.999
    assert metrics["refresh/empty"] == 0
    assert metrics["refresh/largest_share"] == pytest.approx(0.8)
    assert "refresh/nmi_previous" not in metrics
    assert rows.reads <= len(rows) + 1
    groups = [np.unique(state.assignments[rows.label == k]) for k in range(3)]
    assert sorted(int(group) for (group,) in groups) == [0, 1, 2]
    _, _, metrics = deepcluster().refresh(params, state, rows, key=jax.random.key(2))
    assert metrics["refresh/nmi_previous"] > 0.999


def test_without_classes_there_is_nothing_to_compare_with():
    _, _, metrics = started(deepcluster(), Rows(with_label=False))
    assert set(metrics) == {"refresh/empty", "refresh/largest_share"}


def test_clusters_of_any_size_count_alike():
    rows = Rows()
    method = deepcluster()
    params, state, _ = started(method, rows)
    sizes = np.bincount(state.assignments, minlength=3)
    np.testing.assert_allclose(state.weights, 120 / (3 * sizes), rtol=1e-6)
    losses = []
    for k in range(3):
        own = np.flatnonzero(np.asarray(state.assignments) == k)
        (value, _) = method.loss(params, state, rows.batch(own), key=jax.random.key(3), step=jnp.asarray(0))
        losses.append(value / state.weights[k])
    whole = method.loss(params, state, rows.batch(np.arange(120)), key=jax.random.key(3), step=jnp.asarray(0))
    np.testing.assert_allclose(whole[0], np.mean(losses), rtol=1e-5)


def test_empty_clusters_have_no_weight():
    np.testing.assert_allclose(_weights(np.asarray([6, 0, 2])), [8 / 12, 0, 8 / 4], rtol=1e-6)


def test_the_head_is_drawn_anew_and_the_encoder_stays():
    rows, method = Rows(), deepcluster()
    params, state, _ = started(method, rows)
    again, _, _ = method.refresh(params, state, rows, key=jax.random.key(2))
    assert np.abs(again["head"]["kernel"] - params["head"]["kernel"]).max() > 1e-3
    assert again["encoder"] is params["encoder"]


def test_whitened_components_are_clustered():
    """One feature that is a hundred times larger than the others would decide alone."""
    rows = Rows()
    rows.x[:, 3] = 100 * np.random.default_rng(1).normal(size=120)
    _, _, plain = started(deepcluster(), rows)
    _, _, whitened = started(deepcluster(pca_dim=3), rows)
    assert plain["refresh/nmi_labels"] < 0.5
    assert whitened["refresh/nmi_labels"] > plain["refresh/nmi_labels"] + 0.1


def test_a_refresh_is_the_same_on_eight_devices():
    rows, method = Rows(), deepcluster(num_clusters=5, pca_dim=3)
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    one = method.refresh(params, state, rows, key=jax.random.key(1))
    placed = jax.device_put((params, state), train.replicated(train.device_mesh()))
    eight = method.refresh(*placed, rows, key=jax.random.key(1))
    np.testing.assert_array_equal(one[1].assignments, eight[1].assignments)
    np.testing.assert_array_equal(one[1].weights, eight[1].weights)
    np.testing.assert_array_equal(one[0]["head"]["kernel"], eight[0]["head"]["kernel"])


def test_a_sweep_reads_whole_batches_over_all_devices(monkeypatch):
    monkeypatch.setattr("jssl.methods.cluster_parts.BATCH", 50)
    rows = Rows()
    beside = jax.device_put(jnp.ones(3), train.replicated(train.device_mesh()))
    seen = []

    def function(batch, number):
        seen.append((batch["image"].shape[0], len(batch["image"].sharding.device_set), int(number)))
        return {"doubled": 2 * batch["image"], "index": batch["index"]}

    found = sweep(function, rows, ("image", "index", "absent"), beside=beside)
    assert seen == [(56, 8, 0), (56, 8, 1), (56, 8, 2)]
    np.testing.assert_array_equal(found["doubled"], 2 * rows.x)
    np.testing.assert_array_equal(found["index"], np.arange(120))
    assert isinstance(found["index"], np.ndarray)


def test_rows_are_filled_up_to_equal_shares():
    beside = jax.device_put(jnp.ones(3), train.replicated(train.device_mesh()))
    x, where = spread_rows(np.ones((13, 2), np.float32), beside=beside)
    assert x.shape == (16, 2)
    assert len(x.sharding.device_set) == 8
    np.testing.assert_array_equal(where, np.arange(16) < 13)


def test_labels_are_read_once():
    rows = Rows()
    np.testing.assert_array_equal(labels_of(rows), rows.label)
    reads = rows.reads
    assert labels_of(rows) is labels_of(rows)
    assert rows.reads == reads
    assert labels_of(Rows(with_label=False)) is None


def test_before_a_refresh_nothing_is_learned_and_it_says_so():
    rows, method = Rows(), deepcluster()
    params, state = method.init(jax.random.key(0), rows.batch(np.arange(8)))
    (value, (_, metrics)), gradient = jax.value_and_grad(method.loss, has_aux=True)(
        params, state, rows.batch(np.arange(8)), key=jax.random.key(1), step=jnp.asarray(0)
    )
    assert value == 0
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(gradient))
    (sentence,) = method.diagnose({name: float(x) for name, x in metrics.items()})
    assert "refresh_every" in sentence


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"refresh/largest_share": 0.9}, "90% of all examples"),
        ({"refresh/empty": 2.0}, "2 of 3 are empty"),
        ({"collapse/std": 0.001}, "nearly alike"),
        ({"refresh/largest_share": 0.4, "refresh/empty": 1.0, "collapse/std": 0.5}, None),
    ],
)
def test_diagnosis(metrics, words):
    found = deepcluster().diagnose({"clusters/assigned": 1.0, **metrics})
    assert (words is None) == (found == [])
    assert words is None or words in found[0]


@pytest.mark.parametrize(
    "options", [{"num_clusters": 1}, {"num_clusters": 121}, {"pca_dim": 0}, {"num_iterations": 0}]
)
def test_wrong_arguments(options):
    with pytest.raises(ValueError, match="expected"):
        deepcluster(**options)


def test_examples_without_numbers_are_refused():
    batch = conformance.batch()
    del batch["index"]
    method = methods.deepcluster(
        encoder=nn.resnet((1, 1), width=4), num_clusters=2, num_examples=16, augment=conformance.noisy
    )
    with pytest.raises(ValueError, match=r"data\.indexed"):
        method.init(jax.random.key(0), batch)


def test_another_data_set_is_refused():
    method = deepcluster(num_examples=100)
    params, state = method.init(jax.random.key(0), Rows().batch(np.arange(8)))
    with pytest.raises(ValueError, match="expected 100 examples"):
        method.refresh(params, state, Rows(), key=jax.random.key(0))
