import jax
import jax.numpy as jnp
import numpy as np

from jssl import ops

LOGITS = jnp.log(jnp.array([[0.5, 0.25, 0.15, 0.1], [0.1, 0.15, 0.25, 0.5]]))


def frequencies(num=20_000, **settings):
    keys = jax.random.split(jax.random.key(0), num)
    drawn = jax.jit(jax.vmap(lambda key: ops.sample_token(key, LOGITS, **settings)))(keys)
    return np.stack([np.bincount(drawn[:, row], minlength=4) / num for row in (0, 1)])


def close(found, expected):
    np.testing.assert_allclose(found[0], expected, atol=0.015)
    np.testing.assert_allclose(found[1], expected[::-1], atol=0.015)


def test_follows_the_probabilities():
    close(frequencies(), [0.5, 0.25, 0.15, 0.1])


def test_temperature_sharpens():
    squares = np.array([0.5, 0.25, 0.15, 0.1]) ** 2
    close(frequencies(temperature=0.5), squares / squares.sum())


def test_temperature_0_takes_the_likeliest():
    close(frequencies(num=50, temperature=0.0), [1, 0, 0, 0])


def test_top_k():
    close(frequencies(top_k=2), [2 / 3, 1 / 3, 0, 0])
    close(frequencies(top_k=9), [0.5, 0.25, 0.15, 0.1])


def test_top_p_keeps_the_fewest_that_reach_it():
    close(frequencies(top_p=0.5), [1, 0, 0, 0])
    close(frequencies(top_p=0.6), [2 / 3, 1 / 3, 0, 0])
    close(frequencies(top_p=0.9), [5 / 9, 2.5 / 9, 1.5 / 9, 0])


def test_top_p_is_of_what_top_k_leaves():
    """The two likeliest have 2/3 and 1/3 of what is left, and 0.6 is reached by the first."""
    close(frequencies(top_k=2, top_p=0.6), [1, 0, 0, 0])


def test_one_program_for_all_settings():
    traces = []

    @jax.jit
    def draw(key, temperature, top_k, top_p):
        traces.append(1)
        return ops.sample_token(key, LOGITS, temperature=temperature, top_k=top_k, top_p=top_p)

    for number, settings in enumerate([(1.0, 0, 1.0), (0.0, 2, 0.5), (0.7, 3, 0.9)]):
        draw(jax.random.key(number), *settings)
    assert len(traces) == 1
