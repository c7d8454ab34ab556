import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jssl import methods, nn
from jssl.core import Variables
from tests import conformance
from tests.methods.spy import spy


def test_all_four_rotations_of_each_image_and_their_labels():
    batch, seen = conformance.batch(), []
    method = methods.rotation(encoder=spy(conformance.resnet(), seen))
    params, state = method.init(jax.random.key(0), batch)
    value, (_, metrics) = method.loss(params, state, batch, key=jax.random.key(1), step=jnp.asarray(0))
    turned = np.asarray(seen[-1][1])
    x = np.asarray(batch["image"] / 255)
    for index, picture in enumerate(turned):
        np.testing.assert_allclose(picture, np.rot90(x[index // 4], index % 4), atol=1e-6)
    h, _ = conformance.resnet().apply(
        Variables(params["encoder"], state.stats["encoder"]), jnp.asarray(turned), train=True
    )
    logits = np.asarray(h @ params["head"]["kernel"] + params["head"]["bias"][None], np.float64)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = -np.log(p[np.arange(64), np.arange(64) % 4]).mean()
    np.testing.assert_allclose(value, expected, rtol=1e-4)
    np.testing.assert_allclose(metrics["classification/chance"], expected / math.log(4), rtol=1e-4)
    right = (logits.argmax(1) == np.arange(64) % 4).mean()
    np.testing.assert_allclose(metrics["classification/accuracy"], right)


def test_diagnosis():
    judge = methods.rotation(encoder=conformance.resnet()).diagnose
    assert judge({"classification/chance": 0.5}) == []
    assert "learning rate" in judge({"classification/chance": 0.999})[0]


def test_images_must_be_square():
    method = methods.rotation(encoder=nn.resnet((1,), width=4))
    with pytest.raises(ValueError, match="square"):
        method.init(jax.random.key(0), {"image": jnp.zeros((2, 8, 6, 3))})
