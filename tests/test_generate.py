import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.clm_shakespeare import clm_shakespeare
from jssl import cli, experiment, methods, nn
from jssl.core import Text, Variables
from jssl.generate import Generator, Settings
from tests import tiny

CONTEXT, VOCAB = 12, 20


@pytest.fixture(scope="module")
def model():
    encoder = nn.text_transformer(VOCAB, 16, 2, 2, max_length=CONTEXT, **nn.GPT2)
    method = methods.clm(encoder=encoder)
    params, state = method.init(jax.random.key(0), {"tokens": jnp.zeros((2, CONTEXT), jnp.int32)})
    params = jax.tree.map(
        lambda x: 0.5 * jax.random.normal(jax.random.key(x.size), x.shape), params
    )  # far from each other, so that no two scores are nearly equal
    return encoder, method, params, state


@pytest.fixture(scope="module")
def generator(model):
    _, method, params, state = model
    return Generator(method, params, state, context=CONTEXT)


def greedy(model, prompt, num):
    """Without a cache: the whole text is read again for each token."""
    encoder, _, params, _ = model

    @jax.jit
    def scores(tokens, length):
        h, _ = encoder.apply(Variables(params["encoder"], {}), Text(tokens), train=False)
        return h[0, length - 1] @ params["encoder"]["tokens"].T

    text = list(prompt)
    for _ in range(num):
        row = np.zeros((1, CONTEXT), np.int32)
        row[0, : len(text)] = text
        text.append(int(jnp.argmax(scores(row, len(text)))))
    return text[len(prompt) :]


def made(generator, prompts, num, **options):
    tokens = generator.stream(prompts, num=num, key=jax.random.key(1), **options)
    return np.stack(list(tokens), axis=1).tolist()


def test_cached_equals_uncached_for_prompts_of_several_lengths(model, generator):
    prompts = [[3], [7, 1, 4, 4], [9, 2, 6]]
    found = made(generator, prompts, 7, settings=Settings(temperature=0.0))
    assert found == [greedy(model, prompt, 7) for prompt in prompts]


def test_a_prompt_longer_than_the_context_counts_by_its_end(model, generator):
    long = [*range(5, 20), 3, 8, 1, 1, 2]
    found = made(generator, [long], 3, settings=Settings(temperature=0.0))
    assert found == [greedy(model, long[-CONTEXT // 2 :], 3)]


def test_goes_on_beyond_the_context(model, generator):
    (found,) = made(generator, [[3]], 30, settings=Settings(temperature=0.0))
    first = greedy(model, [3], CONTEXT - 1)
    assert found[: CONTEXT - 1] == first
    text = [3, *found]
    # At the context's end the network reads its latter half again.
    assert found[CONTEXT - 1 : CONTEXT + 2] == greedy(model, text[CONTEXT // 2 : CONTEXT], 4)[:3]


def test_keys_and_settings(generator):
    draw = functools.partial(made, generator, [[3], [3]], 40)
    a, b = draw()
    assert a != b
    assert draw() == [a, b]
    assert draw(settings=Settings(temperature=2.0)) != [a, b]
    assert draw(settings=Settings(top_k=1)) == draw(settings=Settings(temperature=0.0))


def test_ends_at_the_stop(generator):
    (plain,) = made(generator, [[3]], 20, settings=Settings(temperature=0.0))
    stop = plain[4]
    (found,) = made(generator, [[3]], 20, settings=Settings(temperature=0.0), stop=stop)
    assert found == plain[: plain.index(stop) + 1]


def test_one_compilation_for_all_lengths_and_settings(model):
    _, method, params, state = model
    traced = []

    def extend(params, state, text):
        traced.append(type(text).__name__)
        return method.extend(params, state, text)

    generator = Generator(method._replace(extend=extend), params, state, context=CONTEXT)
    for prompt, settings in (
        ([3], Settings()),
        (list(range(9)), Settings(0.0)),
        ([1, 2], Settings(0.7, 3, 0.9)),
    ):
        made(generator, [prompt], 15, settings=settings)
    assert sorted(traced) == ["Next", "Prompt"]


@pytest.mark.parametrize(
    ("settings", "prompts"),
    [(Settings(-1.0), [[1]]), (Settings(top_p=0.0), [[1]]), (Settings(top_k=-1), [[1]]), (Settings(), [[]])],
)
def test_bad_settings(generator, settings, prompts):
    with pytest.raises(ValueError, match="expected"):
        made(generator, prompts, 1, settings=settings)


def test_other_methods_are_refused():
    method = methods.mlm(
        encoder=nn.text_transformer(VOCAB, 16, 1, 2, max_length=8, **nn.BERT),
        head=nn.masked_head(),
        mask=lambda key, tokens: tokens,
    )
    with pytest.raises(ValueError, match="causal language model"):
        Generator(method, {}, {}, context=8)


def test_the_command(tmp_path, capsys, monkeypatch):
    text = tmp_path / "text.txt"
    text.write_text("to be or not to be, that is the question\n" * 40)
    folder = str(tmp_path / "run")
    experiment.main(
        clm_shakespeare,
        [
            *(
                "--text",
                str(text),
                "--steps",
                "2",
                "--batch-size",
                "8",
                "--length",
                "16",
                "--width",
                "16",
                "--depth",
                "1",
            ),
            *("--heads", "2", "--run-dir", folder),
        ],
    )
    capsys.readouterr()
    words = ["jssl", "generate", folder, "--prompt", "to be", "--length", "25", "--samples", "2"]
    monkeypatch.setattr("sys.argv", words)
    cli.main()
    first = capsys.readouterr().out
    assert first.startswith("to be")
    assert len(first) == 2 * len("to be") + 2 * 25 + len("\n---\n") + 2
    cli.main()
    assert capsys.readouterr().out == first
    monkeypatch.setattr("sys.argv", [*words[:4], "to be ß"])
    with pytest.raises(SystemExit, match="ß"):
        cli.main()


def test_a_run_that_cannot_go_on_says_so(tmp_path, monkeypatch):
    folder = str(tmp_path / "run")
    experiment.main(tiny.simclr, ["--steps", "1", "--run-dir", folder])
    monkeypatch.setattr("sys.argv", ["jssl", "generate", folder])
    with pytest.raises(SystemExit, match="causal language"):
        cli.main()
