"""
Rails: Active Record over Ruby's pg, by `database.yml`, whose `url` and DATABASE_URL win over the words beside them.

Words that libpq does not know are dropped without an error: a `sslcrldir` meant for a newer libpq does nothing.
"""

from __future__ import annotations

import re
import urllib.parse
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given, Reason, Settings, TrustPolicy
from . import _libpq, libpq
from ._driver import Driver

SOURCE = "activerecord connection_adapters/postgresql_adapter.rb, database_configurations/connection_url_resolver.rb; run with 6.1"
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
    settings = _libpq.effective(replace(given, dsn=None), _libpq.unwaited(words.items()))
    dropped = {name: value for name, value in named.items() if name not in known}
    return replace(settings, unknown=dropped)


_MARK = r"[-_.!~*'()A-Za-z0-9]|%[0-9A-Fa-f]{2}"
_URIC = rf"(?:{_MARK}|[;/?:@&=+$,\[\]])*"
_HOST = r"(?:[A-Za-z0-9.-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\]"
# Ruby's URI::RFC2396_Parser, of what a database URL can be; in it a host has no underscore.
URL = re.compile(
    rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):"
    rf"(?://(?:(?:(?P<who>(?:{_MARK}|[;:&=+$,])*)@)?(?P<host>{_HOST})(?::(?P<port>[0-9]*))?|(?=/))(?P<path>(?:/(?:{_MARK}|[;:@&=+$,])*)*)"
    rf"(?:\?(?P<query>{_URIC}))?|(?P<opaque>(?:{_MARK}|[;?:@&=+$,]){_URIC}))(?:#{_URIC})?"
)


def _from_url(text: str) -> dict[str, str]:
    """ConnectionUrlResolver: values percent-decoded and words not, empty ones left out, the last of two equal words wins."""
    if len(text) > 1_000_000:
        raise SettingsError("the URL is longer than 1000000 characters")
    match = URL.fullmatch(text)
    if match is None:
        raise SettingsError("bad URI: Ruby cannot parse the URL of the database", hint="a host with an underscore is no host to it")
    if match["scheme"] not in SCHEMES:
        raise SettingsError("the scheme of the URL is no adapter for PostgreSQL")
    opaque, _, asked = (match["opaque"] or "").partition("?")
    query = match["query"] or asked
    found = {word: value for word, _, value in (pair.partition("=") for pair in query.split("&") if pair)}
    if opaque:
        found["database"] = opaque
    else:
        user, _, password = (match["who"] or "").partition(":")
        host, port = (match["host"] or "").strip("[]"), match["port"] or ""
        found |= {"username": user, "password": password, "host": host, "port": port, "database": match["path"].removeprefix("/")}
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
    proven=("6.1",),
    possible=_libpq.possible,
    read=read,
    policy=policy,
)
