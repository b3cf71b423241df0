"""``pgadmin4.db``: the servers that pgAdmin knows, from its SQLite file, read only and without its passwords."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from urllib.parse import quote

from ._finding import Harvest, Limit

NAMED = re.compile(r"pgadmin[\w.-]*\.(db|sqlite3?)$", re.IGNORECASE)
TLS = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcompression", "service", "passfile"})


def servers(path: str, file: str) -> Harvest:
    """One finding for each server, its line the row's number."""
    from ._look import look

    lines: list[str] = []
    try:
        with closing(sqlite3.connect(f"file:{quote(os.path.abspath(file))}?mode=ro&immutable=1", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            columns = {row[1] for row in database.execute("PRAGMA table_info(server)")}
            wanted = [c for c in ("name", "host", "connection_params", "ssl_mode", "sslrootcert") if c in columns]
            if "host" not in columns:
                return Harvest()
            for row in database.execute(f"SELECT {', '.join(wanted)} FROM server ORDER BY id LIMIT 10000"):  # noqa: S608 - names from the list above
                lines.append(_line(dict(zip(wanted, row, strict=True))))
    except (sqlite3.Error, ValueError) as error:
        return Harvest(limits=[Limit(path, f"is no readable pgAdmin database ({type(error).__name__})")])
    harvest = look(path + "/servers.json", "\n".join(lines).encode())
    for finding in harvest.findings:
        finding.path, finding.driver, finding.spots = path, "pgadmin", {}
    return harvest


def _line(row: dict[str, object]) -> str:
    raw = row.get("connection_params")
    try:
        given = json.loads(raw) if isinstance(raw, str) else {}
    except ValueError:
        given = {}
    parameters = {k: v for k, v in given.items() if k in TLS} if isinstance(given, dict) else {}
    for column, name in (("ssl_mode", "sslmode"), ("sslrootcert", "sslrootcert")):
        if row.get(column):
            parameters.setdefault(name, row[column])
    return json.dumps(
        {"Name": row.get("name"), "Host": row.get("host"), "Driver": "postgres", "ConnectionParameters": parameters}
    )
