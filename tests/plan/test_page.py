import re

import pytest

from jssl import cli, plan, train
from tests import tiny


@pytest.fixture(scope="module")
def made():
    return plan.make_plan(tiny.simclr(), train.device_mesh(), "v5e:2x4", plan.CHIPS["v5e"])


def numbers(page, name):
    return [float(x) for x in re.findall(rf'<circle[^>]* {name}="([\d.]+)"', page)]


def test_costs_lie_where_they_belong(made, tmp_path):
    cost = made.cost
    dear = made._replace(
        devices="v5e:4x8", cost=cost._replace(hours=10 * cost.hours, chip_hours=100 * cost.chip_hours)
    )
    between = made._replace(cost=cost._replace(hours=2 * cost.hours, chip_hours=3 * cost.chip_hours))
    page = plan.draw_plans([made, dear, between], tmp_path / "plans.html").read_text()
    across, down = (numbers(page, name)[:3] for name in ("cx", "cy"))
    assert down == sorted(down), "from the dearest down"
    assert across[0] > across[1] > across[2]
    assert page.count("<tr>") == 4
    assert "v5e:4x8" in page


def test_what_does_not_fit_is_a_ring(made, tmp_path):
    small = made._replace(limit=made.needed / 2)
    assert made.fits
    assert not small.fits
    page = plan.draw_plans([made, small], tmp_path / "plans.html").read_text()
    assert re.findall(r'<circle[^>]* fill="([^"]*)"', page)[:2] == ["var(--class-0)", "none"]
    assert "(too many)" in page
    assert "width:100.0%" in page


def test_the_command_draws_it(tmp_path, monkeypatch, capsys):
    path, page = tmp_path / "planned.py", tmp_path / "plans.html"
    path.write_text("from tests.tiny import simclr as planned\n")
    words = ["--mesh", "data=8", "--batch-size", "16,32", "--page", str(page)]
    monkeypatch.setattr("sys.argv", ["jssl", "plan", str(path), *words])
    cli.main()
    assert str(page) in capsys.readouterr().err
    text = page.read_text()
    assert text.count('class="bar plan"') == 2
    assert "<circle" not in text, "nothing is published of a CPU"
