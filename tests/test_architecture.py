"""Who may import whom."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "jssl"

TRAINING = {"core", "ops", "losses", "pretext", "nn", "methods"}
MAY_IMPORT = {
    "core": set(),
    "platform": set(),
    "hosts": set(),
    "data": set(),
    "report": set(),
    "ops": {"core"},
    "losses": {"core", "ops"},
    "pretext": {"core", "ops"},
    "nn": {"core", "ops", "losses", "pretext"},
    "methods": {"core", "ops", "losses", "pretext", "nn"},
    "train": {"core", "ops"},
    "evals": {"core", "ops", "nn"},
    "run_folder": set(),
    "texts": {"data", "evals"},
    "generator": {"core", "ops", "nn"},
    "encoding": {"data", "spec"},
    "samples": {"core", "data", "spec", "generator"},
    "pictures": {"core", "platform", "data", "texts"},
    "evaluation": {"core", "data", "evals", "pictures"},
    "scoring": {"core", "data"},
    "spec": {"core", "data", "evals"},
    "locate": {"spec"},
    "program": {"core", "platform", "train", "spec"},
    "session": {
        "core",
        "data",
        "evals",
        "train",
        "run_folder",
        "pictures",
        "texts",
        "samples",
        "evaluation",
        "scoring",
        "spec",
        "program",
        "hosts",
    },
    "runner": {
        "core",
        "platform",
        "hosts",
        "train",
        "run_folder",
        "encoding",
        "evaluation",
        "session",
        "spec",
        "locate",
        "report",
    },
    "options": {"locate"},
    "experiment": {"platform", "train", "run_folder", "spec", "locate", "runner", "options", "hosts"},
    "plan": {"platform", "data", "train", "spec", "program", "locate", "options", "report"},
    "sweep": {
        "core",
        "platform",
        "data",
        "train",
        "run_folder",
        "spec",
        "locate",
        "session",
        "runner",
        "options",
        "report",
    },
    "generate": {"platform", "generator", "runner"},
    "search": {"platform", "data", "runner"},
    "cli": {"experiment", "plan", "sweep", "report", "generate", "search"},
    "__init__": None,
}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_imports_only_what_lies_below_it(path):
    part = path.relative_to(ROOT).parts[0].removesuffix(".py")
    allowed = MAY_IMPORT[part]
    found = imports(path)
    if allowed is not None:
        inner = {name.split(".")[1] for name in found if name.startswith("jssl.")}
        assert inner - {part} <= allowed
    if part in ("data", "report"):
        assert not {name for name in found if name.split(".")[0] in ("jax", "flax", "optax")}
    if path != ROOT / "train" / "checkpoint.py":
        assert not {name for name in found if name.split(".")[0] == "orbax"}
