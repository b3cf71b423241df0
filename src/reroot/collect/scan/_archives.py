"""Archives as deployed: jar, war, ear, wheel. Streamed entry by entry, capped, never unpacked to disk."""

from __future__ import annotations

import os
import re
import zipfile
import zlib
from typing import IO

from ._finding import Harvest, Limit
from ._needles import CERTIFICATE_WORDS, WORDS, finder

NAMED = re.compile(r"\.(jar|war|ear|zip|whl|aar|nupkg|apk)$", re.IGNORECASE)
WORTH = re.compile(
    r"\.(properties|ya?ml|xml|json|conf|toml|ini|env|pem|crt|cer|jks|p12|pfx|der|prisma|sql)$|(^|/)(trust-?store|cacerts|\.env)[\w.-]*$",
    re.IGNORECASE,
)
MAX_ENTRIES = 100_000
MAX_ENTRY = 16 << 20
MAX_TOTAL = 64 << 20
MAX_RATIO = 300
MAX_DEPTH = 2


def archive(path: str, file: IO[bytes], *, vendored: bool, depth: int = 0, budget: list[int] | None = None) -> Harvest:
    """What the entries of a zip archive give; each is named ``archive!/entry``."""
    from ._look import look
    from ._stores import HEADS, key_store

    harvest = Harvest()
    budget = budget if budget is not None else [MAX_TOTAL]
    everything, certificates = finder(WORDS), finder(CERTIFICATE_WORDS)
    try:
        with zipfile.ZipFile(file) as opened:
            entries = opened.infolist()
            if len(entries) > MAX_ENTRIES:
                harvest.limits.append(Limit(path, f"more than {MAX_ENTRIES} entries"))
                entries = entries[:MAX_ENTRIES]
            for entry in entries:
                inner = NAMED.search(entry.filename)
                if entry.is_dir() or not (inner or WORTH.search(entry.filename)):
                    continue
                name = f"{path}!/{entry.filename}"
                if entry.flag_bits & 1:
                    harvest.limits.append(Limit(name, "is encrypted"))
                    continue
                if entry.file_size > MAX_ENTRY or entry.file_size > MAX_RATIO * max(entry.compress_size, 4096):
                    harvest.limits.append(Limit(name, "unpacks to too much"))
                    continue
                if inner and depth >= MAX_DEPTH:
                    harvest.limits.append(Limit(name, f"archives nested deeper than {MAX_DEPTH}"))
                    continue
                if budget[0] < entry.file_size:
                    harvest.limits.append(
                        Limit(path, f"more than {MAX_TOTAL >> 20} MiB of settings in it: the rest was not looked at")
                    )
                    break
                budget[0] -= entry.file_size
                try:
                    with opened.open(entry) as stream:
                        data = stream.read(MAX_ENTRY)
                except (zipfile.BadZipFile, zlib.error, OSError, NotImplementedError, RuntimeError, EOFError) as error:
                    harvest.limits.append(Limit(name, f"cannot be unpacked ({type(error).__name__})"))
                    continue
                library = vendored or bool(inner) or depth > 0
                if inner:
                    import io

                    merge(harvest, archive(name, io.BytesIO(data), vendored=True, depth=depth + 1, budget=budget))
                elif b"\0" in data[:1024] or data[:2] in HEADS:
                    key_store(name, data, harvest, library)
                elif (certificates if library else everything)(memoryview(data)):
                    merge(harvest, look(name, data, vendored=library))
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error, EOFError) as error:
        harvest.limits.append(Limit(path, f"is no readable archive ({type(error).__name__})"))
    return harvest


def merge(into: Harvest, other: Harvest) -> None:
    """Add what *other* holds to *into*."""
    for name in ("findings", "definitions", "copies", "stores", "drivers", "limits"):
        getattr(into, name).extend(getattr(other, name))


def open_archive(path: str, fd: int, vendored: bool) -> Harvest | None:
    """The archive behind an open file; None when its name is not that of one we look into."""
    if not NAMED.search(path):
        return None
    with os.fdopen(os.dup(fd), "rb") as file:
        file.seek(0)
        return archive(path, file, vendored=vendored)
