"""Puts the page together and writes it."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jssl.report import (
    configuration,
    confusion,
    curves,
    embedding_map,
    entities,
    neighbours,
    pictures,
    results_table,
    run_files,
    samples,
    sprites,
    texts,
    verdict,
)
from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Embeddings, Run

THUMBNAIL, THUMBNAILS_BUDGET = 48, 1_000_000
# The browser itself then refuses anything that is not in the file.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"


class Section(NamedTuple):
    """A part of the page. Without a body it is left out; with a source, what it waits for is named."""

    title: str
    body: Markup | None
    source: str = ""


def draw(run_dir: str | Path) -> Path:
    """Draw a run's page, report.html, from the files of its folder.

    Absent files are fine: the page of a run in progress says what is not there yet. The page is one file
    that needs no network; it is written whole or not at all.

    Args:
        run_dir: folder with config.json or metrics.jsonl, of a language model with samples.jsonl, and, once
            the run is over, results.json, embeddings.npz, pictures.npz and texts.json. Of the embeddings the
            first 2,000 examples are drawn.

    Returns:
        Path of the page.

    Raises:
        ValueError: `run_dir` is not a run folder.
    """
    run = run_files.read(run_dir)
    return write(run.folder / "report.html", compose(run))


def write(page: Path, text: str) -> Path:
    """Write a page whole or not at all."""
    draft = page.with_suffix(".html.part")
    draft.write_text(text, encoding="utf-8")
    os.replace(draft, page)
    return page


def compose(run: Run) -> str:
    """The whole page as text."""
    examples = None if run.embeddings is None else run.embeddings.first(run_files.MAX_EXAMPLES)
    tiles = _thumbnails(examples)
    sheets = [] if tiles is None else [tiles]
    sections = [
        Section("Evaluations", results_table.draw(run), "results.json, written after the evaluations"),
        Section("Curves", curves.draw(run), "metrics.jsonl, written while training"),
        *_picture_sections(run, tiles, sheets),
        *(Section(_titled(name), texts.draw(rows)) for name, rows in run.texts.hidden.items()),
        Section("Entities", entities.draw(run.texts.tagged)),
        Section("Sampled text", samples.draw(run.samples)),
        *_embedding_sections(run, examples, tiles),
        Section("Configuration", configuration.draw(run), "config.json, written when the run starts"),
    ]
    drawn = [section for section in sections if section.body is not None]
    name = str(run.config.get("name") or run.folder.resolve().name)
    body = join(
        _header(run, name),
        _navigation([section.title for section in drawn]),
        tag("main", _warnings(run), *(_section(part) for part in drawn), _absent(run, sections)),
        tag("footer", f"Drawn by jssl from the files of {run.folder.resolve().name}/"),
    )
    return "<!doctype html>\n" + tag("html", head(name, sheets), tag("body", body, _script()), lang="en")


def _thumbnails(examples: Embeddings | None) -> sprites.Sheet | None:
    if examples is None or examples.inputs is None or not len(examples.inputs):
        return None
    return sprites.sheet("sheet-examples", examples.inputs, budget=THUMBNAILS_BUDGET, largest=THUMBNAIL)


def _picture_sections(run: Run, tiles: sprites.Sheet | None, sheets: list[sprites.Sheet]) -> list[Section]:
    """A section for each picture; the sheets that they need are added to `sheets`."""
    if not run.pictures:
        return [Section("Pictures of the pretext task", None, "pictures.npz, written after training")]
    sections = []
    for name, array in run.pictures.items():
        if array.ndim == 5 and array.size:
            sheet, body = pictures.draw_rows(name, array)
            sheets.append(sheet)
        elif array.ndim == 2 and array.size:
            body = pictures.draw_clusters(run, np.nan_to_num(array), tiles)
        else:
            body = tag(
                "p", f"An array of shape {array.shape} is neither rows of images nor scores.", class_="note"
            )
        sections.append(Section(_titled(name), body))
    return sections


def _titled(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _embedding_sections(run: Run, examples: Embeddings | None, tiles: sprites.Sheet | None) -> list[Section]:
    if examples is None:
        return [Section("Embeddings", None, "embeddings.npz, written after training")]
    return [
        Section("Nearest neighbours", neighbours.draw(run, examples, tiles)),
        Section("Map of the embeddings", embedding_map.draw(run, examples, tiles)),
        Section("Confusion", confusion.draw(run)),
    ]


def head(name: str, sheets: list[sprites.Sheet]) -> Markup:
    """Title, style and policy of a page."""
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", f"{name} · jssl"),
        tag("style", _data("style.css"), *(sheet.style() for sheet in sheets)),
    )


def _data(file: str) -> Markup:
    return Markup(resources.files("jssl.report").joinpath(file).read_text(encoding="utf-8"))


def _script() -> Markup:
    return tag("script", _data("script.js"))


def _header(run: Run, name: str) -> Markup:
    description = run.config.get("description")
    words = tag(
        "div",
        tag("p", "jssl · run", class_="eyebrow"),
        tag("h1", name),
        tag("p", description, class_="description") if description else None,
        tag("p", verdict.sentence(run), class_="verdict"),
    )
    return tag("header", tag("div", words, verdict.bars(run), class_="hero"), verdict.facts(run))


def _anchor(title: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in title.lower()).split())


def _navigation(titles: list[str]) -> Markup:
    return tag(
        "nav", *(tag("a", title, href=f"#{_anchor(title)}") for title in titles), aria_label="Sections"
    )


def _section(section: Section) -> Markup:
    return tag("section", tag("h2", section.title), section.body, id=_anchor(section.title))


def _warnings(run: Run) -> Markup | None:
    found = [*(run.results.get("warnings") or []), *_diverged(run), *run.problems]
    if not found:
        return None
    return tag("ul", *(tag("li", text) for text in found), class_="warnings", aria_label="Warnings")


def _diverged(run: Run) -> list[str]:
    loss = run.metrics.get("loss")
    if loss is None or np.isfinite(loss.values[-1]):
        return []
    first = int(loss.steps[~np.isfinite(loss.values)][0])
    return [f"The loss is not finite at the last step logged; the first time was step {first:,}."]


def _absent(run: Run, sections: list[Section]) -> Markup | None:
    """What a run in progress has not written yet; a run that is over lacks nothing."""
    found = [section for section in sections if section.body is None and section.source]
    if not found or run.results:
        return None
    items = (tag("li", tag("b", section.title), f": {section.source}") for section in found)
    return tag("section", tag("h2", "Not here yet"), tag("ul", *items), class_="absent", id="not-here-yet")
