"""
What a name says: is it a TLS mode, a root, a switch, a host? And do the words around it speak of PostgreSQL, or of a stranger?

Teams invent their own names (``DB_SSLMODE``, ``ORDERS_DATABASE_SSL_CA_PATH``), so a role is read from how a name ends, and a
role counts only where something nearby says PostgreSQL and nothing nearer says Redis.
"""

from __future__ import annotations

import re
from functools import lru_cache

LIBPQ_MODES = frozenset({"disable", "allow", "prefer", "require", "verify-ca", "verify-full"})
MODES = LIBPQ_MODES | {"no-verify", "verify_ca", "verify_full", "verifyfull", "verifyca", "tunnel", "noverify"}
STRANGE_MODES = frozenset({"preferred", "required", "verify_identity", "disabled", "skip-verify", "custom"})
YES = frozenset({"true", "1", "yes", "on", "enabled", "t", "y"})
NO = frozenset({"false", "0", "no", "off", "disabled", "f", "n", ""})

_ROLES: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (role, re.compile(pattern))
    for role, pattern in (
        ("mode", r"(^|.*[a-z])ssl_?mode$|^servertlssslmode$|.*tlsmode$|^tlssslmode$"),
        (
            "off",
            r".*(rejectunauthorized|trustservercertificate|trustall|trustallcertificates|insecureskipverify|sslaccept|sslskipverify|sslinsecure|allowinvalidcert\w*|acceptinvalidcerts?|sslnoverify|sslverify|verifyssl|sslverification|sslvalidate|checkhostname|verifymode|verifynone|dangeracceptinvalid\w+)$",
        ),
        ("pqopt", r"^pqopt$"),
        ("names", r"^hostnameverificationalgorithm$"),
        ("factory", r"^(sslfactory|sslfactoryarg|sslhostnameverifier|socketfactory|databasesslfactory|sslsocketfactory)$"),
        (
            "roots",
            r".*(sslrootcert|sslrootca|rootcertificate|sslrootcrt|sslrootcertfile|sslrootcertpath|pgsslroot|servertlscafile|pgrootcert)$"
            r"|.*ssl(ca|cacert|cafile|capath|cacertpath|cacertfile|cacerts|cabundle|cert(ificate)?authority|rootcertificate|trustedca|catrust|castring|cacertificate|capem|cabase64|certca)$"
            r"|.*(db|database|pg|postgres|postgresql|rds)(tls)?(ca|cacert|cafile|capath|cacertpath|cabundle|cabundlepath|cacertificate|rootca|rootcert|rootcrt|serverca|servercert|certpath|cacrt|capem)$"
            r"|^(ca|cacert|cafile|capath|cacertpath|cacerts|cacertificate|tlscafile|tlsca|tlscacert|.*trustcertificatepem(certs)?|cacertfile|rootca|rootcert|rootcrt|serverca|sslrootcertificate|servercertificate|pgtlsca|certpath|trustcertificates|rootcas)$",
        ),
        (
            "truststore",
            r".*(truststore|truststorefile|truststorepath|truststorelocation|trustcertificatekeystoreurl)$|.*ssltruststore$",
        ),
        (
            "switch",
            r"^(ssl|tls|usessl|sslenabled|enablessl|sslrequire|sslrequired|requiressl|ssltls|usetls|tlsenabled|enabletls)$"
            r"|.*(db|database|pg|postgres|postgresql|sql|rds)_?(use|enable|require|with)?(ssl|tls)(enabled|required|require|on|enable)?$"
            r"|.*sslenabled$|^ssl(on|active)$|^sslcontext$",
        ),
        (
            "host",
            r"^(host|hostname|server|pghost|hostaddr|endpoint)$|.*(db|database|pg|postgres|postgresql|sql)(host|hostname|endpoint|server)$",
        ),
        ("url", r"^(url|uri|dsn|jdbcurl|connectionstring|connectionurl|conninfo|databaseurl|dburl|connectionuri)$"),
        ("base", r"^(dbname|database|db|name|pgdatabase|initialcatalog)$|.*(db|database|postgres|pg)(name|database|db)$"),
        (
            "kind",
            r"^(adapter|dialect|engine|type|client|driver|driverclassname|driverclass|provider|dbtype|vendor|dbvendor|databasetype|kind|scheme|protocol|connectorclass|jdbcdriver|dbkind|backend)$|.*(db|database)(engine|type|driver|dialect|client|vendor|adapter|connection)$",
        ),
    )
)
MAKER = re.compile(
    r"\b(Pool|Client|Sequelize|DataSource|TypeOrm\w*|knex|create_(async_)?engine|create_pool|connect|createConnection|postgres|pgp|HikariConfig|HikariDataSource|PgConn\w*"
    r"|connection|connections|DATABASES|database|datasource)$",
)
"""Calls and sections that make a database's connection, where the file speaks of PostgreSQL."""
_SQUEEZE = re.compile(r"[\s_\-.:/]")

