"""
Grafana: a PostgreSQL data source (`sslmode`, `sslRootCertFile`, `tlsCACert`) or its own database (`ssl_mode`, `ca_cert_path`), over lib/pq.

A data source without a mode is require, which verifies the chain once a root certificate is given.
"""

from __future__ import annotations

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, lib_pq

MODES = ("disable", "require", "verify-ca", "verify-full")


def translate(given: Given) -> _wrapped.Beneath | None:
    found = {name: value for name, value in given.options.items() if value is not None and value != ""}
    if "ssl_mode" in found or "ca_cert_path" in found:
        mode, root = str(found.get("ssl_mode", "disable")), found.get("ca_cert_path")
    else:
        mode, root = str(found.get("sslmode", "require")), found.get("sslRootCertFile")
        if mode not in MODES:
            raise SettingsError("the mode of the data source is none of disable, require, verify-ca, verify-full")
        if mode.startswith("verify") and not root:
            if found.get("tlsCACert") or found.get("tlsConfigurationMethod") == "file-content":
                return None
            raise SettingsError("verify-ca and verify-full want a root certificate")
    options: dict[str, object] = {"sslmode": mode} | ({"sslrootcert": root} if root and mode != "disable" else {})
    place = str(found.get("url", found.get("host", given.host or "localhost")))
    host, _, port = place.rpartition(":") if ":" in place and not place.endswith("]") else (place, "", "")
    options |= {"host": host, **({"port": port} if port else {})}
    options |= {word: found[name] for name, word in (("user", "user"), ("database", "dbname"), ("name", "dbname")) if name in found}
    return _wrapped.beneath(given, lib_pq.DRIVER, dsn=given.dsn, options=options)


DRIVER = _wrapped.wrapper(
    name="grafana",
    title="Grafana",
    source="https://grafana.com/docs/grafana/latest/datasources/postgres/; pkg/tsdb/grafana-postgresql-datasource/tls, source only",
    versions="9 to 12, over lib/pq",
    proven=(),
    translate=translate,
)
