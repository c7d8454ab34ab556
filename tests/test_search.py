import io
import sys

import numpy as np
import pytest

from experiments.bert_small_bible import bert_small_bible
from jssl import cli, experiment, load
from jssl.search import Searcher
from tests import tiny

WORDS = ["sea", "ship", "blue", "deep", "wind", "sail", "old", "king", "land", "road"]


def sentences(seed, num):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(3, 9))) for _ in range(num)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of a tiny BERT."""
    place = tmp_path_factory.mktemp("search")
    text = place / "text.txt"
    lines = sentences(0, 240)
    text.write_text("\n\n".join("\n".join(lines[i : i + 8]) for i in range(0, 240, 8)))
    sizes = {"steps": 2, "batch-size": 8, "vocab-size": 80, "length": 32, "width": 16, "depth": 1, "heads": 2}
    options = [word for name, size in sizes.items() for word in (f"--{name}", str(size))]
    experiment.main(bert_small_bible, ["--text", str(text), *options, "--run-dir", str(place / "run")])
    return place / "run"


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss")


def test_equals_brute_force(folder, faiss):
    run, corpus, queries = load(folder), sentences(1, 150), sentences(2, 20)
    found = Searcher(run, corpus).nearest(queries, top=7)
    cosines = run.similarity(run.encode(queries), run.encode(corpus))
    for row, hits in zip(cosines, found, strict=True):
        expected = np.sort(row)[::-1][:7]
        np.testing.assert_allclose([hit.similarity for hit in hits], expected, atol=1e-5)
        by_sentence = dict(zip(corpus, row, strict=True))
        np.testing.assert_allclose([by_sentence[hit.sentence] for hit in hits], expected, atol=1e-5)


def test_the_index_is_kept_by_content_and_step(folder, faiss):
    run, corpus = load(folder), sentences(3, 30)
    first = Searcher(run, corpus)
    assert first.path.is_relative_to(folder / "search")
    embedded = []

    def embed(rows, **options):
        embedded.append(len(rows))
        return run.embed(rows, **options)

    again = Searcher(run._replace(embed=embed), corpus)
    assert again.nearest(corpus[:1]) == first.nearest(corpus[:1])
    assert sum(embedded) == 1
    later = run._replace(state=run.state._replace(step=run.state.step + 1))
    paths = {first.path, Searcher(run, corpus[1:]).path, Searcher(later, corpus).path}
    assert len(paths) == 3
    assert all(path.exists() for path in paths)


def test_the_command(folder, faiss, tmp_path, capsys, monkeypatch):
    corpus = sentences(4, 12)
    (tmp_path / "corpus.txt").write_text("\n".join(corpus))
    words = ["jssl", "search", str(folder), str(tmp_path / "corpus.txt"), "--top", "3"]
    monkeypatch.setattr("sys.argv", [*words, "--query", corpus[5]])
    cli.main()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[0] == f" 1.000  {corpus[5]}"
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{corpus[5]}\n\n{corpus[6]}\n"))
    cli.main()
    assert capsys.readouterr().out.splitlines()[:5] == [f"> {corpus[5]}", *lines, f"> {corpus[6]}"]


def test_fewer_sentences_than_asked_for(folder, faiss):
    made = Searcher(load(folder), ["the sea", "the land"])
    assert len(made.nearest(["sea"], top=9)[0]) == 2
    with pytest.raises(ValueError, match="top=0"):
        made.nearest(["sea"], top=0)


def test_what_is_absent_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ValueError, match=r"faiss, which isn't installed: pip install 'jssl\[search\]'"):
        Searcher(load(folder), ["a"])


def test_a_run_of_images_says_so(tmp_path, monkeypatch, faiss):
    folder = tmp_path / "run"
    experiment.main(tiny.simclr, ["--steps", "1", "--run-dir", str(folder)])
    (tmp_path / "corpus.txt").write_text("a sentence\n")
    monkeypatch.setattr("sys.argv", ["jssl", "search", str(folder), str(tmp_path / "corpus.txt")])
    with pytest.raises(SystemExit, match="can't encode sentences"):
        cli.main()
