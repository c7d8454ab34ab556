"""The whole page, from complete, partial and damaged run folders."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from jssl import report
from tests.report import run_folder

VOID = {"meta", "img", "br"}


class Outline(HTMLParser):
    """Checks that elements nest, and keeps ids, scripts and what a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.words = ""

    def handle_starttag(self, name, attrs):
        if name not in VOID:
            self.open.append(name)
        values = dict(attrs)
        self.ids += [values["id"]] if "id" in values else []
        self.addresses += [values[key] for key in ("src", "href", "action", "data") if key in values]
        self.scripts += name == "script" and values.get("type") != "application/json"

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open[-1:] not in (["script"], ["style"]):
            self.words += data


def outline_of(page: Path) -> Outline:
    outline = Outline()
    outline.feed(page.read_text(encoding="utf-8"))
    assert outline.open == []
    assert len(set(outline.ids)) == len(outline.ids)
    return outline


@pytest.fixture(scope="module")
def complete(tmp_path_factory) -> Path:
    return report.draw(run_folder.complete(tmp_path_factory.mktemp("simclr_digits")))


def test_complete_run_has_every_section(complete):
    outline = outline_of(complete)
    expected = "evaluations curves views reconstruction prototypes odd nearest-neighbours"
    assert outline.ids == [*expected.split(), "map-of-the-embeddings", "confusion", "configuration"]
    assert "kNN accuracy 85.2 %; raw pixels 81.0, untrained 78.1. That is 4.2 points ahead" in outline.words
    assert "python experiments/simclr_digits.py --steps 400" in outline.words
    assert not list(complete.parent.glob("*.part"))


def test_nothing_is_fetched(complete):
    text = re.sub("base64,[A-Za-z0-9+/=]+", "base64,", complete.read_text(encoding="utf-8"))
    assert all(address.startswith("#") for address in outline_of(complete).addresses)
    assert not re.search(r"https?:|//[a-z]|@import|fetch\(|XMLHttp", text, re.IGNORECASE)
    assert all(uri.startswith("url(data:image/") for uri in re.findall(r"url\([^)]{0,40}", text))


def test_names_are_escaped(complete):
    outline = outline_of(complete)
    assert outline.scripts == 1
    assert run_folder.HOSTILE in outline.words
    assert run_folder.HOSTILE not in complete.read_text(encoding="utf-8")


def test_run_in_progress_says_what_is_absent(tmp_path):
    run_folder.config(tmp_path)
    run_folder.metrics(tmp_path)
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 410, "lo')
    outline = outline_of(report.draw(tmp_path))
    assert outline.ids == ["curves", "configuration", "not-here-yet"]
    assert "No final results yet; logged up to step 400" in outline.words
    assert "results.json, written after the evaluations" in outline.words
    assert "damaged" not in outline.words


def test_only_a_configuration(tmp_path):
    run_folder.config(tmp_path)
    assert "Nothing is logged yet." in outline_of(report.draw(str(tmp_path))).words


def test_only_metrics(tmp_path):
    run_folder.metrics(tmp_path)
    assert tmp_path.name in outline_of(report.draw(tmp_path)).words


def test_run_without_evaluations_waits_for_nothing(tmp_path):
    run_folder.metrics(tmp_path)
    (tmp_path / "results.json").write_text('{"columns": [], "rows": {}, "warnings": []}')
    outline = outline_of(report.draw(tmp_path))
    assert outline.ids == ["curves"]
    assert "Trained, and not evaluated; logged up to step 400" in outline.words


def test_diverged_run_warns(tmp_path):
    run_folder.metrics(tmp_path, nan_from=200)
    words = outline_of(report.draw(tmp_path)).words
    assert "The loss is not finite at the last step logged; the first time was step 200." in words
    assert "Not finite 21 times, first at step 200." in words


def test_run_that_is_all_nan_is_drawn(tmp_path):
    run_folder.metrics(tmp_path, nan_from=0)
    assert "Not finite 40 times" in outline_of(report.draw(tmp_path)).words


