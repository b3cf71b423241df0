"""
libpq's two grammars for connection strings, with libpq's own errors.

    conninfo = { ws? keyword ws? "=" ws? (plain | "'" quoted "'") }        a backslash takes the next character as it is
    uri      = ("postgresql" | "postgres") "://" [user [":" password] "@"] [host [":" port] {"," …}] ["/" dbname] ["?" params]

Every driver that takes libpq's strings comes here; what each makes of the pairs is its own affair. Messages are
libpq's, except that they never quote what could be a part of a password: PostgreSQL src/interfaces/libpq/fe-connect.c,
conninfo_parse() and conninfo_uri_parse_options(); compared with PQconninfoParse() of 15.18, 17.11 and 18.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import SettingsError

Pairs = list[tuple[str, str]]
SPACE = " \t\n\v\f\r"
PREFIXES = ("postgresql://", "postgres://")
LIMIT = 1_000_000
"""Characters; no driver is given more, and no parser is asked to read it."""


def is_uri(text: str) -> bool:
    return text.startswith(PREFIXES)


def pairs(text: str, *, trims_blanks: bool = False) -> Pairs:
    """The keywords and values of *text* in the order written, duplicates kept.

    *trims_blanks*: blanks around the parts of a URI are dropped, as of libpq 18. Raises ``SettingsError``.
    """
    if len(text) > LIMIT:
        raise SettingsError(f"the connection string is longer than {LIMIT} characters")
    if "\0" in text:
        raise SettingsError("the connection string holds a NUL character")
    return list(_uri(text, trims_blanks) if is_uri(text) else _keywords(text))


def _keywords(text: str) -> Iterator[tuple[str, str]]:
    at, end = 0, len(text)
    while True:
        at = _skip(text, at)
        if at == end:
            return
        start = at
        while at < end and text[at] not in SPACE and text[at] != "=":
            at += 1
        keyword = text[start:at]
        at = _skip(text, at)
        if at == end or text[at] != "=":
            raise SettingsError(f'missing "=" after the word at character {start + 1} in connection info string')
        at = _skip(text, at + 1)
        quoted = at < end and text[at] == "'"
        value, at = _quoted(text, at + 1) if quoted else _plain(text, at)
        yield keyword, value


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in SPACE:
        at += 1
    return at


def _plain(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while at < len(text) and text[at] not in SPACE:
        if text[at] == "\\":
            at += 1
        value.append(text[at : at + 1])
        at += 1
    return "".join(value), min(at, len(text))


def _quoted(text: str, at: int) -> tuple[str, int]:
    value: list[str] = []
    while at < len(text):
        if text[at] == "'":
            return "".join(value), at + 1
        if text[at] == "\\":
            at += 1
        value.append(text[at : at + 1])
        at += 1
    raise SettingsError("unterminated quoted string in connection info string")


def _uri(text: str, trims: bool) -> Iterator[tuple[str, str]]:
    rest = text.partition("://")[2]
    stop = next((i for i, c in enumerate(rest) if c in "@/"), len(rest))
    if rest[stop : stop + 1] == "@":
        credentials, rest = rest[:stop], rest[stop + 1 :]
        user, colon, password = credentials.partition(":")
        if user:
            yield "user", decode(user, trims)
        if colon and password:
            yield "password", decode(password, trims)
    hosts, ports, rest = _hosts(rest)
    if hosts:
        yield "host", decode(hosts, trims)
    if ports:
        yield "port", decode(ports, trims)
    if rest.startswith("/"):
        name, question, query = rest[1:].partition("?")
        if name:
            yield "dbname", decode(name, trims)
    else:
        question, query = rest[:1], rest[1:]
    if question:
        yield from _parameters(query, trims)


AFTER_HOST = re.compile(r"[:/?,]")
AFTER_PORT = re.compile(r"[/?,]")


def _hosts(rest: str) -> tuple[str, str, str]:
    """Hosts and ports, each joined by commas, and what follows them (at `/`, `?` or the end)."""
    hosts, ports, at = [], [], 0
    while True:
        if rest.startswith("[", at):
            close = rest.find("]", at)
            if close < 0:
                raise SettingsError('end of string reached when looking for matching "]" in IPv6 host address in URI')
            if close == at + 1:
                raise SettingsError("IPv6 host address may not be empty in URI")
            hosts.append(rest[at + 1 : close])
            at = close + 1
            if rest[at : at + 1] not in ("", ":", "/", "?", ","):
                raise SettingsError('unexpected character after "]" in URI (expected ":" or "/")')
        else:
            stop = _find(AFTER_HOST, rest, at)
            hosts.append(rest[at:stop])
            at = stop
        port = ""
        if rest.startswith(":", at):
            stop = _find(AFTER_PORT, rest, at + 1)
            port, at = rest[at + 1 : stop], stop
        ports.append(port)
        if not rest.startswith(",", at):
            return ",".join(hosts), ",".join(ports), rest[at:]
        at += 1


def _find(stops: re.Pattern[str], text: str, at: int) -> int:
    found = stops.search(text, at)
    return found.start() if found else len(text)


def _parameters(query: str, trims: bool) -> Iterator[tuple[str, str]]:
    pieces = query.split("&")
    if pieces[-1] == "":
        pieces.pop()
    for piece in pieces:
        keyword, equals, value = piece.partition("=")
        if not equals:
            raise SettingsError('missing key/value separator "=" in a URI query parameter')
        if "=" in value:
            raise SettingsError(f'extra key/value separator "=" in URI query parameter: "{keyword}"')
        keyword, value = decode(keyword, trims), decode(value, trims)
        if (keyword, value) == ("ssl", "true"):
            keyword, value = "sslmode", "require"
        yield keyword, value


def decode(text: str, trims: bool = False) -> str:
    """Percent-decoding as conninfo_uri_decode() does it: bad tokens and %00 are errors."""
    if trims:
        text = text.strip(" ")
        if " " in text:
            raise SettingsError('unexpected spaces found in a part of the URI, use percent-encoded spaces ("%20") instead')
    if "%" not in text:
        return text
    out = bytearray()
    at, raw = 0, text.encode("utf-8", "surrogateescape")
    while at < len(raw):
        if raw[at] != 0x25:
            out.append(raw[at])
            at += 1
            continue
        token = raw[at + 1 : at + 3]
        if len(token) < 2 or not all(c in b"0123456789abcdefABCDEF" for c in token):
            raise SettingsError("invalid percent-encoded token in URI")
        if token == b"00":
            raise SettingsError("forbidden value %00 in a percent-encoded value of the URI")
        out.append(int(token, 16))
        at += 3
    return out.decode("utf-8", "surrogateescape")