POSTGRES = re.compile(
    r"postgres|postgis|psycopg|asyncpg|pg8000|npgsql|pgjdbc|libpq|pgbouncer|pgpool|pgadmin|(?<![a-z])pg(?![a-z])|pgx|(?<![a-z])psql|rds\.force_ssl"
    r"|(?<![a-z])pgsql|jdbc:postgresql|timescale|cockroach|node-postgres|\bpg_|(?<![A-Za-z])PG[A-Z_]|PgPool|PgConnect|PgSsl|PGSimple|redshift|supabase|neon\.tech|\bpg\.|Pg[A-Z]|dj_database_url|config/(?:runtime|prod|dev|test|config)\.exs|\bEcto\b",
)
STRANGER = re.compile(
    r"redis|mysql|maria|kafka|mongo|elastic|opensearch|ldap|smtp|rabbit|amqp|clickhouse|cassandra|mssql|sqlserver|sql_server|sqlsrv|oracle|(?<![a-z])nginx"
    r"|keycloak\.ssl|saml|oauth|oidc|jwt|grpc|memcache|valkey|nats|mqtt|etcd|consul|vault|imap|pop3|ftp|solr|celery_broker|broker|sidekiq|zookeeper|schema.?registry"
    r"|my\.cnf|docdb|documentdb|dynamo|couch|neo4j|influx|prometheus|loki|sentry|webhook|ingress|apns|apple|android|firebase|wildcard|codesign",
    re.IGNORECASE,
)
DATABASE = re.compile(
    r"(?<![a-z])(db|database|databases|datasource|data-source|data_source|sql|connection|connections|pool|rds|aurora|datasources)(?![a-z])",
    re.IGNORECASE,
)


@lru_cache(maxsize=20_000)
def squeezed(name: str) -> str:
    return _SQUEEZE.sub("", name).lower()


@lru_cache(maxsize=20_000)
def role(name: str) -> str:
    """``mode``, ``roots``, ``switch``, ``off``, ``factory``, ``truststore``, ``host``, ``base``, ``kind`` or nothing."""
    last = name.rpartition(".")[2]
    for word in (squeezed(last), squeezed(name)):
        for found, pattern in _ROLES:
            if pattern.match(word):
                return found
    return ""


@lru_cache(maxsize=20_000)
def stem(name: str) -> str:
    """What is left of a variable's name without its role: ``ORDERS_DB_SSL_CA`` and ``ORDERS_DB_SSLMODE`` share ``ordersdb``."""
    head, dot, last = name.rpartition(".")
    word = re.sub(
        r"(_|-|^)(PG)?(USE_|ENABLE_|REQUIRE_)?(SSL|TLS|ROOT_?CA|CA_?CERT|CA_|CA$|REJECT|HOST|NAME|PORT|USER|PASS|URL|TRUST).*$",
        "",
        last,
        flags=re.IGNORECASE,
    )
    if last.upper().startswith("PG") and "_" not in last:
        word = "PG"
    return (head + dot + word).lower()


_OUR_STEMS = (
    "postgres",
    "postgis",
    "psycopg",
    "asyncpg",
    "pg8000",
    "npgsql",
    "pgjdbc",
    "libpq",
    "pgbouncer",
    "pgpool",
    "pgadmin",
    "pgx",
    "psql",
    "pgsql",
    "timescale",
    "cockroach",
    "redshift",
    "supabase",
    "neon.tech",
    "rds.force_ssl",
    "pg_",
    "pg.",
    "pgconn",
    "pgssl",
    "pghost",
    "pgservice",
    "pgclient",
    "pgprop",
    "pgsimple",
    "ecto",
    "'pg'",
    '"pg"',
    "/pg",
    "dj_database_url",
)
_THEIR_STEMS = (
    "redis",
    "mysql",
    "maria",
    "kafka",
    "mongo",
    "elastic",
    "opensearch",
    "ldap",
    "smtp",
    "rabbit",
    "amqp",
    "clickhouse",
    "cassandra",
    "mssql",
    "sqlserver",
    "sql_server",
    "sqlsrv",
    "oracle",
    "nginx",
    "saml",
    "oauth",
    "oidc",
    "jwt",
    "grpc",
    "memcache",
    "valkey",
    "mqtt",
    "etcd",
    "imap",
    "pop3",
    "celery_broker",
    "broker",
    "sidekiq",
    "zookeeper",
    "docdb",
    "documentdb",
    "dynamo",
    "couch",
    "neo4j",
    "influx",
    "webhook",
    "ingress",
    "apns",
    "firebase",
)


@lru_cache(maxsize=64)
def speaks(text: str) -> tuple[bool, bool]:
    """Does a whole text speak of PostgreSQL, and of strangers? By plain words only, since it is asked of every file."""
    lowered = text.lower()
    return any(stem in lowered for stem in _OUR_STEMS), any(stem in lowered for stem in _THEIR_STEMS)


@lru_cache(maxsize=20_000)
def leaning(text: str) -> int:
    """1 when *text* speaks of PostgreSQL, -1 when it speaks of something else, 0 when it says nothing."""
    if not text:
        return 0
    if POSTGRES.search(text) or POSTGRES.search(text.lower()):
        return 1
    return -1 if STRANGER.search(text) else 0


OWN_SWITCHES = frozenset(
    [
        "ssl",
        "tls",
        "usessl",
        "sslrequire",
        "requiressl",
        "rejectunauthorized",
        "trustservercertificate",
        "trustall",
        "insecureskipverify",
        "sslaccept",
        "verifymode",
        "checkhostname",
        "sslenabled",
        "enablessl",
        "verify",
        "sslverify",
        "pgssl",
        "dangeracceptinvalidcerts",
        "acceptinvalidcerts",
        "sslmode",
        "nodetlsrejectunauthorized",
        "require",
        "sslcontext",
        "pgrequiressl",
    ]
)


def is_own(name: str) -> bool:
    """Is a switch a driver's own option, and not a name that only the team's code knows?"""
    return squeezed(name.rpartition(".")[2]) in OWN_SWITCHES
