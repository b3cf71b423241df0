"""Which driver will read a setting? Told by how it is written, by the file it stands in, by the call around it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from . import _names
from ._finding import Finding
from ._names import squeezed
from ._reader import Entry, Page

FORMS: tuple[tuple[re.Pattern[str], str, str | None], ...] = tuple(
    (re.compile(pattern), driver, wrapper)
    for pattern, driver, wrapper in (
        (r"^jdbc(:aws-wrapper)?$", "pgjdbc", None),
        (r"^r2dbc", "r2dbc", None),
        (r"\+psycopg2(cffi)?$", "psycopg2", "sqlalchemy"),
        (r"\+psycopg(_async|3)?$", "psycopg", "sqlalchemy"),
        (r"\+asyncpg$", "asyncpg", "sqlalchemy"),
        (r"\+pg8000$", "pg8000", "sqlalchemy"),
        (r"\+aiopg$", "psycopg2", "aiopg"),
        (r"^asyncpg$", "asyncpg", "tortoise"),
        (r"^psycopg$", "psycopg", "tortoise"),
        (r"^pgx5?$", "pgx", "golang-migrate"),
        (r"^ecto$", "postgrex", "ecto"),
        (r"^prisma\+postgres$", "prisma", None),
        (r"^ado$|^npgsql$", "npgsql", None),
        (r"^odbc$", "psqlodbc", None),
        (r"^pdo$|^pgsql$", "pdo", None),
        (r"^postgis$", "libpq", "django"),
    )
)
FILES: tuple[tuple[re.Pattern[str], str, str | None], ...] = tuple(
    (re.compile(pattern), driver, wrapper)
    for pattern, driver, wrapper in (
        (r"pg_service\.conf", "libpq", None),
        (r"pgbouncer[\w.-]*\.ini", "pgbouncer", None),
        (r"pgpool[\w.-]*\.conf", "pgpool", None),
        (r"postgresql(\.auto)?\.conf|recovery\.conf", "libpq", "walreceiver"),
        (r"(^|/)\.?odbc(inst)?\.ini", "psqlodbc", None),
        (r"(^|/)config/database[\w.-]*\.ya?ml|(^|/)database\.ya?ml", "ruby-pg", "rails"),
        (r"pgadmin|servers\.json$", "pgadmin", None),
        (r"(^|/)profiles\.ya?ml$", "psycopg2", None),  # dbt's
        (r"data-sources\.json$", "pgjdbc", "dbeaver"),
        (r"dataSources(\.local)?\.xml$", "pgjdbc", "datagrip"),
        (
            r"persistence\.xml$|context\.xml$|server\.xml$|application[\w-]*\.(properties|ya?ml)$|bootstrap[\w-]*\.(ya?ml|properties)$",
            "pgjdbc",
            "spring",
        ),
        (
            r"hibernate[\w.]*\.xml$|(^|/)flyway[\w.]*\.(conf|toml|properties)$|liquibase[\w.]*\.properties$|\.java$|\.kt$|\.scala$|\.clj[cs]?$|\.edn$|\.bb$|\.groovy$|\.gradle(\.kts)?$",
            "pgjdbc",
            None,
        ),
        (r"appsettings[\w.]*\.json$|(web|app)\.config$|\.cs$|\.fs$|\.vb$", "npgsql", None),
        (r"\.prisma$", "prisma", None),
        (r"(^|/)ormconfig[\w.-]*\.json$", "node-postgres", "typeorm"),
        (r"\.pgclirc$|pgcli", "psycopg", "pgcli"),
        (r"(^|/)config/(runtime|prod|dev|test|releases|config)\.exs$|\.exs?$", "postgrex", "ecto"),
        (r"(^|/)doctrine[\w.-]*\.ya?ml$", "pdo", "doctrine"),
        (r"\.php$", "php-pgsql", None),
        (r"(^|/)gitlab\.rb$", "ruby-pg", "gitlab"),
        (r"\.rb$|Rakefile$", "ruby-pg", None),
        (r"\.pl$|\.pm$", "dbd-pg", None),
        (r"metabase", "pgjdbc", "metabase"),
        (r"grafana", "lib-pq", "grafana"),
        (r"debezium|kafka-?connect", "pgjdbc", "debezium"),
        (r"hasura", "libpq", "hasura"),
    )
)
WORDS: tuple[tuple[re.Pattern[str], str, str | None], ...] = tuple(
    (re.compile(pattern), driver, wrapper)
    for pattern, driver, wrapper in (
        (r"psycopg2", "psycopg2", None),
        (r"psycopg_pool|psycopg(?!2)", "psycopg", None),
        (r"asyncpg", "asyncpg", None),
        (r"pg8000", "pg8000", None),
        (r"django\.db\.backends\.postgresql|django\.contrib\.gis\.db\.backends\.postgis", "libpq", "django"),
        (r"dj_database_url", "libpq", "django"),
        (r"io\.debezium", "pgjdbc", "debezium"),
        (r"org\.postgresql|PGSimpleDataSource|jdbc:postgresql|HikariDataSource|HikariConfig|DriverManager", "pgjdbc", None),
        (r"NpgsqlConnection|UseNpgsql|Npgsql", "npgsql", None),
        (r"PgConnectOptions|PgPoolOptions|PgPool\b|sqlx", "sqlx", None),
        (r"tokio_postgres|deadpool_postgres|MakeTlsConnector", "tokio-postgres", None),
        (r"pgxpool|pgx\.", "pgx", None),
        (r"gorm|postgres\.Open\(|postgres\.New\(", "pgx", "gorm"),
        (r"\bpq\.|sql\.Open|sqlx\.(Connect|Open|MustConnect)", "lib-pq", None),
        (r"PG\.connect|PG::Connection", "ruby-pg", None),
        (r"Sequel\.", "ruby-pg", "sequel"),
        (r"pg_p?connect", "php-pgsql", None),
        (r"new PDO|PDO\(|^pgsql$", "pdo", None),
        (r"new Sequelize|Sequelize\(", "node-postgres", "sequelize"),
        (r"new DataSource|createConnection|TypeOrmModule", "node-postgres", "typeorm"),
        (r"\bknex\b|Knex\(", "node-postgres", "knex"),
        (r"new (pg\.)?(Pool|Client)|pg\.(Pool|Client)|pgPool|pg-promise|pgp\(", "node-postgres", None),
        (r"PrismaPg|PrismaClient|datasource db", "prisma", None),
        (r"postgres_fdw", "libpq", "postgres_fdw"),
        (r"^psql\b", "psql", None),
        (r"^(pg_dump|pg_dumpall|pg_restore|pg_basebackup|vacuumdb|pgbench|createdb|reindexdb)\b", "libpq", None),
        (r"^provider postgresql", "lib-pq", "terraform"),
        (r"community\.postgresql|(?<![\w.])postgresql_(?:user|db|query|ping|info|privs|ext|schema|table|script|membership)(?=\s|$)", "psycopg2", "ansible"),
        (r"\bexternalClusters\b", "libpq", "cloudnativepg"),
        (r"GITLAB_OMNIBUS_CONFIG", "ruby-pg", "gitlab"),
        (r"ConnectionParameters", "pgadmin", None),
        (r"airflow", "psycopg2", "airflow"),
        (r"PgConnection\.|PgConnectOptions\(\)\.set|vertx", "vertx", None),
    )
)
JAVASCRIPT = {"client": "knex", "dialect": "sequelize", "type": "typeorm"}
"""By what key each names its driver."""
PREFIXES = {
    "GF_DATABASE_": ("lib-pq", "grafana"),
    "HASURA_GRAPHQL_": ("libpq", "hasura"),
    "MB_DB_": ("pgjdbc", "metabase"),
    "AIRFLOW_CONN_": ("psycopg2", "airflow"),
    "DATA_SOURCE_": ("lib-pq", "postgres_exporter"),
    "KC_DB_": ("pgjdbc", "keycloak"),
    "DB_POSTGRESDB_": ("node-postgres", "n8n"),
}
"""Variables of programs that everybody calls the same."""
IMPORTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), driver)
    for pattern, driver in (
        (r"import io\.vertx\.(?:reactivex\.|rxjava3\.|kotlin\.)?(?:pgclient|sqlclient)", "vertx"),
        (r"import io\.r2dbc", "r2dbc"),
        (r"import (?:static )?(?:org\.postgresql|java\.sql|javax\.sql|com\.zaxxer)", "pgjdbc"),
        (r'"github\.com/jackc/pgx(?:/v\d)?(?:/\w+)?"', "pgx"),
        (r'"github\.com/lib/pq"', "lib-pq"),
        (r"""(?:from|require\()\s*["'](?:postgres|drizzle-orm/postgres-js)["']""", "postgres-js"),
        (r"""(?:from|require\()\s*["'](?:pg|pg-promise|pg-pool|knex|typeorm|sequelize|drizzle-orm/node-postgres)["']""", "node-postgres"),
    )
)
"""Whose objects a source file makes; they decide where one library alone is imported."""
KINDS = {
    "django.db.backends.postgresql": ("libpq", "django"),
    "django.db.backends.postgresql_psycopg2": ("psycopg2", "django"),
    "django.contrib.gis.db.backends.postgis": ("libpq", "django"),
    "org.postgresql.driver": ("pgjdbc", None),
    "io.debezium.connector.postgresql.postgresconnector": ("pgjdbc", "debezium"),
    "postgres_fdw": ("libpq", "postgres_fdw"),
    "pdo_pgsql": ("pdo", None),
    "pgsql": ("pdo", None),
}
DEBEZIUM = "io.debezium.connector.postgresql."
"""Says in the same file what reads the names that begin with ``database.``."""
NATIVE = re.compile(r"(^|/)doctrine[\w.-]*\.(?:ya?ml|xml|php)$")
"""Where ``pgsql`` is not PDO but Doctrine's driver on pg_connect(), which hands no root on."""
TOKIO = re.compile(r"postgres_(?:native_tls|openssl)|MakeRustlsConnect|tokio_postgres")
CONNECTOR = re.compile(r"danger_accept_|(?:add_)?root_certificate$")
"""What is said to the connector that tokio-postgres is handed; sqlx makes its own."""
PROGRAM = re.compile(r"\s*(?:\w+=\S+\s+)*(?:exec\s+)?(?:/\S*/)?(psql|pg_dump|pg_dumpall|pg_restore|pg_basebackup|vacuumdb|pgbench|reindexdb)\s")
CODE = ("python", "javascript", "typescript", "java", "kotlin", "go", "ruby", "php", "csharp", "rust", "scala")


