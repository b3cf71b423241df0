"""
The grammar of pgJDBC's URLs: `jdbc:postgresql://host:port,…/database?name=value&…`.

Names are compared as written, values are percent-decoded, the last of two equal names wins, and a part that holds
`user:password@` is taken for a host name. pgjdbc org/postgresql/Driver.java parseURL().
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_plus

from ..errors import SettingsError
from ..model import Endpoint

PREFIX = "jdbc:postgresql:"
WRAPPERS = ("jdbc:aws-wrapper:postgresql:", "jdbc:p6spy:postgresql:", "jdbc:otel:postgresql:", "jdbc:tc:postgresql:")
LIMIT = 1_000_000

# Names of libpq that parseURL() takes for its own.
RENAMED: Mapping[str, str] = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDBNAME"}

Properties = dict[str, str]


def parse(url: str) -> Properties:
    """The properties of a URL, hosts and ports by commas under ``PGHOST`` and ``PGPORT`` where it names any.

    Raises ``SettingsError`` for what the driver does not take.
    """
    if len(url) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    for wrapper in WRAPPERS:
        if url.startswith(wrapper):
            url = PREFIX + url.removeprefix(wrapper)
    if not url.startswith(PREFIX):
        raise SettingsError("the URL does not start with `jdbc:postgresql:`, so pgJDBC leaves it to another driver")
    server, _, query = url.removeprefix(PREFIX).partition("?")
    properties: Properties = {}
    if server.startswith("//") and server not in {"//", "///"}:
        addresses, slash, database = server[2:].partition("/")
        if not slash or "/" in database:
            raise SettingsError("the URL needs exactly one `/` after its hosts, else pgJDBC does not take it")
        if database:
            properties["PGDBNAME"] = _decode(database)
        endpoints = [_endpoint(address) for address in _java_split(addresses)]
        properties["PGHOST"] = ",".join(host for host, _ in endpoints)
        properties["PGPORT"] = ",".join(port for _, port in endpoints)
    elif server.startswith("/") and not server.startswith("//"):
        raise SettingsError("the URL has a single `/` after `jdbc:postgresql:`, and pgJDBC does not take it")
    elif not server.startswith("//"):
        properties["PGDBNAME"] = _decode(server)
    for token in query.split("&"):
        if token:
            name, equals, value = token.partition("=")
            properties[RENAMED.get(name, name) if equals else name] = _decode(value)
    return properties


def endpoints(hosts: str, ports: str) -> tuple[Endpoint, ...]:
    """``PGHOST`` and ``PGPORT`` as places to connect to; a single port counts for every host."""
    names, numbers = hosts.split(","), (ports or "5432").split(",")
    return tuple(Endpoint(host=name or "localhost", port=numbers[min(i, len(numbers) - 1)]) for i, name in enumerate(names))


def _java_split(text: str) -> list[str]:
    """String.split(","): empty parts at the end are dropped; of commas alone nothing is left, and the driver fails."""
    parts = text.split(",")
    while len(parts) > 1 and not parts[-1]:
        parts.pop()
    if "," in text and not any(parts):
        raise SettingsError("the URL names no host between its commas")
    return parts


def _endpoint(address: str) -> tuple[str, str]:
    colon = address.rfind(":")
    if colon < 0 or address.rfind("]") > colon:
        return address, "5432"
    port = address[colon + 1 :]
    digits = port[1:] if port.startswith("+") else port
    if not digits.isascii() or not digits.isdigit() or not 1 <= int(digits) <= 65535:
        raise SettingsError("the port of the JDBC URL is not a number from 1 to 65535")
    return address[:colon] or "localhost", port


def _decode(text: str) -> str:
    """URLDecoder.decode(): `+` is a blank, a damaged token is an error."""
    at = text.find("%")
    while at >= 0:
        token = text[at + 1 : at + 3]
        if len(token) < 2 or not all(c in "0123456789abcdefABCDEF" for c in token):
            raise SettingsError("illegal percent-encoding in the JDBC URL")
        at = text.find("%", at + 3)
    return unquote_plus(text, errors="replace")
