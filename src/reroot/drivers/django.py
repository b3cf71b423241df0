"""
Django: an entry of ``DATABASES``, of which ``OPTIONS`` are libpq's words, over psycopg 3 where that is installed and psycopg2
elsewhere. A URL is read as dj-database-url reads it: its query becomes ``OPTIONS``.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import replace

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, psycopg, psycopg2
from ._driver import numbered

ENGINES = frozenset(
    {"django.db.backends.postgresql", "django.db.backends.postgresql_psycopg2", "django.contrib.gis.db.backends.postgis"}
)
SCHEMES = ("postgres", "postgresql", "pgsql", "postgis", "timescale", "timescalegis", "psqlextra")
NAMES = {"NAME": "dbname", "USER": "user", "PASSWORD": "password", "HOST": "host", "PORT": "port"}
OWN = frozenset({"isolation_level", "assume_role", "pool", "server_side_binding", "cursor_factory", "prepare_threshold"})
"""Words of OPTIONS that Django keeps for itself."""
PSYCOPG3 = (4, 2)


def variants(given: Given) -> tuple[Given, ...]:
    """psycopg 3 wins where both are installed, as of 4.2; where neither is named, either may be."""
    named = {"psycopg", "psycopg2"} & set(given.runtime)
    newer = given.version is None or numbered(given.version) >= PSYCOPG3
    if named or not newer:
        return (given,)
    return tuple(replace(given, runtime={**given.runtime, name: version}) for name, version in (("psycopg", "3"), ("psycopg2", "2.9")))


def translate(given: Given) -> _wrapped.Beneath | None:
    entry = dict(given.options)
    if given.dsn is not None:
        url = _from_url(given.dsn)
        url["OPTIONS"] = {**_mapping(url.get("OPTIONS")), **_mapping(entry.get("OPTIONS"))}
        entry = {**entry, **url}
    engine = entry.get("ENGINE")
    if engine is not None and engine not in ENGINES:
        return None
    options = {name: value for name, value in _mapping(entry.get("OPTIONS")).items() if name not in OWN}
    if entry.get("NAME") == "" and "service" not in options:
        raise SettingsError("settings.DATABASES is improperly configured: please supply the NAME or OPTIONS['service'] value")
    for name, word in NAMES.items():
        if entry.get(name) not in (None, ""):
            options[word] = entry[name] if name != "NAME" else options.get(word, entry[name])
    newer = given.version is None or numbered(given.version) >= PSYCOPG3
    over = psycopg.DRIVER if newer and "psycopg" in given.runtime else psycopg2.DRIVER
    return _wrapped.beneath(given, over, dsn=None, options=options)


def _mapping(value: object) -> dict[str, object]:
    return {str(name): one for name, one in value.items()} if isinstance(value, Mapping) else {}


def _from_url(text: str) -> dict[str, object]:
    """dj_database_url.parse()"""
    if len(text) > 1_000_000:
        raise SettingsError("the URL is longer than 1000000 characters")
    try:
        parts = urllib.parse.urlsplit(text)
        query = urllib.parse.parse_qs(parts.query)
        port = parts.port
        host = parts.hostname
    except ValueError:
        raise SettingsError("this URL cannot be parsed") from None
    if parts.scheme not in SCHEMES:
        raise SettingsError("the scheme of the URL is none of dj-database-url's for PostgreSQL")
    plain = urllib.parse.unquote
    options = {name: values[0] if len(values) == 1 else str(values) for name, values in query.items()}
    return {
        "NAME": plain(parts.path[1:]) or None,
        "USER": plain(parts.username or ""),
        "PASSWORD": plain(parts.password or ""),
        "HOST": plain(host or ""),
        "PORT": port or "",
        "OPTIONS": {("options" if name == "currentSchema" else name): value for name, value in options.items()},
    }


DRIVER = _wrapped.wrapper(
    name="django",
    title="Django",
    source="https://docs.djangoproject.com/en/5.2/ref/databases/#postgresql-notes",
    versions="2 to 5, over psycopg2 and psycopg on libpq 12 to 18",
    proven=("5.2",),
    translate=translate,
    variants=variants,
)
