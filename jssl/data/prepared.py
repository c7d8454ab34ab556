"""Where prepared TFDS data sets lie, and errors that say how to get the one that is missing."""

import difflib
import json
import os
import re
from pathlib import Path

VERSION = re.compile(r"\d+\.\d+\.\d+")


def roots(data_dir: str | os.PathLike | None) -> list[Path]:
    """The folders that may hold the data sets: `data_dir` itself and its `tfds`."""
    root = data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"
    folder = Path(root).expanduser()
    return [folder, folder / "tfds"]


def versions(folder: Path) -> dict[str, Path]:
    """The prepared versions in a folder, oldest first."""
    found = [
        file.parent for file in folder.glob("*/dataset_info.json") if VERSION.fullmatch(file.parent.name)
    ]
    return {path.name: path for path in sorted(found, key=lambda path: tuple(map(int, path.name.split("."))))}


def prepared_names(data_dir: str | os.PathLike | None) -> list[str]:
    """What is prepared in `data_dir`: "name", or "name/config" where there are configurations."""
    names = set()
    for root in roots(data_dir):
        for pattern in ("*/*/dataset_info.json", "*/*/*/dataset_info.json"):
            found = (file.parent for file in root.glob(pattern))
            names |= {str(v.parent.relative_to(root)) for v in found if VERSION.fullmatch(v.name)}
    return sorted(name for name in names if not name.startswith("tfds/"))


def how_to_prepare(name: str, data_dir: str | os.PathLike | None) -> str:
    """The command that prepares a data set."""
    return (
        "prepare it once, on a machine with TensorFlow: "
        f"tfds build {name} --file_format=array_record --data_dir={roots(data_dir)[0]}"
    )


def missing(name: str, data_dir: str | os.PathLike | None) -> ValueError:
    """The error for a data set that is not prepared: known to TFDS, or not known at all."""
    import tensorflow_datasets as tfds

    here = prepared_names(data_dir)
    known = set(tfds.list_builders(with_community_datasets=False))
    prepared = f"prepared in {roots(data_dir)[0]}: {', '.join(here) or 'nothing'}"
    if name.split("/")[0] in known:
        return ValueError(f'"{name}" is not prepared ({prepared}); {how_to_prepare(name, data_dir)}')
    near = difflib.get_close_matches(name, sorted(known | set(here)), n=3)
    return ValueError(
        f'expected the name of a TFDS data set, got "{name}"; near: {", ".join(near) or "none"}; {prepared}'
    )


def find(name: str, data_dir: str | os.PathLike | None) -> Path:
    """The folder of the newest prepared version of "name", "name/config" or "name:version".

    Raises:
        ValueError: unknown, not prepared, of several configurations, or not in ArrayRecord format.
    """
    name, _, version = name.partition(":")
    for root in roots(data_dir):
        found = versions(root / name)
        if not found:
            configs = [child for child in sorted((root / name).glob("*/")) if versions(child)]
            if len(configs) > 1:
                choice = ", ".join(f"{name}/{config.name}" for config in configs)
                raise ValueError(f'expected one configuration of "{name}", got several; choose from {choice}')
            found = versions(configs[0]) if configs else {}
        if found and version and version not in found:
            raise ValueError(f'"{name}" is prepared as {", ".join(found)}, not as {version}')
        if found:
            return array_record(found[version] if version else list(found.values())[-1], name, data_dir)
    raise missing(name, data_dir)


def array_record(folder: Path, name: str, data_dir: str | os.PathLike | None) -> Path:
    """The folder, if what it holds is ArrayRecord: the format that is read without TensorFlow."""
    info = json.loads((folder / "dataset_info.json").read_text())
    main = info.get("fileFormat", "tfrecord")
    if "array_record" not in (main, *info.get("alternativeFileFormats", ())):
        raise ValueError(
            f"{folder} is prepared as {main}, which needs TensorFlow; {how_to_prepare(name, data_dir)}"
        )
    return folder
