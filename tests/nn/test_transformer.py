import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jssl import nn, plan, train
from jssl.core import Tokens
from tests.nn.compiled import apply


def tokens(key, shape=(2, 6, 5), k=2):
    return Tokens(jax.random.normal(key, shape), jnp.broadcast_to(jnp.arange(6.0)[:, None], (2, 6, k)))


def test_vit_b16_parameter_count():
    """torchvision's vit_b_16 has 85,798,656 without its head, of which learned positions are 197 * 768."""
    encoder = nn.vit(nn.patches(16), 768, 12, 12, pool="cls")
    variables = jax.eval_shape(lambda key: encoder.init(key, jnp.zeros((1, 32, 32, 3))), jax.random.key(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(variables.params))
    assert count == 85_798_656 - 197 * 768


@pytest.mark.parametrize(("dim", "k"), [(8, 2), (8, 1), (14, 3), (12, 3)])
def test_sincos(dim, k):
    positions = np.random.default_rng(0).uniform(0, 20, (4, k)).astype(np.float32)
    half = dim // (2 * k)
    expected = np.zeros((4, dim))
    for token in range(4):
        for axis in range(k):
            for i in range(half):
                angle = positions[token, axis] / 10_000 ** (i / half)
                expected[token, axis * 2 * half + i] = np.sin(angle)
                expected[token, axis * 2 * half + half + i] = np.cos(angle)
    np.testing.assert_allclose(nn.sincos(jnp.asarray(positions), dim), expected, atol=1e-5)


@pytest.mark.parametrize("cls_token", [False, True])
def test_shapes_and_dtypes(cls_token):
    x = tokens(jax.random.key(0))
    encoder = nn.transformer(16, 2, 4, cls_token=cls_token, dtype=jnp.bfloat16)
    variables = encoder.init(jax.random.key(1), x)
    y, stats = apply(encoder, variables, x, train=True)
    assert y.shape == (2, 6 + cls_token, 16)
    assert y.dtype == jnp.bfloat16
    assert stats == {}
    assert {leaf.dtype for leaf in jax.tree.leaves(variables.params)} == {jnp.dtype(jnp.float32)}


def test_class_token_and_registers_come_first():
    x = tokens(jax.random.key(0))
    encoder = nn.transformer(16, 1, 4, cls_token=True, registers=2)
    variables = encoder.init(jax.random.key(1), x)
    y, _ = apply(encoder, variables, x)
    assert y.shape == (2, 1 + 2 + 6, 16)
    order = jnp.asarray([3, 1, 5, 0, 2, 4])
    shuffled, _ = apply(encoder, variables, jax.tree.map(lambda a: a[:, order], x))
    np.testing.assert_allclose(y[:, :3], shuffled[:, :3], atol=1e-5)


def test_outputs_of_the_last_blocks():
    x = tokens(jax.random.key(0))
    variables = nn.transformer(16, 3, 4).init(jax.random.key(1), x)
    features, _ = apply(nn.transformer(16, 3, 4), variables, x)
    outputs, _ = apply(nn.transformer(16, 3, 4, last_blocks=2), variables, x)
    assert outputs.shape == (2, 2, 6, 16)
    last = jax.nn.standardize(outputs[:, -1], epsilon=1e-6)
    np.testing.assert_allclose(last, features, atol=1e-5)
    shallow = variables._replace(params={k: v for k, v in variables.params.items() if k != "block2"})
    second, _ = apply(nn.transformer(16, 2, 4, last_blocks=1), shallow, x)
    np.testing.assert_allclose(outputs[:, 0], second[:, 0], atol=1e-5)
    with pytest.raises(ValueError, match="last_blocks"):
        nn.transformer(16, 3, 4, last_blocks=4)


def test_masked_tokens_are_hidden():
    """What a masked token holds changes nothing, where it lies does; one that isn't masked is seen."""
    x = tokens(jax.random.key(0))._replace(masked=jnp.zeros((2, 6), bool).at[:, 1].set(True))
    encoder = nn.transformer(16, 1, 4, mask_token=True)
    variables = encoder.init(jax.random.key(1), x)
    y, _ = apply(encoder, variables, x)
    for token, seen in ((1, False), (2, True)):
        other = x._replace(values=x.values.at[:, token].add(1.0))
        assert np.allclose(apply(encoder, variables, other)[0], y, atol=1e-6) != seen
    moved = x._replace(positions=x.positions.at[:, 1].add(3.0))
    assert not np.allclose(apply(encoder, variables, moved)[0][:, 1], y[:, 1], atol=1e-3)
    gradient = jax.jit(jax.grad(lambda v: encoder.apply(v, x, train=False)[0][:, :, 0].std()))(variables)
    assert np.abs(gradient.params["mask_token"]).max() > 0


def test_mask_token_without_masked_tokens():
    x = tokens(jax.random.key(0))
    encoder, plain = nn.transformer(16, 1, 4, mask_token=True), nn.transformer(16, 1, 4)
    variables = encoder.init(jax.random.key(1), x)
    assert set(variables.params) - set(plain.init(jax.random.key(1), x).params) == {"mask_token"}
    np.testing.assert_array_equal(apply(encoder, variables, x)[0], apply(plain, variables, x)[0])
    with pytest.raises(ValueError, match="mask_token=True"):
        plain.apply(variables, x._replace(masked=jnp.ones((2, 6), bool)), train=False)


def test_order_of_tokens_carries_nothing():
    """Only positions say where a token is: shuffled tokens with their positions give shuffled features."""
    x = tokens(jax.random.key(0))
    encoder = nn.transformer(16, 2, 4)
    variables = encoder.init(jax.random.key(1), x)
    order = jnp.asarray([3, 1, 5, 0, 2, 4])
    y, _ = apply(encoder, variables, x, train=False)
    shuffled, _ = apply(encoder, variables, jax.tree.map(lambda a: a[:, order], x), train=False)
    np.testing.assert_allclose(y[:, order], shuffled, atol=1e-5)
    moved, _ = apply(encoder, variables, x._replace(positions=x.positions[:, order]), train=False)
    assert np.abs(y - moved).max() > 1e-2


def test_drop_path_leaves_out_whole_branches():
    x = tokens(jax.random.key(0))
    encoder = nn.transformer(16, 2, 4, drop_path=0.9)
    variables = encoder.init(jax.random.key(1), x)
    shallow, _ = apply(nn.transformer(16, 1, 4), variables, x, train=False)
    runs = [apply(encoder, variables, x, train=True, key=jax.random.key(i))[0] for i in range(8)]
    dropped = [np.allclose(run[e], shallow[e], atol=1e-5) for run in runs for e in range(2)]
    assert 8 <= sum(dropped) <= 16  # expected 0.81 of 16


def test_vit_takes_any_size():
    images = jax.random.uniform(jax.random.key(0), (2, 8, 12, 3))
    for pool in ("mean", "cls"):
        encoder = nn.vit(nn.patches(4), 16, 1, 2, pool=pool)
        variables = encoder.init(jax.random.key(1), images)
        y, _ = apply(encoder, variables, images[:, :4, :8], train=False)
        assert y.shape == (2, 16)
        assert apply(encoder, variables, images, train=False)[0].shape == (2, 16)


def test_vit_pools():
    images = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    encoder, blocks = nn.vit(nn.patches(4), 16, 1, 2), nn.transformer(16, 1, 2)
    variables = encoder.init(jax.random.key(1), images)
    features, _ = apply(blocks, variables, jax.vmap(nn.patches(4))(images), train=False)
    pooled, _ = apply(encoder, variables, images, train=False)
    np.testing.assert_allclose(pooled, features.mean(1), atol=1e-6)
    flat, _ = apply(nn.vit(nn.patches(4), 16, 1, 2, pool="flatten"), variables, images)
    np.testing.assert_allclose(flat, features.reshape(2, -1), atol=1e-6)


@pytest.mark.parametrize(
    ("size", "published"), [("tiny", 5_524_416), ("small", 21_665_664), ("base", 85_798_656)]
)
def test_published_parameter_counts(size, published):
    """Those of timm's vit_*_patch16_224 without their heads, learned positions included."""
    encoder = nn.vit(
        nn.patches(16, relative=True), *nn.VIT_SIZES[size], pool="cls", positions=nn.Grid((14, 14))
    )
    variables = jax.eval_shape(lambda key: encoder.init(key, jnp.zeros((1, 32, 32, 3))), jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(variables.params)) == published


def test_pools_leave_class_token_and_registers_out():
    images = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    blocks = nn.transformer(16, 1, 2, cls_token=True, registers=2)
    variables = blocks.init(jax.random.key(1), jax.vmap(nn.patches(4))(images))
    features, _ = apply(blocks, variables, jax.vmap(nn.patches(4))(images))
    for pool, expected in (
        ("mean", features[:, 3:].mean(1)),
        ("flatten", features[:, 3:].reshape(2, -1)),
        ("cls", features[:, 0]),
    ):
        encoder = nn.vit(nn.patches(4), 16, 1, 2, pool=pool, cls_token=True, registers=2)
        np.testing.assert_allclose(apply(encoder, variables, images)[0], expected, atol=1e-5)
    with pytest.raises(ValueError, match="class token"):
        nn.vit(nn.patches(4), 16, 1, 2, pool="cls", cls_token=False)


def test_positions_of_all_examples():
    """Positions without a batch dimension hold for each example; they may also depend on its content."""
    images = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3))
    x = jax.vmap(nn.patches(4))(images)
    encoder = nn.transformer(16, 1, 2)
    variables = encoder.init(jax.random.key(1), x)
    y, _ = apply(encoder, variables, x)
    np.testing.assert_allclose(
        apply(encoder, variables, x._replace(positions=x.positions[0]))[0], y, atol=1e-6
    )

    def shifted(image):
        tokens = nn.patches(4)(image)
        return tokens._replace(positions=tokens.positions + image[0, 0, 0])

    y, _ = apply(nn.vit(shifted, 16, 1, 2), variables, images)
    expected, _ = apply(encoder, variables, jax.vmap(shifted)(images))
    np.testing.assert_allclose(y, expected.mean(1), atol=1e-5)