def test_without_labels(tmp_path):
    run_folder.complete(tmp_path)
    run_folder.embeddings(tmp_path, leave_out=("labels", "predictions"))
    outline = outline_of(report.draw(tmp_path))
    assert "no labels given" in outline.words
    assert "nearest-neighbours" in outline.ids
    assert "confusion" not in outline.ids


def test_texts(tmp_path):
    run_folder.config(tmp_path)
    run_folder.results(tmp_path)
    run_folder.embeddings(tmp_path, leave_out=("inputs",))
    run_folder.texts(tmp_path)
    run_folder.samples(tmp_path)
    page = report.draw(tmp_path)
    outline = outline_of(page)
    sections = (
        "evaluations masked-words entities sampled-text nearest-neighbours map-of-the-embeddings confusion"
    )
    assert outline.ids == [*sections.split(), "configuration"]
    assert "1 of 3 right" in outline.words
    assert "in the beginning" in outline.words
    assert "the network saw walk" in page.read_text(encoding="utf-8")
    assert "␣" in outline.words
    assert "seen in York location by" in " ".join(outline.words.split())
    assert "none person" in outline.words
    assert "the kind is right, the ends are not" in page.read_text(encoding="utf-8")
    assert "text 59, " in outline.words
    assert "12 of 30 are shown." in outline.words
    assert "sample 30." in outline.words
    text = page.read_text(encoding="utf-8")
    assert text.count("<details") == 12
    assert text.count("open>") == 1
    assert run_folder.HOSTILE not in text


@pytest.mark.parametrize(
    "content", ['{"hidden": 3}', '{"hidden": {"a": [[{"no": 1}]]}, "examples": []}', "[]"]
)
def test_damaged_texts_are_named(tmp_path, content):
    run_folder.complete(tmp_path)
    (tmp_path / "texts.json").write_text(content)
    (tmp_path / "samples.jsonl").write_text("3\n")
    words = outline_of(report.draw(tmp_path)).words
    assert "texts.json could not be read and is left out" in words
    assert "samples.jsonl could not be read and is left out" in words


def test_texts_of_other_examples_are_not_drawn(tmp_path):
    run_folder.complete(tmp_path)
    run_folder.embeddings(tmp_path, leave_out=("inputs",))
    run_folder.texts(tmp_path, count=3)
    assert "text 2, " not in outline_of(report.draw(tmp_path)).words


def test_without_images(tmp_path):
    run_folder.config(tmp_path)
    run_folder.results(tmp_path)
    run_folder.embeddings(tmp_path, leave_out=("inputs",))
    page = report.draw(tmp_path)
    assert "nearest-neighbours" in outline_of(page).ids
    assert "data:image" not in page.read_text(encoding="utf-8")


def test_collapsed_embeddings(tmp_path):
    run_folder.config(tmp_path)
    np.savez(tmp_path / "embeddings.npz", features=np.ones((30, 8), np.float32))
    assert (
        "No map: the embeddings are fewer than ten or all the same."
        in outline_of(report.draw(tmp_path)).words
    )


def test_non_finite_embeddings(tmp_path):
    run_folder.config(tmp_path)
    features = np.random.default_rng(0).normal(size=(30, 8)).astype(np.float32)
    features[3] = np.nan
    np.savez(tmp_path / "embeddings.npz", features=features)
    assert "map-of-the-embeddings" in outline_of(report.draw(tmp_path)).ids


@pytest.mark.parametrize("name", ["results.json", "embeddings.npz", "pictures.npz"])
def test_damaged_files_are_named(tmp_path, name):
    run_folder.complete(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    assert f"{name} could not be read and is left out" in outline_of(report.draw(tmp_path)).words


def test_missing_folder(tmp_path):
    with pytest.raises(ValueError, match=r"expected a run folder, got .*nowhere.*not a directory"):
        report.draw(tmp_path / "nowhere")


def test_folder_of_something_else(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json or metrics\.jsonl, found neither"):
        report.draw(tmp_path)


def test_long_run_stays_small(tmp_path):
    run_folder.metrics(tmp_path, steps=100_000)
    assert report.draw(tmp_path).stat().st_size < 300_000
