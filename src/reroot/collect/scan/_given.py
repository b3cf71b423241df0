"""A finding as the driver would be given it: the options that are written, under the driver's own names, and nothing secret.

None where a name is the team's own switch: what the code makes of ``DB_SSL=true`` no table can tell.
"""

from __future__ import annotations

from urllib.parse import quote

from ...model import Files, Given
from . import _names
from ._contexts import MAKERS, TELLS
from ._dsn import HUNG
from ._finding import Finding

LIBPQ = frozenset(
    {
        *("libpq", "psql", "psycopg2", "psycopg", "pgadmin", "aiopg", "lib-pq", "pgx", "gorm", "ruby-pg", "php-pgsql", "pdo"),
        *("dbd-pg", "doctrine"),
    }
)
NODE = frozenset({"node-postgres", "postgres-js", "sequelize", "knex", "typeorm"})
NODE_OPTIONS = frozenset(
    {"ssl", "dialectOptions", "connection", "extra", "connectionString", "sslmode", "pool", "dialect_options", "options"}
)
TRANSLATED = {"ssl_require": "require"}
"""Switches of helpers, and the mode that each sets: dj-database-url's."""
VERTX = {"mode": "sslMode", "roots": "trustCertificates", "off": "trustAll", "": "hostnameVerificationAlgorithm"}
OWN = frozenset(
    [
        "sslmode",
        "sslrootcert",
        "sslcert",
        "sslkey",
        "sslcrl",
        "sslnegotiation",
        "ssl",
        "sslfactory",
        "sslfactoryarg",
        "sslhostnameverifier",
        "requiressl",
        "service",
        "gssencmode",
        "channel_binding",
        "ssl_context",
        "sslaccept",
        "ssl_min_protocol_version",
        "sslsni",
        "uselibpqcompat",
        "server_tls_sslmode",
        "server_tls_ca_file",
        "ssl_opts",
        "ssl_mode",
        "ssl_root_cert",
        "cacertfile",
        "verify",
        "pqopt",
    ]
)


def given_of(finding: Finding, driver: str, files: Files) -> Given | None:
    """What the driver *driver* is given by the place of *finding*."""
    inner = {k: v for k, v in finding.settings.items() if k in finding.in_dsn}
    outer = {k: v for k, v in finding.settings.items() if k not in finding.in_dsn}
    env = {k: v for k, v in outer.items() if k.startswith("PG") and k.isupper() and not k.startswith("PGBOUNCER_")}
    options: dict[str, object] | None
    if driver in NODE:
        options = _nested({k: v for k, v in outer.items() if k not in env})
    else:
        below = finding.driver or driver if driver == "sqlalchemy" else driver
        options = _flat({k: v for k, v in outer.items() if k not in env}, below)
    if options is None:
        return None
    if driver == "doctrine":
        options["driver"] = "pgsql"  # its other driver is PDO, and found as that
    dsn = None
    version = finding.version if driver == finding.driver else None
    if finding.form:
        if driver in ("pdo", "php-pgsql") and finding.form not in ("pdo", "pgsql", "keywords"):
            options = {**inner, **options}  # a URL that a framework takes apart
        elif driver == "sqlalchemy":
            dsn = _dsn("url", inner).replace("postgresql:", finding.form + ":", 1)
        elif "+" in finding.form or finding.form in ("odbc", "asyncpg", "psycopg"):
            options = {**{k: _value(v) if driver in ("asyncpg", "pg8000") else v for k, v in inner.items()}, **options}
        else:
            dsn = _dsn("jdbc" if finding.form == HUNG and driver == "pgjdbc" else finding.form, inner)
    return Given(
        driver,
        version,
        dsn=dsn,
        options=options,
        env=env,
        host=finding.host or "server",
        home="/home/client",
        files=files,
    )


def _dsn(form: str, options: dict[str, str]) -> str:
    query = "&".join(f"{name}={quote(value, safe='/:')}" for name, value in options.items())
    if form in ("jdbc", "r2dbc"):
        return f"{'jdbc' if form == 'jdbc' else 'r2dbc'}:postgresql://server/db" + (f"?{query}" if query else "")
    if form == "keywords":
        return "host=server dbname=db " + " ".join(f"{name}='{value}'" for name, value in options.items())
    if form in ("pdo", "pgsql"):
        return "pgsql:host=server;dbname=db" + "".join(f";{name}={value}" for name, value in options.items())
    if form == "ado":
        return "Host=server;Database=db;" + ";".join(f"{name}={value}" for name, value in options.items())
    return "postgresql://user@server/db" + (f"?{query}" if query else "")


def _flat(options: dict[str, str], driver: str) -> dict[str, object] | None:
    found: dict[str, object] = {}
    if driver in ("asyncpg", "pg8000") and (context := _context(options)) is not None:
        return context
    for name, value in options.items():
        last = name.rpartition(".")[2]
        role = _names.role(last)
        if last in TRANSLATED and value.strip().lower() == "true":
            last, value, role = "sslmode", TRANSLATED[last], "mode"
        if driver in LIBPQ or driver == "pgjdbc":
            if last.lower() in OWN and role not in ("mode", "roots") and (last == last.lower() or driver != "pgjdbc"):
                found[last.lower() if driver in LIBPQ else last] = value
            elif role == "mode":
                found["sslmode"] = value
            elif role == "roots":
                found["sslrootcert"] = value
            elif role == "factory" and driver == "pgjdbc":
                found["sslfactory"] = value
            else:
                return None
        elif driver == "pgbouncer" and role in ("mode", "roots"):
            found["server_tls_sslmode" if role == "mode" else "server_tls_ca_file"] = value
        elif role == "mode" and driver == "asyncpg":
            found["ssl"] = value
        elif driver == "vertx":
            if role not in VERTX and last[:1].lower() + last[1:] not in VERTX.values():
                return None
            found[VERTX.get(role, last[:1].lower() + last[1:])] = value
        elif driver in ("sqlx", "tokio-postgres") and role in ("mode", "roots"):
            found["sslmode" if role == "mode" else "sslrootcert"] = value
        elif driver == "npgsql" and role == "mode":
            found[last] = value.replace("-", "")
        elif last.lower() in OWN or driver == "npgsql":
            found[last] = _value(value) if driver in ("asyncpg", "pg8000") else value
        elif role == "mode":
            found["sslmode"] = value
        else:
            return None
    return found


def _context(options: dict[str, str]) -> dict[str, object] | None:
    """An SSLContext, put together by ``_contexts.py``, as the driver's table has it."""
    for name in ("ssl", "ssl_context"):
        if options.get(name) in MAKERS:
            told: dict[str, object] = {"from": options[name]}
            for key in TELLS & set(options):
                told[key] = _value(options[key]) if key == "check_hostname" else options[key]
            return {name: told}
    return None


def _nested(options: dict[str, str]) -> dict[str, object] | None:
    """``ssl.rejectUnauthorized`` becomes an object within an object."""
    found: dict[str, object] = {}
    for name, value in options.items():
        parts = [p for p in name.split(".") if p]
        if parts[0] == "connection" and len(parts) > 1:
            parts = parts[1:]  # Knex's own object: node-postgres is given what stands in it
        if not parts or parts[0] not in NODE_OPTIONS:
            return None
        here = found
        for part in parts[:-1]:
            inner = here.get(part)
            if not isinstance(inner, dict):
                inner = here[part] = {}
            here = inner
        here[parts[-1]] = _value(value)
    return found


def _value(value: str) -> object:
    return {"true": True, "false": False, "none": None, "null": None}.get(value.strip().lower(), value)