def test_remat_changes_nothing():
    x = tokens(jax.random.key(0))
    plain, remat = (nn.transformer(16, 2, 4, drop_path=0.5, remat=remat) for remat in (None, "nothing"))
    variables = plain.init(jax.random.key(1), x)

    def gradient(encoder):
        def loss(params):
            own = variables._replace(params=params)
            return encoder.apply(own, x, train=True, key=jax.random.key(2))[0][..., 0].std()

        return jax.jit(jax.grad(loss))

    expected, found = gradient(plain)(variables.params), gradient(remat)(variables.params)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), expected, found)
    assert "remat" in str(jax.make_jaxpr(gradient(remat))(variables.params))


def test_layer_scale_swiglu_and_no_bias():
    x = tokens(jax.random.key(0))
    encoder = nn.transformer(16, 1, 4, layer_scale=0.0, swiglu=True, qkv_bias=False, dtype=jnp.bfloat16)
    variables = encoder.init(jax.random.key(1), x)
    block = variables.params["block0"]
    assert block["mlp1"]["kernel"].shape == (16, 2 * 48)  # 2/3 of 64, rounded up to a multiple of 8
    assert set(block["attention"]["qkv"]) == {"kernel"}
    y, _ = apply(encoder, variables, x)
    moved = jax.tree.map(jnp.copy, variables)
    moved.params["block0"]["mlp2"]["bias"] = jnp.ones(16)
    np.testing.assert_array_equal(y, apply(encoder, moved, x)[0])
    moved.params["block0"]["scale2"] = jnp.arange(16.0)
    assert not np.array_equal(y, apply(encoder, moved, x)[0])


