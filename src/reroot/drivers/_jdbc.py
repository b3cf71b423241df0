"""
The grammar of pgJDBC's URLs: `jdbc:postgresql://host:port,…/database?name=value&…`.

Names are compared as written, values are percent-decoded, the last of two equal names wins, and a part that holds
`user:password@` is taken for a host name. pgjdbc org/postgresql/Driver.java parseURL().
"""

from __future__ import annotations

from urllib.parse import unquote_plus

from ..errors import SettingsError
from ..model import Endpoint

PREFIX = "jdbc:postgresql:"
WRAPPERS = ("jdbc:aws-wrapper:postgresql:", "jdbc:p6spy:postgresql:", "jdbc:otel:postgresql:", "jdbc:tc:postgresql:")
LIMIT = 1_000_000

Properties = dict[str, str]


def parse(url: str) -> tuple[Properties, tuple[Endpoint, ...]]:
    """The properties of a URL and the endpoints it names. Raises ``SettingsError`` for what the driver does not take."""
    if len(url) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    for wrapper in WRAPPERS:
        if url.startswith(wrapper):
            url = PREFIX + url.removeprefix(wrapper)
    if not url.startswith(PREFIX):
        raise SettingsError("the URL does not start with `jdbc:postgresql:`, so pgJDBC leaves it to another driver")
    server, _, query = url.removeprefix(PREFIX).partition("?")
    properties: Properties = {}
    endpoints: tuple[Endpoint, ...] = ()
    if server in {"//", "///"}:
        server = ""
    elif server.startswith("//"):
        addresses, slash, database = server[2:].partition("/")
        if "/" in database:
            raise SettingsError("the URL has more than one `/` after the hosts, and pgJDBC does not take it")
        if slash and database:
            properties["PGDBNAME"] = _decode(database)
        endpoints = tuple(_endpoint(address) for address in _java_split(addresses))
    elif server:
        properties["PGDBNAME"] = _decode(server)
    for token in query.split("&"):
        if token:
            name, _, value = token.partition("=")
            properties[name] = _decode(value)
    return properties, endpoints


def _java_split(text: str) -> list[str]:
    """String.split(","): empty parts at the end are dropped, but for a wholly empty text."""
    parts = text.split(",")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    return parts


def _endpoint(address: str) -> Endpoint:
    colon = address.rfind(":")
    if colon < 0 or address.rfind("]") > colon:
        return Endpoint(host=address or "localhost", port="5432")
    port = address[colon + 1 :]
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise SettingsError("the port of the JDBC URL is not a number from 1 to 65535")
    return Endpoint(host=address[:colon] or "localhost", port=port)


def _decode(text: str) -> str:
    """URLDecoder.decode(): `+` is a blank, a damaged token is an error."""
    at = text.find("%")
    while at >= 0:
        token = text[at + 1 : at + 3]
        if len(token) < 2 or not all(c in "0123456789abcdefABCDEF" for c in token):
            raise SettingsError("illegal percent-encoding in the JDBC URL")
        at = text.find("%", at + 3)
    return unquote_plus(text, errors="replace")
