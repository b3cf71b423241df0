"""The real PQconninfoParse() of every libpq on this machine, by way of ctypes."""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path


class Option(ctypes.Structure):
    _fields_ = (
        *((name, ctypes.c_char_p) for name in ("keyword", "envvar", "compiled", "val", "label", "dispchar")),
        ("dispsize", ctypes.c_int),
    )


@cache
def libraries() -> Mapping[int, Path | str]:
    """Major version → library: the system's own, and those that binary wheels carry."""
    found: dict[int, Path | str] = {}
    candidates: list[Path | str] = [name] if (name := ctypes.util.find_library("pq")) else []
    for package, folder in (("psycopg2", "psycopg2_binary.libs"), ("psycopg", "psycopg_binary.libs")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            candidates += (Path(spec.origin).parent.parent / folder).glob("libpq-*.so*")
    for path in candidates:
        found.setdefault(ctypes.CDLL(str(path)).PQlibVersion() // 10000, path)
    return found


@cache
def load(version: int) -> ctypes.CDLL:
    library = ctypes.CDLL(str(libraries()[version]))
    library.PQconninfoParse.restype = ctypes.POINTER(Option)
    library.PQconninfoParse.argtypes = [ctypes.c_char_p, ctypes.POINTER(ctypes.c_char_p)]
    library.PQconninfoFree.argtypes = [ctypes.POINTER(Option)]
    return library


def parse(version: int, text: str) -> dict[str, str] | str:
    """What libpq makes of *text*: the values it holds, or libpq's error."""
    library, error = load(version), ctypes.c_char_p()
    options = library.PQconninfoParse(text.encode("utf-8", "surrogateescape"), ctypes.byref(error))
    if not options:
        return (error.value or b"").decode("utf-8", "replace").strip()
    found, at = {}, 0
    while options[at].keyword:
        if options[at].val is not None:
            found[options[at].keyword.decode()] = options[at].val.decode("utf-8", "surrogateescape")
        at += 1
    library.PQconninfoFree(options)
    return found


def refusal(version: int, text: str) -> str:
    """What libpq has against these settings before it opens a connection; ``""`` when nothing."""
    library = load(version)
    library.PQconnectStart.restype = ctypes.c_void_p
    library.PQconnectStart.argtypes = [ctypes.c_char_p]
    library.PQerrorMessage.restype = ctypes.c_char_p
    for name in ("PQerrorMessage", "PQstatus", "PQfinish"):
        getattr(library, name).argtypes = [ctypes.c_void_p]
    connection = library.PQconnectStart(text.encode())
    try:
        message = library.PQerrorMessage(connection).decode("utf-8", "replace").strip()
        bad = library.PQstatus(connection) == 1
        return message if bad and "Connection refused" not in message else ""
    finally:
        library.PQfinish(connection)
