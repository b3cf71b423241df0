"""
DBeaver: pgJDBC. Without its SSL tab the driver's prefer holds; with it `ssl=true` is always said, so that an empty mode is verify-full.
"""

from __future__ import annotations

from ..model import Given
from . import _wrapped, pgjdbc

# property of the handler `postgre_ssl` → pgJDBC's
HANDLER = {
    "sslMode": "sslmode",
    "ssl.mode": "sslmode",
    "ssl.ca.cert": "sslrootcert",
    "sslRootCert": "sslrootcert",
    "ssl.client.cert": "sslcert",
    "ssl.client.key": "sslkey",
    "sslFactory": "sslfactory",
    "ssl.factory": "sslfactory",
}


def translate(given: Given) -> _wrapped.Beneath | None:
    """`ssl` says that the tab is on; the other options are the handler's properties and pgJDBC's own."""
    found = {name: value for name, value in given.options.items() if value is not None}
    on = str(found.pop("ssl", "false")).lower() == "true"
    handled = {HANDLER[name]: found.pop(name) for name in list(found) if name in HANDLER}
    if on and ("ssl.truststore" in found or "ssl.keystore" in found):
        return None
    place = {name: found.pop(name) for name in ("host", "port", "database") if name in found}
    url = given.dsn or f"jdbc:postgresql://{place.get('host', given.host or 'localhost')}:{place.get('port', 5432)}/{place.get('database', '')}"
    options = {**found, **({"ssl": "true", **{n: v for n, v in handled.items() if v != ""}} if on else {})}
    return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options=options)


DRIVER = _wrapped.wrapper(
    name="dbeaver",
    title="DBeaver",
    source="https://dbeaver.com/docs/dbeaver/SSL-Configuration/; PostgreDataSource.java initServerSSL(), source only",
    versions="21 and later, over pgJDBC",
    proven=(),
    translate=translate,
)
