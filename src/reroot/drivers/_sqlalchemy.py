"""
SQLAlchemy's URLs, `dialect+driver://user:password@host:port/database?name=value`, and the arguments each dialect makes of them.

Of duplicates in the query every value is kept, as a tuple, which most drivers then refuse. sqlalchemy/engine/url.py _parse_url(),
dialects/postgresql/base.py _split_multihost_from_url(); compared with make_url().
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from ..errors import SettingsError

LIMIT = 1_000_000
Query = Mapping[str, str | tuple[str, ...]]
Arguments = dict[str, object]

_URL = re.compile(
    r"(?P<name>[\w\+]+)://"
    r"(?:(?P<username>[^:/]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:(?:\[(?P<ipv6>[^/\?]+)\]|(?P<host>[^/:\?]+))?(?::(?P<port>[^/\?]*))?)?"
    r"(?:/(?P<database>[^\?]*))?"
    r"(?:\?(?P<query>.*))?"
)
_HOST_AND_PORT = re.compile(r"^([a-zA-Z0-9\-\.]*)(?:\:(\d*))?$")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL in parts. ``password`` is to be kept out of sight by whoever holds this."""

    drivername: str
    username: str | None
    password: str | None
    host: str | None
    port: int | None
    database: str | None
    query: Query


def parse(text: str, *, unquotes_database: bool = True) -> Url:
    """make_url(). *unquotes_database*: as of 2.1. Raises ``SettingsError``."""
    if len(text) > LIMIT:
        raise SettingsError(f"the URL is longer than {LIMIT} characters")
    found = _URL.match(text)
    if found is None:
        raise SettingsError("Could not parse SQLAlchemy URL from given URL string")
    query: dict[str, str | tuple[str, ...]] = {}
    for name, value in parse_qsl(found["query"] or ""):
        earlier = query.get(name)
        query[name] = value if earlier is None else (*((earlier,) if isinstance(earlier, str) else earlier), value)
    try:
        port = None if found["port"] is None else int(found["port"])
    except ValueError:
        raise SettingsError("the port of the URL is not a number") from None
    database = found["database"]
    return Url(
        found["name"],
        None if found["username"] is None else unquote(found["username"]),
        None if found["password"] is None else unquote(found["password"]),
        found["host"] or found["ipv6"],
        port,
        unquote(database) if database is not None and unquotes_database else database,
        query,
    )


def arguments(url: Url, *, database: str, multihost: str = "") -> Arguments:
    """The keyword arguments of the driver's connect().

    *database* is its name for the database; *multihost* is ``joined`` (libpq: by commas), ``listed`` (asyncpg) or nothing.
    """
    parts = {"host": url.host, database: url.database, "user": url.username, "password": url.password, "port": url.port}
    found: Arguments = {name: value for name, value in parts.items() if value}
    hosts, ports = _hosts(url.query) if multihost else ((), ())
    found.update(url.query)
    if hosts and multihost == "joined":
        found["host"] = ",".join(hosts)
        if any(ports) or len(ports) > 1:
            found["port"] = ",".join(str(p) if p else "" for p in ports)
    elif len(hosts) == 1:
        found["host"] = hosts[0]
        if ports[0] is not None:
            found["port"] = ports[0]
    elif hosts:
        if not all(hosts) or not all(ports):
            raise SettingsError("All hosts and ports are required to be present for asyncpg multiple host URL")
        found["host"], found["port"] = list(hosts), list(ports)
    return found


def _hosts(query: Query) -> tuple[tuple[str, ...], tuple[int | None, ...]]:
    """`host=h1:p1&host=h2:p2`, or `host=h1,h2&port=p1,p2`."""
    written, port = query.get("host"), query.get("port")
    hosts: tuple[str, ...] = ()
    texts: tuple[str | None, ...] = ()
    together = isinstance(written, tuple)
    if isinstance(written, tuple):
        hosts, texts = _split(written)
    elif written is not None:
        hosts = tuple(written.split(","))
        one = _HOST_AND_PORT.match(hosts[0]) if port is None and len(hosts) == 1 and ":" in hosts[0] else None
        if one is not None:
            together, hosts, texts = True, (one[1],), (one[2] or None,)
    if port is not None:
        if together:
            raise SettingsError('Can\'t mix \'multihost\' formats together; use "host=h1,h2&port=p1,p2" or "host=h1:p1&host=h2:p2"')
        texts = port if isinstance(port, tuple) else tuple(port.split(","))
    try:
        ports = tuple(int(p) if p else None for p in texts)
    except ValueError:
        raise SettingsError("Received non-integer port arguments") from None
    if ports and ((not hosts and len(ports) > 1) or (hosts and len(hosts) != len(ports) and max(len(hosts), len(ports)) > 1)):
        raise SettingsError("number of hosts and ports don't match")
    return hosts, ports or tuple(None for _ in hosts)


def _split(tokens: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """`h:p` parted; what follows a second `:` is dropped, unless every host has one."""
    parts = [token.split(":") if ":" in token else [token, None] for token in tokens]
    if min(map(len, parts)) > 2:
        raise SettingsError("the hosts of the URL hold more than one `:`")
    return tuple(part[0] or "" for part in parts), tuple(part[1] for part in parts)
