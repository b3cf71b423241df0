"""
Laravel: PDO on libpq, by the entry of `config/database.php`, over which its `url` is laid.

Only ``sslmode``, ``sslcert``, ``sslkey`` and ``sslrootcert`` reach libpq: a ``sslcrl`` there does nothing. They are written into PDO's DSN
without quotes, so that a blank in a path ends it. An ``sslmode`` in the entry, where a new application has ``prefer``, wins over PGSSLMODE.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Reason, Settings, TrustPolicy
from . import _libpq, _php, libpq, pdo
from ._driver import Driver, numbered

SOURCE = (
    "laravel/framework Illuminate/Database/Connectors/PostgresConnector.php, Illuminate/Support/ConfigurationUrlParser.php; run with 8.83"
)
FIRST, LAST = (8,), (13,)
SCHEMES = ("pgsql", "postgres", "postgresql")
WORDS = ("sslmode", "sslcert", "sslkey", "sslrootcert")
READ = frozenset({"driver", "host", "port", "database", "username", "password", "options", *WORDS})
ELSEWHERE = ("read", "write", "connect_via_port")
"""Other places that hosts and settings come from."""

Config = dict[str, object]


def possible(given: Given) -> tuple[Given, ...]:
    return _libpq.possible(given) if given.version is None or FIRST <= numbered(given.version) < LAST else ()


def configured(given: Given) -> tuple[Config, str]:
    """The entry with its URL laid over it, and why that cannot be known."""
    config: Config = dict(given.options)
    in_entry = config.pop("url", None)
    url = given.dsn if given.dsn is not None else _libpq.text_of(in_entry or "")
    why = next((f"`{word}` in the entry: judge each connection by itself" for word in ELSEWHERE if config.get(word) is not None), "")
    if url:
        try:
            config |= _from_url(url)
        except _php.Odd as odd:
            return config, str(odd)
    if config.get("driver", "pgsql") != "pgsql":
        raise SettingsError("the entry's driver is not `pgsql`")
    hosts = config.get("host")
    if isinstance(hosts, list | tuple):
        if len(hosts) != 1:
            return config | {"host": None}, "several hosts, one of which is taken by chance: judge each by itself"
        config["host"] = hosts[0]
    if any(isinstance(config.get(name), list | dict) for name in (*WORDS, "host", "port", "database")):
        return {name: v for name, v in config.items() if not isinstance(v, list | dict)}, "a setting that is no text"
    return config, why


def _from_url(text: str) -> Config:
    """parseConfiguration(): every part is decoded, and taken for JSON where it is JSON."""
    url = _php.parse_url(text)
    if url.scheme not in SCHEMES:
        raise SettingsError("the scheme of the URL is no driver for PostgreSQL", hint="Laravel knows `pgsql`, `postgres` and `postgresql`")
    primary = {"host": url.host, "port": url.port, "username": url.user}
    said = {n: _native(_php.rawurldecode(v)) for n, v in primary.items() if v is not None}
    path = _php.rawurldecode(url.path)[1:]
    found: Config = {"driver": "pgsql"} | {n: v for n, v in said.items() if v is not None} | ({"database": path} if path else {})
    return found | {name: _native(value) for name, value in _php.parse_str(url.query).items()}


def _native(text: str) -> object:
    """json_decode(), or the text as it is."""
    try:
        value: object = json.loads(text, parse_constant=_none)
    except (ValueError, RecursionError):
        return text
    if value is None or isinstance(value, bool):
        return value
    if type(value) is int and str(value) == text:
        return text
    raise _php.Odd("a value in the URL that PHP takes for JSON")


def _none(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def dsn_of(config: Mapping[str, object]) -> str:
    """PostgresConnector::getDsn()."""
    host = "" if config.get("host") is None else f"host={_text(config['host'])};"
    words = [f"pgsql:{host}dbname='{_text(config.get('database', ''))}'"]
    words += [f"{name}={_text(config[name])}" for name in ("port", *WORDS) if config.get(name) is not None]
    return ";".join(words)


def _text(value: object) -> str:
    """PHP's text of a value."""
    if value is None:
        return ""
    return {True: "1", False: ""}[value] if isinstance(value, bool) else _libpq.text_of(value)


def read(given: Given) -> Settings:
    config, _ = configured(given)
    options = {name: config[name] for name in ("username", "password") if config.get(name) is not None}
    settings = pdo.read(replace(given, dsn=dsn_of(config), options=options))
    unknown = {name: _libpq.text_of(value) for name, value in config.items() if name not in READ and value is not None}
    return replace(settings, unknown=unknown)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = libpq.policy(given, settings)
    _, why = configured(given)
    if why:
        reason = Reason("not-read", f"what Laravel makes of this is not known here: {why}", SOURCE)
        return replace(found, undecidable=reason, socket_is_plain=False)
    return found


DRIVER = Driver(
    name="laravel",
    title="Laravel",
    source="https://laravel.com/docs/database#configuration",
    versions="8 to 12, over PDO on libpq 12 to 18",
    proven=("8.83",),
    possible=possible,
    read=read,
    policy=policy,
)
