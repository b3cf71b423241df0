"""
The first pass: does a file hold any word that a PostgreSQL client's TLS settings or roots cannot do without?

Words only, in any case, all at once over the raw bytes. Hyperscan does it where it is installed, else stringzilla, else the
standard library; all three give the same answer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache

CERTIFICATE_WORDS = (
    "begin certificate-----",
    "begin trusted certificate-----",
    "rds-combined-ca",
    "rds-ca-20",
    "truststore.pki.rds",
)
"""What is looked for in other people's code that a project carries with it."""

WORDS = (
    *CERTIFICATE_WORDS,
    "postgresql:",
    "postgres:/",
    "postgresql+",
    "postgres+",
    "postgis:/",
    "asyncpg",
    "psycopg",
    "pg8000",
    "npgsql",
    "sslmode",
    "ssl_mode",
    "ssl-mode",
    "ssl mode",
    "sslrootcert",
    "sslrootca",
    "ssl_root_c",
    "ssl_ca",
    "ssl-root-cert",
    "pgssl",
    "pghost",
    "pgservice",
    "pg_service",
    "dbname=",
    "pgsql:",
    "dbi:pg",
    ".rds.amazonaws.com",
    "rds-ca-",
    "ca_cert_identifier",
    "cacertificate",
    "global-bundle",
    "digicertglobalroot",
    "baltimorecybertrust",
    "javax.net.ssl.truststore",
    "rejectunauthorized",
    "node_tls_reject",
    "node_extra_ca",
    "database_url",
    "db_ssl",
    "database_ssl",
    "pg_ssl",
    "postgres_ssl",
    "_sslmode",
    "server_tls_",
    "rds.force_ssl",
    "rds_force_ssl",
    "keytool",
    "update-ca-",
    ".postgresql/root.c",
    "primary_conninfo",
    "postgres_fdw",
    "org.postgresql",
    "backends.postgresql",
    "'postgres'",
    '"postgres"',
    "'postgresql'",
    '"postgresql"',
    "'pg'",
    '"pg"',
    ": postgres",
    "lib/pq",
    "jackc/pgx",
    "pgx.",
    "pgsql",
    "pgconnectoptions",
    "pgpooloptions",
    "tokio_postgres",
    "postgresopen",
    "postgres.open",
    "pg.connect",
    "usenpgsql",
    "reactive.postgresql",
    "vertx.pgclient",
    "trustservercertificate",
    "connectionstrings",
    "ssl_enforcement",
    "requiressl",
    "allow_unencrypted",
    "postgrex",
    "psql ",
    "pg_dump",
    "nonvalidatingfactory",
    "postgre_ssl",
    "libpq",
    "pgxpool",
    "pgbouncer",
    "hostssl",
    "hostnossl",
)

Find = Callable[[memoryview], bool]
"""Does a buffer hold a word? The buffer is not kept."""


def engines() -> tuple[str, ...]:
    """The engines that can be imported here, fastest first."""
    found = []
    for name in ("hyperscan", "stringzilla"):
        try:
            __import__(name)
        except ImportError:
            continue
        found.append(name)
    return (*found, "plain")


@lru_cache(maxsize=8)
def finder(words: tuple[str, ...], engine: str = "") -> Find:
    """A search for *words*, lower case, by the fastest engine there is."""
    engine = engine or engines()[0]
    return {"hyperscan": _hyperscan, "stringzilla": _stringzilla, "plain": _plain}[engine](words)


def _hyperscan(words: tuple[str, ...]) -> Find:
    import re

    import hyperscan

    database = hyperscan.Database()
    caseless = hyperscan.HS_FLAG_CASELESS | hyperscan.HS_FLAG_SINGLEMATCH
    database.compile(
        expressions=[re.escape(w).encode() for w in words],
        ids=list(range(len(words))),
        elements=len(words),
        flags=[caseless] * len(words),
    )
    hit: list[int] = []

    def stop(number: int, *_: object) -> bool:
        hit.append(number)
        return True

    scan = database.scan

    def find(buffer: memoryview) -> bool:
        hit.clear()
        with suppress(hyperscan.ScanTerminated):
            scan(buffer, match_event_handler=stop)  # type: ignore[type-var]
        return bool(hit)

    return find


def _stringzilla(words: tuple[str, ...]) -> Find:
    import stringzilla

    search: Callable[[bytes, bytes], int] = stringzilla.find
    needles = [w.encode() for w in words]

    def find(buffer: memoryview) -> bool:
        lowered = bytes(buffer).lower()
        return any(search(lowered, needle) >= 0 for needle in needles)

    return find


def _plain(words: tuple[str, ...]) -> Find:
    needles = [w.encode() for w in words]

    def find(buffer: memoryview) -> bool:
        lowered = bytes(buffer).lower()
        return any(needle in lowered for needle in needles)

    return find
