import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import core, losses, methods, nn, pretext
from jssl.core import Tokens
from jssl.methods import masked
from tests import conformance
from tests.nn.compiled import apply


def mae(**options):
    defaults = {
        "tokenizer": nn.patches(2),
        "encoder": nn.transformer(16, 1, 2),
        "decoder": nn.transformer(8, 1, 2),
        "untokenize": nn.unpatchify,
    }
    return methods.mae(**{**defaults, **options})


def spy(encoder, seen):
    def watched(variables, x, *, train, key=None):
        seen.append(x)
        return apply(encoder, variables, x, train=train, key=key)

    return core.Encoder(encoder.init, watched)


def test_the_encoder_sees_visible_tokens_only_and_the_loss_masked_ones():
    batch, seen, decoded = conformance.batch(), [], []
    encoder, decoder = nn.transformer(16, 1, 2), nn.transformer(8, 1, 2)
    method = mae(encoder=spy(encoder, seen), decoder=spy(decoder, decoded), mask_ratio=0.7)
    params, state = method.init(jax.random.key(0), batch)
    value, _ = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    tokens = jax.vmap(nn.patches(2))(batch["image"])
    visible, full = seen[-1], decoded[-1]
    assert visible.values.shape == (16, 4, 12)  # floor(16 * 0.3)
    assert full.values.shape == (16, 16, 16)
    np.testing.assert_array_equal(full.positions, tokens.positions)

    index = (visible.positions[..., 0] * 4 + visible.positions[..., 1]).astype(int)
    np.testing.assert_array_equal(
        jnp.take_along_axis(tokens.values, index[..., None], axis=1), visible.values
    )
    assert len({tuple(row) for row in index.tolist()}) > 8, "each example has a mask of its own"
    mask = np.ones((16, 16), bool)
    np.put_along_axis(mask, np.asarray(index), False, axis=1)
    features, _ = apply(encoder, core.Variables(params["encoder"], {}), visible, train=True)
    for example in range(16):
        np.testing.assert_allclose(full.values[example][~mask[example]], features[example], atol=1e-5)
        hidden = full.values[example][mask[example]]
        np.testing.assert_allclose(hidden, np.broadcast_to(params["mask_token"], hidden.shape))
    h, _ = apply(decoder, core.Variables(params["decoder"]["blocks"], {}), full, train=True)
    head = params["decoder"]["head"]
    prediction = h @ head["kernel"] + head["bias"].reshape(1, 1, -1)
    target = np.asarray(losses.normalize_patches(tokens.values))
    np.testing.assert_allclose(value, np.mean((np.asarray(prediction) - target)[mask] ** 2), rtol=1e-4)


def test_embed_pools_all_tokens():
    batch, encoder = conformance.batch(), nn.transformer(16, 1, 2)
    method = mae(encoder=encoder, mean=0.5, std=0.25)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    tokens = jax.vmap(nn.patches(2))(batch["image"])
    tokens = tokens._replace(values=(tokens.values - 0.5) / 0.25)
    features, _ = apply(encoder, core.Variables(params["encoder"], {}), tokens, train=False)
    mean = jax.jit(method.embed)(params, state, batch["image"])
    np.testing.assert_allclose(mean, features.mean(1), atol=1e-5)
    flat = jax.jit(mae(encoder=encoder, mean=0.5, std=0.25, pool="flatten").embed)(
        params, state, batch["image"]
    )
    np.testing.assert_allclose(flat, features.reshape(16, -1), atol=1e-5)


@pytest.mark.parametrize("normalize", [True, False])
def test_pictures(normalize):
    batch = conformance.batch()
    method = mae(normalize=normalize, mean=0.5, std=0.25)
    params, state = jax.jit(method.init)(jax.random.key(0), batch)
    masked, filled, original = np.moveaxis(
        jax.jit(method.show)(params, state, batch, key=jax.random.key(1))["reconstruction"], 1, 0
    )
    np.testing.assert_allclose(original, batch["image"] / 255, atol=1e-6)
    same = np.isclose(filled, original, atol=1e-6).all(-1)
    assert 0.2 < same.mean() < 0.3  # a quarter is visible
    np.testing.assert_allclose(masked[same], original[same], atol=1e-6)
    assert mae(untokenize=None).show is None


