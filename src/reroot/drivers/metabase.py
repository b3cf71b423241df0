"""
Metabase: pgJDBC, by the details of a database connection (`ssl`, `ssl-mode`, `ssl-root-cert-path` …) or a URI for its own database.
"""

from __future__ import annotations

from ..model import Given
from . import _jdbc, _wrapped, pgjdbc


def translate(given: Given) -> _wrapped.Beneath | None:
    """Without `ssl` the driver is told sslmode=disable, with it `ssl-mode` or require; `additional-options` stand after it all."""
    if given.dsn is not None:
        url = given.dsn if given.dsn.startswith("jdbc:") else "jdbc:" + given.dsn.replace("postgres://", "postgresql://", 1)
        return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options={})
    found = {name: value for name, value in given.options.items() if value is not None}
    options: dict[str, object] = {"sslmode": "disable"}
    if found.get("ssl") is True or str(found.get("ssl", "")).lower() == "true":
        options["sslmode"] = found.get("ssl-mode", "require")
        if found.get("ssl-root-cert-path"):
            options["sslrootcert"] = found["ssl-root-cert-path"]
        elif found.get("ssl-root-cert-value") or found.get("ssl-root-cert-id"):
            return None
    options |= {word: found[name] for name, word in (("user", "user"), ("password", "password")) if name in found}
    more = str(found.get("additional-options") or "")
    url = f"jdbc:postgresql://{found.get('host', given.host or 'localhost')}:{found.get('port') or 5432}/{found.get('dbname', '')}"
    if more:
        found_there = _jdbc.parse(f"{url}?{more.lstrip('?&')}")
        options |= {name: value for name, value in found_there.items() if name not in ("PGDBNAME", "PGHOST", "PGPORT")}
    return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options=options)


DRIVER = _wrapped.wrapper(
    name="metabase",
    title="Metabase",
    source="https://www.metabase.com/docs/latest/databases/connections/postgresql; driver/postgres.clj ssl-params, source only",
    versions="0.41 and later, over pgJDBC",
    proven=(),
    translate=translate,
)
