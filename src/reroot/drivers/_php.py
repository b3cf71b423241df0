"""
PHP's own way to read a URL: ``parse_url`` and ``parse_str``, as Laravel and Doctrine call them.

Text that PHP reads in a way which is not written here is told by ``Odd``, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from ..errors import SettingsError

LONGEST = 100_000
_URL = re.compile(r"([A-Za-z0-9+.-]+)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)


class Odd(Exception):  # noqa: N818: no error, but a reason not to answer
    """Why a text is not read here."""


@dataclass(frozen=True, slots=True)
class Url:
    """The parts as they are written, none of them decoded; None for a part that is not there."""

    scheme: str
    host: str
    port: str | None
    user: str | None
    password: str | None
    path: str
    query: str


def parse_url(text: str) -> Url:
    """php-src ext/standard/url.c, php_url_parse_ex2(), of a URL with a scheme and `//`."""
    if len(text) > LONGEST:
        raise SettingsError(f"the URL is longer than {LONGEST} characters")
    match = _URL.fullmatch(text)
    if match is None:
        raise Odd("a URL without `scheme://`")
    if any(c < " " or c == "\x7f" for c in text):
        raise Odd("a control character in the URL")
    who, at, place = match[2].rpartition("@")
    user, colon, password = who.partition(":")
    bracketed = place.startswith("[") and place.endswith("]")
    host, _, port = place.rpartition(":") if ":" in place and not bracketed else (place, "", "")
    if not host or len(port) > 5 or (port.isascii() and port.isdigit() and int(port) > 65535):
        raise SettingsError("the URL is malformed: PHP cannot parse it")
    if port and not (port.isascii() and port.isdigit()):
        raise Odd("a port in the URL that is no number")
    return Url(match[1], host, str(int(port)) if port else None, user if at else None, password if colon else None, match[3], match[4] or "")


def rawurldecode(text: str) -> str:
    return unquote(text, errors="surrogateescape")


def parse_str(query: str) -> Mapping[str, str]:
    """php-src main/php_variables.c, of names that are plain words; the last of two equal names wins."""
    found: dict[str, str] = {}
    pairs = [pair for pair in query.split("&") if pair]
    if len(pairs) > 1000:  # max_input_vars
        raise Odd("more than 1000 words in the URL")
    for pair in pairs:
        name, _, value = pair.partition("=")
        name = unquote_plus(name, errors="surrogateescape").lstrip(" ")
        if "[" in name or "\0" in name:
            raise Odd("an array in the URL")
        if name:
            found[name.replace(".", "_").replace(" ", "_")] = unquote_plus(value, errors="surrogateescape")
    return found