def guess(finding: Finding, page: Page, labels: Sequence[str], named: Entry | None, entries: Sequence[Entry]) -> None:
    """Set the driver, and what wraps it, where the place itself tells; the project's manifests tell the rest later."""
    if any("sslaccept" in finding.settings or squeezed(e.name) == "sslaccept" for e in entries):
        finding.driver = "prisma"
        return
    if any("reactive" in e.name and "datasource" in e.name.lower() for e in entries):
        finding.driver, finding.wrapper = "vertx", "quarkus"
        return
    if page.language == "rust" and TOKIO.search(page.text.text) and any(CONNECTOR.match(e.name) for e in entries):
        finding.driver = "tokio-postgres"
        return
    kind, kind_name = (named.value, named.name) if named is not None else ("", "")
    for pattern, driver, wrapper in FORMS:
        if finding.form and pattern.search(finding.form):
            is_quarkus = "quarkus" in labels or any("quarkus." in e.name for e in entries)
            finding.driver, finding.wrapper = driver, wrapper or ("quarkus" if is_quarkus else _wrapper_of(finding.path))
            return
    known = KINDS.get(kind.strip().lower())
    if known and kind.strip() == "pgsql" and NATIVE.search(finding.path):
        finding.driver = "doctrine"
        return
    if known:
        finding.driver, finding.wrapper = known
        return
    is_script = page.language in ("javascript", "typescript") or (kind_name == "dialect" and finding.path.endswith(".json"))
    if is_script and kind_name in JAVASCRIPT and _names.leaning(kind) > 0:
        finding.driver, finding.wrapper = "node-postgres", JAVASCRIPT[kind_name]
        return
    imported = _imported(page.text.text[:20_000]) if page.language in CODE else ()
    if (told := _told(" ".join(labels[:4]))) is not None:
        finding.driver, finding.wrapper = told
        if page.language == "go" and finding.wrapper is None and len(imported) == 1:
            finding.driver = imported[0]  # `sql.Open` is every driver's
        return
    if len(imported) == 1:
        finding.driver = imported[0]
        return
    if any(squeezed(e.name) == "rejectunauthorized" for e in entries) and not page.language:
        finding.candidates = ("node-postgres", "postgres-js")
        return
    if DEBEZIUM in page.text.text and any(e.name.startswith("database.") for e in entries):
        finding.driver, finding.wrapper = "pgjdbc", "debezium"
        return
    if labels[:1] == ["pgbouncer"] and not page.language:
        finding.driver = "pgbouncer"
        return
    for prefix, (driver, wrapper) in PREFIXES.items():
        if any(e.name.startswith(prefix) for e in entries):
            finding.driver, finding.wrapper = driver, wrapper
            return
    program = next((m for e in entries if (m := PROGRAM.match(e.value))), None)
    if program is not None:
        finding.driver = "psql" if program[1] == "psql" else "libpq"
        return
    for pattern, driver, wrapper in FILES:
        if pattern.search(finding.path):
            finding.driver, finding.wrapper = driver, wrapper
            return
    if page.text.whole is None and page.language in CODE and (told := _told(page.text.text[:60_000])) is not None:
        finding.driver, finding.wrapper = told
        return
    if page.language == "sql" and finding.driver is None:
        finding.driver = "libpq"
    if any("servertls" in squeezed(e.name) for e in entries):
        finding.driver = "pgbouncer"


@lru_cache(maxsize=64)
def _told(text: str) -> tuple[str, str | None] | None:
    """The driver, and what wraps it, that the first telling word in a text speaks of; a file's text is asked for each finding."""
    return next(((driver, wrapper) for pattern, driver, wrapper in WORDS if pattern.search(text)), None)


@lru_cache(maxsize=16)
def _imported(head: str) -> tuple[str, ...]:
    """The drivers that the head of a source file imports."""
    return tuple(dict.fromkeys(driver for pattern, driver in IMPORTS if pattern.search(head)))


def _wrapper_of(path: str) -> str | None:
    return next((wrapper for pattern, _, wrapper in FILES if pattern.search(path)), None)