@pytest.mark.parametrize(
    "options",
    [
        {"heads": 3},
        {"depth": 0},
        {"gelu": "fast"},
        {"drop_path": 1.0},
        {"registers": -1},
        {"positions": nn.Grid((0, 2))},
    ],
)
def test_wrong_arguments(options):
    with pytest.raises((ValueError, TypeError), match=r"expected|gelu"):
        nn.transformer(**{"dim": 16, "depth": 1, "heads": 4, **options})
    with pytest.raises((ValueError, TypeError), match="pool"):
        nn.vit(nn.patches(4), 16, 1, 4, pool="max")


@pytest.mark.parametrize(
    "options", [{}, {"remat": "dots"}, {"last_blocks": 2}, {"layer_scale": 0.1, "swiglu": True}]
)
def test_blocks_in_a_loop_are_the_same_blocks(options):
    x = tokens(jax.random.key(0))
    plain, rolled = (nn.transformer(16, 3, 4, rolled=rolled, **options) for rolled in (False, True))
    variables = plain.init(jax.random.key(1), x)
    again = rolled.init(jax.random.key(1), x)
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), variables, again))

    def loss(params, encoder):
        return jnp.sum(jnp.sin(encoder.apply(variables._replace(params=params), x, train=True)[0]))

    results = [
        jax.jit(jax.value_and_grad(lambda p, e=e: loss(p, e)))(variables.params) for e in (plain, rolled)
    ]
    (value, gradients), (rolled_value, rolled_gradients) = results
    np.testing.assert_allclose(value, rolled_value, rtol=1e-5)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), gradients, rolled_gradients
    )


