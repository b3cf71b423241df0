"""
Rails: Active Record over Ruby's pg, by `database.yml`, whose `url` and DATABASE_URL win over the words beside them.

Words that libpq does not know are dropped without an error: a `sslcrldir` meant for a newer libpq does nothing.
"""

from __future__ import annotations

import urllib.parse
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Reason, Settings, TrustPolicy
from . import _libpq, libpq
from ._driver import Driver

SOURCE = "activerecord connection_adapters/postgresql_adapter.rb, database_configurations/connection_url_resolver.rb; source only"
RENAMED = {"username": "user", "database": "dbname"}
SCHEMES = ("postgres", "postgresql", "postgis")


def read(given: Given) -> Settings:
    """`database.yml`, then its `url` or DATABASE_URL over it; a blank is kept, nothing at all is not."""
    found = {name: _libpq.text_of(value) for name, value in given.options.items() if value is not None}
    url = given.dsn or found.pop("url", "") or given.env.get("DATABASE_URL", "")
    found.pop("url", None)
    if url:
        found |= _from_url(url)
    known = _libpq.known(_libpq.version_of(given) or _libpq.LAST) | {"requiressl"}
    named = {RENAMED.get(name, name): value for name, value in found.items()}
    words = {name: value for name, value in named.items() if name in known}
    settings = _libpq.effective(replace(given, dsn=None), list(words.items()))
    dropped = {name: value for name, value in named.items() if name not in known}
    return replace(settings, unknown=dropped)


def _from_url(text: str) -> dict[str, str]:
    """ConnectionUrlResolver: every part percent-decoded, empty ones left out, the last of two equal words wins."""
    if len(text) > 1_000_000:
        raise SettingsError("the URL is longer than 1000000 characters")
    try:
        parts = urllib.parse.urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SettingsError("bad URI: the URL of the database cannot be parsed") from None
    if parts.scheme not in SCHEMES:
        raise SettingsError("the scheme of the URL is no adapter for PostgreSQL")
    found = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    found |= {"username": parts.username or "", "password": parts.password or "", "host": host or "", "database": parts.path[1:]}
    found["port"] = str(port or "")
    return {name: urllib.parse.unquote(value) for name, value in found.items() if value}


def policy(given: Given, settings: Settings) -> TrustPolicy:
    found = libpq.policy(given, settings)
    if any("<%" in setting.text for setting in settings.values.values()):
        why = Reason("not-expanded", "`<%= … %>` of database.yml is filled in by Ruby: give the value it has when it runs", SOURCE)
        return replace(found, undecidable=why, socket_is_plain=False)
    return found


DRIVER = Driver(
    name="rails",
    title="Ruby on Rails (Active Record)",
    source="https://guides.rubyonrails.org/configuring.html#configuring-a-postgresql-database",
    versions="5 to 8, over Ruby pg on libpq 12 to 18",
    proven=(),
    possible=_libpq.possible,
    read=read,
    policy=policy,
)
