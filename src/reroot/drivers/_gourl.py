"""
Go's ``net/url`` and ``net.SplitHostPort``, as far as pgx and lib/pq hand their connection strings to them.

What ``url.Query()`` cannot decode is dropped without a word, and of two equal names ``Get`` and ``v[0]`` take the first. Go
src/net/url/url.go, src/net/ipsock.go; compared with Go 1.19.
"""

from __future__ import annotations

import string
from dataclasses import dataclass

from ..errors import SettingsError

LIMIT = 1_000_000
HEX = frozenset(string.hexdigits.encode())
UNRESERVED = frozenset(string.ascii_letters.encode() + string.digits.encode() + b"-_.~")
IN_HOST = UNRESERVED | frozenset(b"!$&'()*+,;=:[]<>\"")
IN_USERINFO = frozenset(string.ascii_letters + string.digits + "-._:~!$&'()*+,;=%@")


@dataclass(frozen=True, slots=True)
class Url:
    """``user`` and ``password`` are None where there is none."""

    user: str | None
    password: str | None
    host: str
    path: str
    query: tuple[tuple[str, str], ...]


def parse(text: str) -> Url:
    """``url.Parse`` of a text that begins with ``postgres://`` or ``postgresql://``. Raises ``SettingsError``."""
    if len(text) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    text, _, fragment = text.partition("#")
    if any(c < " " or c == "\x7f" for c in text):
        raise SettingsError("net/url: invalid control character in URL")
    rest = text.partition("://")[2]
    if rest.endswith("?") and text.count("?") == 1:
        rest, raw = rest[:-1], ""
    else:
        rest, _, raw = rest.partition("?")
    authority, slash, path = rest.partition("/")
    user, password, host = _authority(authority)
    found = Url(user, password, host, unescape(slash + path), query(raw))
    unescape(fragment)
    return found


def _authority(authority: str) -> tuple[str | None, str | None, str]:
    userinfo, at, place = authority.rpartition("@")
    host = _host(place)
    if not at:
        return None, None, host
    if not IN_USERINFO.issuperset(userinfo):
        raise SettingsError("net/url: invalid userinfo")
    user, colon, password = userinfo.partition(":")
    return unescape(user), unescape(password) if colon else None, host


def _host(place: str) -> str:
    if place.startswith("["):
        close = place.rfind("]")
        if close < 0:
            raise SettingsError("missing ']' in host")
        _check_port(place[close + 1 :])
        zone = place[:close].find("%25")
        if zone >= 0:
            return unescape(place[:zone], host=True) + unescape(place[zone:close], zone=True) + unescape(place[close:], host=True)
    else:
        colon = place.rfind(":")
        if colon >= 0:
            _check_port(place[colon:])
    return unescape(place, host=True)


def _check_port(port: str) -> None:
    if port and (port[0] != ":" or not (port[1:] == "" or (port[1:].isascii() and port[1:].isdigit()))):
        raise SettingsError("invalid port after host")


def query(raw: str) -> tuple[tuple[str, str], ...]:
    """``url.ParseQuery`` without its errors: what does not decode is left out."""
    found = []
    for piece in raw.split("&"):
        if not piece or ";" in piece:
            continue
        name, _, value = piece.partition("=")
        try:
            found.append((unescape(name.replace("+", " ")), unescape(value.replace("+", " "))))
        except SettingsError:
            continue
    return tuple(found)


def unescape(text: str, *, host: bool = False, zone: bool = False) -> str:
    raw, out, at = text.encode("utf-8", "surrogatepass"), bytearray(), 0
    while at < len(raw):
        if raw[at] != 0x25:
            if (host or zone) and raw[at] < 0x80 and raw[at] not in IN_HOST:
                raise SettingsError("invalid character in host name")
            out.append(raw[at])
            at += 1
            continue
        token = raw[at + 1 : at + 3]
        if len(token) < 2 or not HEX.issuperset(token):
            raise SettingsError("invalid URL escape")
        value = int(token, 16)
        if host and value < 0x80 and token != b"25":
            raise SettingsError("invalid URL escape")
        if zone and token != b"25" and value != 0x20 and value not in IN_HOST:
            raise SettingsError("invalid URL escape")
        out.append(value)
        at += 3
    return out.decode("utf-8", "surrogateescape") if _is_utf8(out) else out.decode("latin-1")


def _is_utf8(raw: bytearray) -> bool:
    try:
        raw.decode("utf-8", "surrogateescape")
    except UnicodeDecodeError:
        return False
    return True


def split_host_port(text: str) -> tuple[str, str] | None:
    """``net.SplitHostPort``; None for its errors."""
    colon = text.rfind(":")
    if colon < 0:
        return None
    after_open, after_close = 0, 0
    if text.startswith("["):
        close = text.find("]")
        if close < 0 or close + 1 != colon:
            return None
        host, after_open, after_close = text[1:close], 1, close + 1
    else:
        host = text[:colon]
        if ":" in host:
            return None
    if "[" in text[after_open:] or "]" in text[after_close:]:
        return None
    return host, text[colon + 1 :]


def is_ip(text: str) -> bool:
    """``net.ParseIP``: no zone, and no leading zeroes."""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
