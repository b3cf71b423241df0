"""One file's bytes → all that it gives. Called in worker processes; whatever goes wrong with a file becomes a limit of the scan."""

from __future__ import annotations

import re

from . import _ignores, reader_for
from ._contexts import hand_over
from ._counts import lean_of_file
from ._drivers import CODE
from ._finding import Harvest, Limit
from ._infrastructure import infrastructure
from ._manifests import manifest
from ._patience import TooLong, patience
from ._process import accepting, process_wide
from ._reader import Unreadable
from ._recognise import recognise
from ._steps import steps, take_apart
from ._stores import pasted
from ._text import Text

MAX_BYTES = 4 << 20
PROSE = re.compile(
    r"\.(md|markdown|rst|adoc|asciidoc|html?|css|scss|less|svg|txt|po|pot|mo|lock|sum|map|csv|tsv|log|patch|diff|snap|ipynb|tex|org|textile|rdoc|pod|min\.js|out)$"
    r"|(^|/)(CHANGELOG|CHANGES|LICENSE|NOTICE|README|HISTORY|NEWS|AUTHORS|package-lock\.json|yarn\.lock|pnpm-lock\.yaml|composer\.lock|\.gitignore|\.dockerignore|\.gitattributes|CODEOWNERS)[\w.-]*$",
    re.IGNORECASE,
)
"""Files that speak about settings and hold none."""


def look(path: str, data: bytes, *, vendored: bool = False) -> Harvest:
    """What the file *path* (for people, with ``/``) with content *data* says."""
    if len(data) > MAX_BYTES:
        return Harvest(limits=[Limit(path, f"larger than {MAX_BYTES >> 20} MiB: only looked for words")])
    harvest = Harvest()
    beside = False
    text = Text.decode(path, data)
    if not vendored and not PROSE.search(path):
        reader = reader_for(path)
        if reader is not None:
            try:
                with patience():
                    page = reader.read(text)
                    take_apart(page)
                    hand_over(page)
                    harvest = recognise(page, path)
                    infrastructure(page, path, harvest)
                    process_wide(page, path, harvest)
                    accepting(page, path, harvest)
                    steps(page, path, harvest)
                    beside = page.language in CODE and lean_of_file(page, path) == 2 and bool(harvest.findings)
            except TooLong:
                harvest.limits.append(Limit(path, "took too long to read: what is said of it is not the whole"))
            except Unreadable as reason:
                harvest.limits.append(Limit(path, str(reason)))
            except (RecursionError, MemoryError, OverflowError) as error:
                harvest.limits.append(Limit(path, f"too deep to read ({type(error).__name__})"))
    if vendored or not PROSE.search(path):
        pasted(text, path, harvest, vendored, beside)
    manifest(text, path, harvest)
    harvest.ignores.extend(_ignores.inline(text))
    return harvest