def test_tokens_of_any_kind():
    """A series of numbers instead of a picture, its tokens at one coordinate."""

    def frames(x):
        return Tokens(x.reshape(-1, 4), jnp.arange(len(x) // 4, dtype=jnp.float32)[:, None])

    batch = {"series": jax.random.normal(jax.random.key(0), (8, 64))}
    method = mae(tokenizer=frames, inputs="series", untokenize=None, normalize=False)
    params, state = jax.jit(method.init)(jax.random.key(1), batch)
    value, _ = jax.jit(method.loss)(params, state, batch, key=jax.random.key(2), step=jnp.asarray(0))
    assert np.isfinite(value)
    assert jax.jit(method.embed)(params, state, batch["series"]).shape == (8, 16)


def test_masks_of_ones_own():
    """Blocks instead of scattered tokens, and a count of their own."""
    batch, seen = conformance.batch(), []
    method = mae(
        encoder=spy(nn.transformer(16, 1, 2), seen),
        mask=lambda key, n: pretext.block_mask(key, (4, 4), 0.25, block=(0.25, 0.25), aspect=(1.0, 1.0)),
    )
    params, state = method.init(jax.random.key(0), batch)
    method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    visible = (seen[-1].positions[..., 0] * 4 + seen[-1].positions[..., 1]).astype(int)
    assert visible.shape == (16, 12)
    for row in visible.tolist():
        rows, columns = np.divmod(sorted(set(range(16)) - set(row)), 4)
        assert (np.ptp(rows), np.ptp(columns)) == (1, 1)


def test_a_mean_for_each_channel():
    batch, seen = conformance.batch(), []
    method = mae(
        encoder=spy(nn.transformer(16, 1, 2), seen), mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 4.0), mask_ratio=0.5
    )
    params, state = method.init(jax.random.key(0), batch)
    method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    visible = seen[-1]
    index = (visible.positions[..., 0] * 4 + visible.positions[..., 1]).astype(int)
    image = (np.asarray(batch["image"]) / 255 - [0.1, 0.2, 0.3]) / [1.0, 2.0, 4.0]
    patches = image.reshape(16, 4, 2, 4, 2, 3).swapaxes(2, 3).reshape(16, 16, 12)
    np.testing.assert_allclose(
        visible.values, np.take_along_axis(patches, np.asarray(index)[..., None], axis=1), atol=1e-5
    )


def test_diagnosis():
    judge = mae().diagnose
    assert judge({"reconstruction/explained": 0.2, "collapse/std": 0.6}) == []
    sentences = judge({"reconstruction/explained": -0.01, "collapse/std": 0.01})
    assert len(sentences) == 2
    assert all("mask_ratio" in sentence for sentence in sentences)


def test_the_explained_share():
    """0 for the mean, 1 for the values themselves; what is visible does not count."""
    target = jax.random.normal(jax.random.key(0), (4, 6, 3))
    mask = jax.random.bernoulli(jax.random.key(1), 0.5, (4, 6))
    mean = jnp.broadcast_to(target[mask].mean(0), target.shape)
    np.testing.assert_allclose(masked.explained(mean, target, mask), 0, atol=1e-6)
    perfect = jnp.where(mask[..., None], target, 100.0)
    np.testing.assert_allclose(masked.explained(perfect, target, mask), 1, atol=1e-6)
    half = jnp.where(mask[..., None], (target + mean) / 2, -5.0)
    np.testing.assert_allclose(masked.explained(half, target, mask), 0.75, atol=1e-5)


def test_wrong_arguments():
    for options in ({"mask_ratio": 1.0}, {"mask_ratio": 0.0}, {"std": 0.0}):
        with pytest.raises(ValueError, match="expected"):
            mae(**options)
    with pytest.raises(ValueError, match="mask ratio"):
        mae(mask_ratio=0.99).init(jax.random.key(0), conformance.batch())
    with pytest.raises(ValueError, match="class token"):
        mae(encoder=nn.transformer(16, 1, 2, cls_token=True)).init(jax.random.key(0), conformance.batch())
