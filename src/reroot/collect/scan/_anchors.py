"""Where source code is worth a look: the telling words, and a fast way to the lines that can hold one."""

from __future__ import annotations

import re

ANCHOR = re.compile(
    r"""ssl[_\- ]?mode|sslrootcert|rejectUnauthorized|postgres(?:ql)?(?:\+\w{1,20})?://|postgis://|jdbc:(?:\w{1,20}:)?postgresql|r2dbcs?:(?:pool:)?postgresql
    |["']?\b(?:ssl|tls|dialectOptions|sslOptions|connect_args|ssl_context|sslContext|tlsConfig|TLSConfig)\b["']?\s{0,5}(?:[:=(]|=>)
    |\bdbname=|\bdatabase=|PGSSL|PGHOST|pgsql:|dbi:Pg|ssl[_-]?(?:root|ca)\w{0,30}|root_?ca\b|ca_?cert\w{0,30}|ca_?file
    |psycopg\w{0,30}\.\w{0,30}connect|ConnectionPool\(|create_(?:async_)?engine|create_pool|asyncpg\.connect|pg8000\.\w{0,30}connect|aiopg\.
    |\bnew\s{1,5}(?:pg\.)?(?:Pool|Client|Sequelize|DataSource|PrismaPg|Connection)\(|createConnection|\bknex\(|postgres\(|pgp\(|TypeOrmModule|createPool\(
    |sql\.Open|sqlx\.\w{0,30}(?:Connect|Open)|pgx\w{0,30}\.\w{0,30}(?:Connect|New|ParseConfig)|pq\.\w{1,30}|postgres\.(?:Open|New)|gorm\.Open
    |PG(?:\.|::)\w{0,30}[cC]onn|Sequel\.|establish_connection|pg_p?connect|new\s{1,5}\\?PDO|django\.db\.backends|dj_database_url|DriverManager\.getConnection|PGSimpleDataSource
    |NpgsqlConnection|UseNpgsql|SslMode|PgConnectOptions|PgPoolOptions|PgSslMode|tokio_postgres|SslConnector|TlsConnector|setSsl|\.sslMode|\.sslRootCert|PGProperty
    |rds-ca|rds_ca|global-bundle|rds-combined|BEGIN\ CERT|trustStore|NonValidating|SingleCert|caCertificate|CaCertificate|CACertificateIdentifier|ca_cert_identifier
    |sslfactory|sslhostnameverifier|["']ssl["']\s{0,3},|ssl_require\b|rds\.force_ssl|DATABASE_URL|DB_URL|DB_SSL\w{0,30}|DATABASE_SSL\w{0,30}|\w{1,30}_SSLMODE|InsecureSkipVerify|create_default_context|_create_unverified|SSLContext\(|CERT_(?:NONE|REQUIRED|OPTIONAL)|check_hostname|load_verify|verify_none|NODE_TLS_REJECT|NODE_EXTRA_CA
    |trustServerCertificate|Trust\ Server|root\.crt|ssl_opts|verify_peer|trustAll|PgClient|PgPool|PgConnection
    |\b(?:psql|pg_dump|pg_restore|pg_basebackup)\s|CertificateValidationCallback
    |(?:type|dialect|client|driver|adapter|provider|ENGINE)["']?\s{0,5}(?:[:=]|=>)\s{0,5}["'](?:pg|postgres|postgresql|pgsql|django\.db)
    """,
    re.VERBOSE | re.IGNORECASE,
)
MAX_NESTING = 400
_BRACKET = re.compile(r"[()\[\]{}]")
STEMS = tuple(
    "ssl tls postgres postgis psycopg pg8000 asyncpg aiopg pgx pgp pq. pgsql pghost pgpool pgclient pgconn pgprop pgsimple pg. pg: dbname= database= jdbc: r2dbc dbi:pg"
    " root_ca rootca root.cr ca_cert cacert ca_file cafile connectionpool create_engine create_async create_pool createpool createconnection knex( sql.open gorm.open"
    " sequel. sequelize establish_conn pdo drivermanager npgsql pool( client( datasource( prismapg connection( typeormmodule connector django.db dj_database"
    " rds-ca rds_ca rds-comb rds.force global-bundle begin?cert truststore nonvalid singlecert cert_none cert_required cert_optional check_hostname load_verify verify_none verify_peer database_url psql pg_dump pg_restore pg_basebackup certificatevalidation"
    " db_url db_ssl insecureskip node_tls node_extra trustserver trust?server trustall \"pg\" 'pg'".replace("?", "\0").split()
)
STEMS = tuple(stem.replace("\0", " ") for stem in STEMS)
"""One of these stands, in any case, in whatever ANCHOR matches: a plain search is a hundred times faster than the pattern."""


def nesting(text: str) -> int:
    """How deep brackets nest, roughly: strings and comments count like code."""
    depth = most = 0
    for match in _BRACKET.finditer(text):
        depth = depth + 1 if match[0] in "([{" else max(0, depth - 1)
        most = max(most, depth)
    return most


def anchors(text: str) -> list[int]:
    """Where the telling words stand: the pattern is tried on the lines that can hold one, and on no others."""
    lowered = text.lower()
    if len(lowered) != len(text):
        return [match.start() for match in ANCHOR.finditer(text)]
    lines: set[int] = set()
    for stem in STEMS:
        at = lowered.find(stem)
        while at >= 0:
            lines.add(lowered.rfind("\n", 0, at) + 1)
            end = lowered.find("\n", at)
            at = lowered.find(stem, end) if end >= 0 else -1
    spots: list[int] = []
    for start in sorted(lines):
        end = lowered.find("\n", start)
        spots += [match.start() for match in ANCHOR.finditer(text, start, len(text) if end < 0 else end)]
    return spots
