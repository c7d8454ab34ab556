"""What was run: the command, every argument, versions and devices."""

from __future__ import annotations

import json
from typing import Any

from jssl.report.markup import Markup, join, tag
from jssl.report.run_files import Run


def draw(run: Run) -> Markup | None:
    """Tables of the configuration; None where there is none."""
    config = run.config
    if not config:
        return None
    tables = [
        _table("Arguments", config.get("arguments")),
        _table("Versions", config.get("versions")),
        _table("Where", _where(config)),
    ]
    return join(_command(config.get("command")), tag("div", *tables, class_="columns"))


def _command(command: object) -> Markup | None:
    if not command:
        return None
    button = tag("button", "copy", type="button", class_="copy")
    return tag("div", tag("pre", tag("code", command)), button, class_="command")


def _where(config: dict[str, Any]) -> dict[str, Any]:
    git = config.get("git") or {}
    state = ", with uncommitted changes" if git.get("dirty") else ""
    found = {
        "experiment": config.get("experiment"),
        "started": config.get("started"),
        "commit": f"{str(git['commit'])[:12]}{state}" if git.get("commit") else None,
        **(config.get("devices") or {}),
        "xla_flags": config.get("xla_flags") or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _table(title: str, values: dict[str, Any] | None) -> Markup | None:
    if not values:
        return None
    rows = [
        tag("tr", tag("th", name, scope="row"), tag("td", tag("code", _text(value))))
        for name, value in values.items()
    ]
    return tag("section", tag("h3", title), tag("table", tag("tbody", *rows), class_="pairs-table"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
