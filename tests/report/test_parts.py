"""The parts of the page: reading, numbers, curves, sheets and neighbours."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from jssl.report import (
    chart,
    confusion,
    embedding_map,
    markup,
    neighbours,
    palette,
    results_table,
    run_files,
    series,
    sprites,
    wording,
)


def write_lines(folder, *lines):
    (folder / "metrics.jsonl").write_text("\n".join(lines))
    return run_files.read(folder)


def test_last_row_of_a_repeated_step_counts(tmp_path):
    run = write_lines(
        tmp_path, '{"step": 2, "loss": 9}', '{"step": 1, "loss": 3.5}', '{"step": 2, "loss": 2}'
    )
    np.testing.assert_array_equal(run.metrics["loss"].steps, [1, 2])
    np.testing.assert_array_equal(run.metrics["loss"].values, [3.5, 2.0])
    assert run.problems == []


def test_non_finite_values_and_other_types(tmp_path):
    run = write_lines(
        tmp_path, '{"step": 1, "loss": NaN, "note": "text", "on": true}', '{"step": 2, "loss": null}'
    )
    assert list(run.metrics) == ["loss"]
    assert np.isnan(run.metrics["loss"].values).all()


def test_damaged_lines_are_counted_except_the_last(tmp_path):
    run = write_lines(tmp_path, "oops", "", '{"loss": 1}', '{"step": 1, "loss": 1}', '{"step": 2')
    assert run.problems == ["metrics.jsonl: 2 damaged lines are left out, the first is line 1"]
    np.testing.assert_array_equal(run.metrics["loss"].steps, [1])


def test_rows_must_match(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    np.savez(tmp_path / "embeddings.npz", features=np.zeros((4, 2)), labels=np.zeros(3, np.int32))
    assert "labels has 3 rows, features 4" in run_files.read(tmp_path).problems[0]


def test_class_names(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "results.json").write_text(json.dumps({"classes": ["cat"]}))
    run = run_files.read(tmp_path)
    assert [run.class_name(label) for label in (-1, 0, 7)] == ["unlabelled", "cat", "class 7"]


def test_decimation_keeps_extremes_and_ends():
    values = np.random.default_rng(0).normal(size=5_000)
    values[1234], values[4321], values[700:900] = 50.0, -50.0, np.nan
    kept = series.decimate(values, 100)
    assert len(kept) <= 202
    assert {0, 1234, 4321, 4999} <= set(kept.tolist())
    assert (np.diff(kept) > 0).all()


def test_smoothing_is_the_mean_of_finite_neighbours():
    smoothed = series.smooth(np.array([1.0, 2.0, np.nan, 6.0, np.nan, np.nan, np.nan]), 3)
    np.testing.assert_allclose(smoothed, [1.5, 1.5, 4.0, 6.0, 6.0, np.nan, np.nan])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 4.1, [0, 1, 2, 3, 4]),
        (0.78, 0.86, [0.78, 0.8, 0.82, 0.84, 0.86]),
        (-1e-6, 1e-6, [-1e-6, -5e-7, 0, 5e-7, 1e-6]),
    ],
)
def test_ticks_are_round(low, high, expected):
    np.testing.assert_allclose(series.ticks(low, high, 4), expected, atol=1e-12)


def test_log_ticks_lie_inside():
    assert series.log_ticks(0.0, 1.1) == [1.0, 2.0, 5.0, 10.0]
    assert len(series.log_ticks(-8.0, 3.0)) <= 7


@pytest.mark.parametrize("value", [0.0, 3.0, -2e-12])
def test_range_of_a_constant_is_not_empty(value):
    low, high = series.padded_range(np.full(3, value))
    assert low < value < high


def test_path_breaks_where_a_value_is_missing():
    assert chart.path(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5.0, np.nan, 6.0, 7.25])) == "M0 5M2 6L3 7.2"


def test_log_scale_is_offered_where_it_helps():
    steps = np.arange(4)
    assert "toggle" in chart.draw("loss", run_files.Series(steps, np.array([100.0, 10.0, 2.0, 1.0])), [])
    assert "toggle" not in chart.draw("loss", run_files.Series(steps, np.array([4.0, 3.0, 2.0, 1.0])), [])
    assert "toggle" not in chart.draw("loss", run_files.Series(steps, np.array([100.0, 1.0, 2.0, -1.0])), [])


def test_one_point_and_a_level():
    drawn = chart.draw(
        "eval/knn/accuracy", run_files.Series(np.array([5]), np.array([0.5])), [chart.Line("untrained", 0.4)]
    )
    assert "untrained" in drawn
    assert "50.0 %" in drawn


@pytest.mark.parametrize(
    ("metric", "number", "expected"),
    [
        ("knn/accuracy", 0.8523, "85.2 %"),
        ("knn/macro_f1", 0.5, "50.0 %"),
        ("loss", 4.56789, "4.568"),
        ("loss", float("nan"), "NaN"),
        ("loss", None, "–"),
        ("rank", 12.0, "12"),
        ("learning_rate", 2.5e-5, "2.50e-5"),
        ("time", float("-inf"), "−∞"),
    ],
)
def test_values_in_words(metric, number, expected):
    assert wording.value(metric, number) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"), [(4.21, "4.2 s"), (280.0, "4 min 40 s"), (7300.0, "2 h 1 min")]
)
def test_durations(seconds, expected):
    assert wording.duration(seconds) == expected


def test_comparison_knows_which_direction_is_better():
    higher = results_table.compare("knn/accuracy", {"raw pixels": 0.8, "untrained": 0.7, "trained": 0.75})
    lower = results_table.compare("probe/rmse", {"untrained": 3.0, "trained": 1.0})
    assert higher == ("raw pixels", pytest.approx(-0.05), False)
    assert lower == ("untrained", -2.0, True)
    assert results_table.compare("collapse/rank", {"untrained": 3.0, "trained": 1.0}) is None
    assert results_table.compare("knn/accuracy", {"trained": 1.0}) is None


def test_headline_prefers_knn():
    rows = {"collapse/rank": {"trained": 1.0}, "linear/accuracy": {"trained": 0.9}}
    assert results_table.headline(rows) == "linear/accuracy"
    assert results_table.headline({**rows, "knn/accuracy": {"trained": 0.9}}) == "knn/accuracy"
    assert results_table.headline({}) is None
    tagging = {name: {"trained": 0.5} for name in ("test/label/accuracy", "test/entities/f1")}
    assert results_table.headline(tagging) == "test/entities/f1", "most words are outside of any entity"


def decode(sheet):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet.uri.split(",")[1]))))


def test_sheet_puts_each_image_at_its_place():
    images = np.random.default_rng(0).integers(0, 256, (7, 6, 4, 3), dtype=np.uint8)
    sheet = sprites.sheet("some", images, budget=100_000, largest=32)
    assert (sheet.columns, sheet.rows, sheet.width, sheet.height) == (3, 3, 4, 6)
    np.testing.assert_array_equal(decode(sheet)[6:12, 4:8], images[4])
    assert "background-position:50% 50%" in sheet.tile(4)


def test_sheet_keeps_to_its_budget():
    images = np.random.default_rng(0).random((40, 64, 32, 3))
    sheet = sprites.sheet("some", images, budget=8_000, largest=48)
    assert len(base64.b64decode(sheet.uri.split(",")[1])) <= 8_000
    assert sheet.height <= 48
    assert sheet.height == pytest.approx(2 * sheet.width, abs=1)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_any_number_of_channels_is_drawn(channels):
    images = np.full((2, 4, 4, channels), 0.5, np.float32)
    images[0, 0, 0] = np.nan
    pixels = sprites.to_pixels(images)
    assert pixels.dtype == np.uint8
    assert pixels.shape[-1] in (3, 4)
    assert (pixels[1] == 128).all()
    assert (pixels[0, 0, 0] == 0).all()


def test_queries_take_classes_in_turn():
    labels = np.array([2, 2, 2, 0, 0, 1], np.int32)
    np.testing.assert_array_equal(neighbours.choose_queries(labels, 6), [3, 5, 0, 4, 1, 2])
    np.testing.assert_array_equal(neighbours.choose_queries(None, 3), [0, 1, 2])


def test_neighbours_are_by_angle_and_never_the_query():
    features = np.array([[1.0, 0.0], [0.0, 1.0], [9.0, 1.0], [-1.0, 0.0], [0.0, 0.0]])
    order, similar = neighbours.nearest(features, np.array([0]), 2)
    np.testing.assert_array_equal(order, [[2, 1]])
    np.testing.assert_allclose(similar, [[9 / np.sqrt(82), 0.0]], atol=1e-6)


def test_map_separates_clusters():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = embedding_map.unit_features(4 * np.eye(8)[labels] + rng.normal(size=(90, 8)) * 0.3)
    places = embedding_map.project(features)
    assert places is not None
    centres = np.stack([places[labels == label].mean(0) for label in range(3)])
    nearest = np.linalg.norm(places[:, None] - centres[None], axis=-1).argmin(1)
    np.testing.assert_array_equal(nearest, labels)


@pytest.mark.parametrize("dim", [1, 2])
def test_map_of_few_dimensions(dim):
    features = np.random.default_rng(0).normal(size=(20, dim)).astype(np.float32)
    places = embedding_map.project(features)
    assert places is not None
    assert np.isfinite(places).all()


def test_confusion_counts():
    matrix = confusion.count(np.array([0, 0, 1, -1]), np.array([0, 2, 1, 0]))
    np.testing.assert_array_equal(matrix, [[1, 0, 1], [0, 1, 0], [0, 0, 0]])


def test_markup_escapes_text_and_attributes():
    drawn = markup.tag("p", "a < b", markup.tag("b", "&"), title='"', hidden=True, class_=None)
    assert drawn == '<p title="&quot;" hidden>a &lt; b<b>&amp;</b></p>'


def test_data_cannot_end_its_script():
    drawn = markup.data_script({"a": ["</script>", float("nan")]})
    assert drawn.count("</script>") == 1
    assert json.loads(drawn.split(">", 1)[1].rsplit("<", 1)[0]) == {"a": ["</script>", None]}


def test_every_class_has_a_colour():
    assert len({palette.class_colour(label) for label in range(-1, 40)}) == 41
