"""
A tree to scan, made of what every machine has: lines of the standard library's own sources, spread over folders, and in one
project of twenty a repository of the tests' corpus. The same for the same Python.
"""

from __future__ import annotations

import random
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

ENDS = ("py", "py", "py", "txt", "md")
"""What the lines are, and what they may pass for: a grammar that meets another language costs more than any real file."""
CORPUS = Path(__file__).parents[1] / "tests" / "corpus"
IN_A_PROJECT = 200
"""Files; a twentieth of the projects has a corpus repository beside them."""


def grow(root: Path, files: int = 50_000, size: int = 1 << 30) -> None:
    """Write about *files* files of about *size* bytes together below *root*."""
    chance = random.Random(7)
    stock = _stock()
    telling = list(_telling())
    mean = size / files
    for number in range(files):
        project, within = divmod(number, IN_A_PROJECT)
        folder = root / f"team{project % 16:02}" / f"project{project:03}" / f"src{within % 10}"
        folder.mkdir(parents=True, exist_ok=True)
        length = min(int(chance.lognormvariate(0, 1) / 1.6487 * mean) + 1, len(stock) // 2)
        start = chance.randrange(len(stock) - length)
        (folder / f"unit{within:03}.{ENDS[chance.randrange(len(ENDS))]}").write_bytes(stock[start : start + length])
        if within == 0 and project % 20 == 0:
            for path, body in telling[project // 20 % len(telling)]:
                file = root / f"team{project % 16:02}" / f"project{project:03}" / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(body, encoding="utf-8")


def _stock() -> bytes:
    """The library's own modules, one after the other."""
    library = Path(sysconfig.get_path("stdlib"))
    return b"".join(
        file.read_bytes() for folder in ("", "*/") for file in sorted(library.glob(f"{folder}*.py")) if "site-" not in str(file)
    )


def _telling() -> Iterator[list[tuple[str, str]]]:
    """The repositories of the corpus, without what is expected of them."""
    for file in sorted(CORPUS.glob("*/*.txt")):
        parts = re.split(
            r"^=== (.+)\n", re.sub(r"^>>> .*\n", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE), flags=re.MULTILINE
        )
        yield list(zip((name.strip() for name in parts[1::2]), parts[2::2], strict=True))
