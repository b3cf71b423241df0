"""
URLs as JavaScript's ``new URL()`` reads them, for the schemes that PostgreSQL's drivers use.

The WHATWG grammar for schemes that are not "special" (``postgres``, ``postgresql``, ``socket`` …): an opaque host, a port
that must be a number, credentials up to the last ``@``. Special schemes (``http`` …) have rules of their own for hosts; they are
read alike and marked ``special``, since what a driver would make of them is not for these rules to say.
https://url.spec.whatwg.org/#url-parsing; compared with Node.js 20.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_plus

from ..errors import SettingsError

LIMIT = 1_000_000
SPECIAL = frozenset({"http", "https", "ftp", "file", "ws", "wss"})
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
FORBIDDEN_IN_HOST = frozenset("\0\t\n\r #/:<>?@[\\]^|")
EDGES = "".join(map(chr, range(0x21)))
# What encodeURI() and the URL parser leave as it is.
URI_SAFE = "!#$&'()*+,/:;=?@-._~"
PATH_SAFE = "!$%&'()*+,/:;=@-._~[]\\|^"
CONTROL_SAFE = "".join(map(chr, range(0x20, 0x7F)))
INVALID = "Invalid URL"


@dataclass(frozen=True, slots=True)
class Url:
    """The parts as JavaScript's URL object gives them: still percent-encoded, but for the query's names and values."""

    scheme: str
    username: str = ""
    password: str = ""
    hostname: str = ""
    port: str = ""
    pathname: str = ""
    query: tuple[tuple[str, str], ...] = ()
    special: bool = False


def parse(text: str, base: bool = False) -> Url:
    """*text* as ``new URL(text)`` reads it, or with *base* as ``new URL(text, 'postgres://base')``. Raises ``SettingsError``."""
    if len(text) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    text = re.sub(r"[\t\n\r]", "", well_formed(text).strip(EDGES))
    text, _, _ = text.partition("#")
    text, question, search = text.partition("?")
    query = _pairs(search) if question else ()
    matched = SCHEME.match(text)
    if matched is None:
        if not base:
            raise SettingsError(INVALID)
        scheme, rest, hostname = "postgres", text, "base"
    else:
        scheme, rest, hostname = matched[1].lower(), text[matched.end() :], ""
    special = scheme in SPECIAL
    if special:
        rest = "//" + rest.replace("\\", "/").lstrip("/")
    if rest.startswith("//"):
        return _with_authority(scheme, rest[2:], query, special)
    if matched is not None and not rest.startswith("/"):
        return Url(scheme, pathname=_encode(rest, CONTROL_SAFE), query=query, special=special)
    path = rest if rest.startswith("/") or not rest else f"/{rest}"
    return Url(scheme, hostname=hostname, pathname=_path(path), query=query, special=special)


def _with_authority(scheme: str, rest: str, query: tuple[tuple[str, str], ...], special: bool) -> Url:
    authority, slash, path = rest.partition("/")
    credentials, at, place = authority.rpartition("@")
    if at and not place:
        raise SettingsError(INVALID)
    user, _, password = credentials.partition(":")
    hostname, port = _host_and_port(place)
    if special and not hostname and scheme != "file":
        raise SettingsError(INVALID)
    return Url(
        scheme,
        _encode(user, CONTROL_SAFE),
        _encode(password, CONTROL_SAFE),
        hostname.lower() if special else hostname,
        port,
        _path(slash + path) or ("/" if special else ""),
        query,
        special,
    )


def _host_and_port(place: str) -> tuple[str, str]:
    inside, colon = False, -1
    for at, letter in enumerate(place):
        if letter == ":" and not inside:
            colon = at
            break
        inside = letter == "[" or (inside and letter != "]")
    host, port = (place, "") if colon < 0 else (place[:colon], place[colon + 1 :])
    if colon >= 0 and not host:
        raise SettingsError(INVALID)
    if port:
        if not port.isascii() or not port.isdigit() or len(port.lstrip("0")) > 5 or int(port) > 65535:
            raise SettingsError(INVALID)
        port = str(int(port))
    return _host(host), port


def _host(host: str) -> str:
    if host.startswith("["):
        if not host.endswith("]") or "%" in host:
            raise SettingsError(INVALID)
        try:
            return f"[{_short(ipaddress.IPv6Address(host[1:-1]))}]"
        except ValueError:
            raise SettingsError(INVALID) from None
    if FORBIDDEN_IN_HOST & set(host):
        raise SettingsError(INVALID)
    return _encode(host, CONTROL_SAFE)


def _short(address: ipaddress.IPv6Address) -> str:
    """The serialiser of the standard: pieces in hex throughout, the first longest run of two or more zeroes compressed."""
    pieces = [f"{int(piece, 16):x}" for piece in address.exploded.split(":")]
    best, length, at = -1, 1, 0
    while at < 8:
        end = at
        while end < 8 and pieces[end] == "0":
            end += 1
        if end - at > length:
            best, length = at, end - at
        at = max(end, at + 1)
    if best < 0:
        return ":".join(pieces)
    return ":".join(pieces[:best]) + "::" + ":".join(pieces[best + length :])


def _path(path: str) -> str:
    """Dot segments are resolved, also where they are percent-encoded."""
    if not path:
        return ""
    segments = path[1:].split("/")
    out: list[str] = []
    for number, segment in enumerate(segments):
        plain = segment.lower().replace("%2e", ".")
        last = number == len(segments) - 1
        if plain == "..":
            if out:
                out.pop()
            if last:
                out.append("")
        elif plain != ".":
            out.append(_encode(segment, PATH_SAFE))
        elif last:
            out.append("")
    return "/" + "/".join(out)


def _pairs(search: str) -> tuple[tuple[str, str], ...]:
    pairs = (piece.partition("=") for piece in search.split("&") if piece)
    return tuple((form_decode(name), form_decode(value)) for name, _, value in pairs)


def form_decode(text: str) -> str:
    """application/x-www-form-urlencoded: a damaged token stays as it is, bytes that are no UTF-8 become U+FFFD."""
    return unquote_plus(text, errors="replace")


def _encode(text: str, safe: str) -> str:
    return quote(text, safe=safe, errors="replace")


def well_formed(text: str) -> str:
    """Lone surrogates become U+FFFD, as for every string that is given to a URL."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# ── JavaScript's own functions ───────────────────────────────────────────────────────────────────


def encode_uri(text: str) -> str:
    """``encodeURI()``; a lone surrogate is an error."""
    try:
        return quote(text.encode("utf-16", "surrogatepass").decode("utf-16"), safe=URI_SAFE, errors="strict")
    except UnicodeError:
        raise SettingsError("URI malformed") from None


def decode_uri(text: str, keeps: str = ";/?:@&=+$,#") -> str:
    """``decodeURI()``: reserved characters stay encoded; what is no UTF-8 is an error."""
    out: list[str] = []
    at = 0
    while at < len(text):
        if text[at] != "%":
            out.append(text[at])
            at += 1
            continue
        start, raw = at, bytearray()
        while text[at : at + 1] == "%":
            token = text[at + 1 : at + 3]
            if len(token) < 2 or not all(c in "0123456789abcdefABCDEF" for c in token):
                raise SettingsError("URI malformed")
            raw.append(int(token, 16))
            at += 3
            if len(raw) == _length(raw[0]):
                break
        try:
            letter = bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise SettingsError("URI malformed") from None
        out.append(text[start:at] if letter in keeps else letter)
    return "".join(out)


def _length(first: int) -> int:
    return 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


def decode_uri_component(text: str) -> str:
    return decode_uri(text, keeps="")
