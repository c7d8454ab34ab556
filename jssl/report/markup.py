"""HTML that escapes by default: text becomes markup only by going through `tag`."""

from __future__ import annotations

import html
import json
import math
from typing import Any

VOID = frozenset({"meta", "img", "br"})


class Markup(str):
    """Text that is HTML already and is not escaped again."""

    __slots__ = ()


def escape(text: object) -> Markup:
    """Escape plain text; markup passes as it is."""
    return text if isinstance(text, Markup) else Markup(html.escape(str(text)))


def join(*children: object) -> Markup:
    """Children one after the other; None is left out."""
    return Markup("".join(escape(child) for child in children if child is not None))


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """An element: `class_` means class, `data_x` means data-x, True a bare attribute, None and False none."""
    inside = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in VOID:
        return Markup(f"<{name}{inside}>")
    return Markup(f"<{name}{inside}>{join(*children)}</{name}>")


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    key = key.rstrip("_").replace("_", "-")
    return f" {key}" if value is True else f' {key}="{html.escape(str(value))}"'


def data_script(value: Any, **attributes: object) -> Markup:
    """JSON for the page's script to read; `<` is escaped so that no text can end the element."""
    text = json.dumps(_finite(value), separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return tag("script", Markup(text), type="application/json", **attributes)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