def test_drop_path_in_a_loop_leaves_out_the_same_branches():
    """Of equal examples: each ends in one of the four ways that the last block's two branches allow."""
    row = tokens(jax.random.key(0), shape=(1, 6, 5))
    x = Tokens(jnp.broadcast_to(row.values, (64, 6, 5)), jnp.broadcast_to(row.positions[:1], (64, 6, 2)))
    found = []
    for rolled in (False, True):
        encoder = nn.transformer(16, 2, 4, drop_path=0.5, rolled=rolled)
        variables = encoder.init(jax.random.key(1), x)
        y, _ = apply(encoder, variables, x, train=True, key=jax.random.key(2))
        found.append(sorted({round(float(value), 4) for value in y[:, 0, 0]}))
    assert len(found[0]) == 4
    np.testing.assert_allclose(*found, atol=2e-4)


@pytest.mark.parametrize("positions", [None, nn.Grid((8, 8))])
def test_blocks_in_a_loop_keep_the_batch_cut_and_share_the_parameters(positions):
    """Compiled for a mesh: gathered are parameters, and nothing is moved that has the batch's size."""
    mesh = train.device_mesh(fsdp=4)
    x = tokens(jax.random.key(0), shape=(64, 6, 5))
    x = x._replace(positions=jax.random.uniform(jax.random.key(2), (64, 6, 4 if positions else 2)))
    encoder = nn.transformer(32, 4, 4, rolled=True, positions=positions, cls_token=True)
    variables = encoder.init(jax.random.key(1), x)
    places = jax.tree.map(
        lambda p: NamedSharding(mesh, PartitionSpec(*[None] * (p.ndim - 1), "fsdp")), variables
    )

    def loss(variables, x):
        return jnp.sum(encoder.apply(variables, x, train=True)[0] ** 2)

    with jax.set_mesh(mesh):
        step = jax.jit(
            jax.grad(loss), in_shardings=(places, train.batch_sharding(mesh)), out_shardings=places
        )
        program = step.lower(variables, x).compile()
    found = plan.find_collectives(plan.Module(program.as_text()), dict(mesh.shape))
    assert {c.kind for c in found} == {"all-gather", "all-reduce"}
    assert {c.axes for c in found if c.kind == "all-gather"} == {"fsdp"}
    largest = max(p.nbytes for p in jax.tree.leaves(variables))
    assert max(c.bytes for c in found if c.kind == "all-gather") <= largest
    for own, expected in zip(
        jax.tree.leaves(program(jax.device_put(variables, places), x)),
        jax.tree.leaves(jax.jit(jax.grad(loss))(variables, x)),
        strict=True,
    ):
        np.testing.assert_allclose(own, expected, rtol=1e-3, atol=1e-3)


def test_what_remat_keeps_is_not_computed_again():
    x = Tokens(jnp.zeros((4, 16, 32)), jnp.zeros((4, 16, 2)))

    def operations(remat):
        encoder = nn.transformer(32, 3, 2, rolled=True, remat=remat)
        variables = encoder.init(jax.random.key(0), x)

        def loss(params):
            return jnp.sum(encoder.apply(variables._replace(params=params), x, train=True)[0] ** 2)

        program = jax.jit(jax.grad(loss)).lower(variables.params).compile()
        return plan.count(plan.Module(program.as_text())).flops

    every, none = operations(None), operations("nothing")
    assert none > 1.2 * every
    assert operations("dots") < 1.02 * every
    assert operations("dots_with_no_batch_dims") < every + 0.2 * (none - every)
