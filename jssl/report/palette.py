"""Colours of classes, the same all over the page."""


def class_colour(label: int) -> str:
    """A class's colour as CSS: ten of the style's own, then hues a golden angle apart."""
    if label < 0:
        return "var(--faint)"
    if label < 10:
        return f"var(--class-{label})"
    return f"hsl({(label * 137.5) % 360:.0f} 55% {45 + 12 * (label % 3)}%)"
