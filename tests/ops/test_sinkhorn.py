import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import ops, plan, train
from tests.losses.golden import TOLERANCE, cases
from tests.ops.across_devices import AXIS, mapped


def cosines(*shape, seed=0):
    return jnp.tanh(jax.random.normal(jax.random.key(seed), shape))


def naive(scores, epsilon, num_iterations):
    plan = np.exp(np.asarray(scores, np.float64) / epsilon)
    batch, prototypes = plan.shape
    for _ in range(num_iterations):
        for k in range(prototypes):
            plan[:, k] /= plan[:, k].sum() * prototypes
        for n in range(batch):
            plan[n] /= plan[n].sum() * batch
    return plan * batch


@pytest.mark.parametrize(
    ("shape", "epsilon", "num_iterations"), [((1, 1), 0.05, 1), ((9, 4), 0.05, 3), ((4, 9), 0.5, 8)]
)
def test_equals_explicit_loops(shape, epsilon, num_iterations):
    scores = cosines(*shape)
    codes = ops.sinkhorn(scores, epsilon=epsilon, num_iterations=num_iterations)
    np.testing.assert_allclose(codes, naive(scores, epsilon, num_iterations), rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_reference_implementations(dtype):
    with jax.enable_x64(dtype == "float64"):
        for case in cases("sinkhorn"):
            codes = ops.sinkhorn(
                jnp.asarray(case.arrays["scores"], dtype),
                epsilon=float(case.arguments["epsilon"]),
                num_iterations=int(case.arguments["num_iterations"]),
            )
            expected = case.arrays[f"value_{dtype}"]
            np.testing.assert_allclose(codes, expected, atol=TOLERANCE[dtype], err_msg=str(case))


def test_marginals_become_equal():
    codes = ops.sinkhorn(cosines(30, 6), epsilon=0.2, num_iterations=100)
    np.testing.assert_allclose(codes.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(codes.sum(axis=0), 30 / 6, rtol=1e-4)


def test_shares_out_a_collapsed_batch():
    scores = cosines(12, 4).at[:, 0].add(3.0)
    assert (scores.argmax(axis=1) == 0).all()
    np.testing.assert_allclose(ops.sinkhorn(scores, num_iterations=50).sum(axis=0), 3, rtol=0.1)


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_rows_sum_to_1_for_extreme_scores(scale):
    codes = ops.sinkhorn(scale * cosines(8, 5))
    assert np.isfinite(codes).all()
    np.testing.assert_allclose(codes.sum(axis=1), 1, rtol=1e-5)


def test_invariant_to_a_shift_and_to_order():
    scores = cosines(8, 5)
    codes = ops.sinkhorn(scores)
    order = jax.random.permutation(jax.random.key(1), 8)
    np.testing.assert_allclose(ops.sinkhorn(scores + 7.0), codes, atol=1e-4)
    np.testing.assert_allclose(ops.sinkhorn(scores[order]), codes[order], atol=1e-6)


def test_rows_left_out_get_codes_and_change_none():
    scores = cosines(8, 5)
    codes = ops.sinkhorn(scores, where=jnp.arange(8) < 6)
    np.testing.assert_allclose(codes[:6], ops.sinkhorn(scores[:6]), rtol=1e-5)
    np.testing.assert_allclose(codes.sum(axis=1), 1, rtol=1e-5)
    unchanged = ops.sinkhorn(scores.at[6:].set(1e6), where=jnp.arange(8) < 6)
    np.testing.assert_array_equal(unchanged[:6], codes[:6])


def test_no_gradient():
    assert (jax.grad(lambda s: ops.sinkhorn(s)[0, 0])(cosines(4, 3)) == 0).all()


@pytest.mark.parametrize("check_vma", [True, False])
def test_codes_are_those_of_the_global_batch(check_vma):
    scores = cosines(16, 5)

    # Gathered with a sum over places, so that the result is typed as equal on each device.
    def gathered_codes(_, shard):
        codes = ops.sinkhorn(shard, axis_name=AXIS)
        whole = jnp.zeros((16, 5)).at[ops.global_rows(2, AXIS)].set(codes)
        return jax.lax.psum(whole, AXIS)

    codes = mapped(gathered_codes, 1, check_vma)(0.0, scores)
    np.testing.assert_allclose(codes, ops.sinkhorn(scores), rtol=1e-5)
    by_pmap = jax.pmap(lambda s: ops.sinkhorn(s, axis_name=AXIS), axis_name=AXIS)(scores.reshape(8, 2, 5))
    np.testing.assert_allclose(by_pmap.reshape(16, 5), ops.sinkhorn(scores), rtol=1e-5)


def test_cut_over_devices_it_holds_and_moves_no_more_than_their_share():
    """Only sums for each prototype go between devices."""
    mesh = train.device_mesh()

    def compiled(batch):
        scores = jax.ShapeDtypeStruct((batch, 5), jnp.float32, sharding=train.batch_sharding(mesh))
        return jax.jit(ops.sinkhorn).lower(scores).compile()

    program = compiled(16)
    found = plan.find_collectives(plan.Module(program.as_text()), dict(mesh.shape))
    assert {x.kind for x in found} == {"all-reduce"}
    assert max(x.bytes for x in found) == 5 * 4
    scores = cosines(16, 5)
    codes = program(jax.device_put(scores, train.batch_sharding(mesh)))
    np.testing.assert_allclose(codes, ops.sinkhorn(scores), rtol=1e-5)
    share = 65_536 // 8 * 5 * 4
    assert compiled(65_536).memory_analysis().temp_size_in_bytes < 3 * share


@pytest.mark.parametrize("arguments", [{"epsilon": 0.0}, {"epsilon": -1.0}, {"num_iterations": 0}])
def test_epsilon_and_iterations_must_be_positive(arguments):
    with pytest.raises(ValueError, match="expected epsilon above 0"):
        ops.sinkhorn(cosines(4, 3), **arguments)
