"""
Every rule that a finding can name: number, name, what happens, why, whom it concerns, how it is mended.

The text stands here once and becomes the page of ``reroot explain RR104``, the help in SARIF and the reference in the docs. A
number is never used for something else. RR0xx reading · RR1xx settings and what drivers make of them · RR2xx trust stores and
bundles · RR3xx clients and ownership · RR4xx servers and chains · RR5xx providers and infrastructure code · RR6xx plan and gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``level`` is ``error``, ``warning`` or ``note``; ``outcome`` what a rotation does where it holds, in words."""

    id: str
    name: str
    level: str
    outcome: str
    what: str
    why: str
    who: str = "every driver"
    fix: str = ""
    silence: str = ""

    @property
    def silencing(self) -> str:
        """The comment that hides this rule at one line; a gate still counts it."""
        return self.silence or f"reroot: ignore {self.id} until 2027-01-31 reason=…"


_ALL = (
    # ── reading ──
    Rule(
        "RR001",
        "bad-ignore",
        "warning",
        "nothing is hidden",
        "An inline ignore does not hold, so the finding is shown.",
        "An ignore needs a reason and an end date, or nobody will ever look at it again.",
        fix="Write `reroot: ignore RRnnn until DATE reason=…`.",
    ),
    Rule(
        "RR002",
        "not-read",
        "warning",
        "unknown",
        "A file could not be read in full.",
        "What was not read may hold a setting that breaks.",
        fix="Make the file readable, or exclude it knowingly with `--exclude`.",
    ),
    # ── settings ──
    Rule(
        "RR101",
        "verifies-named-roots",
        "error",
        "breaks unless the roots named here hold the next root",
        "The client verifies its server against the roots named here.",
        "A root that is not in that trust store is not trusted: the client stops the moment a server presents it.",
        fix="Add the next root to the trust store and keep the old one: `reroot trust add FILE --root NEXT`.",
    ),
    Rule(
        "RR102",
        "verifies-default-roots",
        "error",
        "breaks unless the default trust store holds the next root",
        "The client verifies its server, and no root is named: the driver's default trust store decides.",
        "Each driver has its own default: a file in the home folder, the system's bundle, the Java runtime's cacerts, Node's built-in roots.",
        fix="Name the trust store in the settings, then add the next root to it.",
    ),
    Rule(
        "RR103",
        "root-file-switches-verification-on",
        "error",
        "breaks unless the root file holds the next root",
        "`require` with a root file verifies the chain.",
        "libpq, pgx and lib/pq verify in `require` as soon as a root file is there; pgJDBC, sqlx and Npgsql do not.",
        who="libpq and what wraps it, pgx, lib/pq 1.12, asyncpg",
        fix="Add the next root to that file, or say `verify-full` and mean it.",
    ),
    Rule(
        "RR104",
        "silent-plaintext-fallback",
        "error",
        "loses TLS without a word",
        "The client connects, without error, in plaintext.",
        "libpq's default `sslmode` is `prefer`. With a root file present libpq verifies against it; when that fails, `prefer` tries again without TLS.",
        who="libpq and what wraps it: psql, psycopg, psycopg2, ruby-pg, PHP, DBD::Pg; lib/pq 1.12. Not pgJDBC, node-postgres, asyncpg",
        fix="Add the next root to that file; better, say `sslmode=verify-full`.",
    ),
    Rule(
        "RR105",
        "default-root-file",
        "error",
        "breaks or loses TLS unless the file holds the next root",
        "`~/.postgresql/root.crt` is put in place here.",
        "libpq reads it without being asked: its mere presence turns verification on in `require` and in `prefer`, where distrust means plaintext.",
        who="libpq and what wraps it, pgx, pgJDBC in verify modes, Npgsql",
        fix="Add the next root to the file that is copied there.",
    ),
    Rule(
        "RR106",
        "system-roots",
        "warning",
        "breaks unless the system's trust store holds the next root",
        "`sslrootcert=system`: the operating system's trust store decides.",
        "Amazon RDS and private authorities are in no public trust store, so this cannot verify them; before libpq 16 it is a file named `system`.",
        who="libpq 16 and later, pgx 5.7 and later, lib/pq 1.12",
        fix="Name a bundle that holds the server's root.",
    ),
    Rule(
        "RR107",
        "mode-means-something-else",
        "error",
        "not what was written",
        "This driver does not understand the option as it is written.",
        "The same word means different things to different drivers: some ignore it, some refuse it, some take it for something weaker.",
        fix="Use the driver's own spelling; `reroot explain DSN --driver NAME` shows what it makes of it.",
    ),
    Rule(
        "RR110",
        "not-verifying",
        "warning",
        "survives, because it checks nothing",
        "The connection is encrypted, and nobody checks who is at the other end.",
        "Whoever can stand in between can read everything, and no rotation will ever be noticed.",
        fix="Say `verify-full` and name the roots.",
    ),
    Rule(
        "RR111",
        "verification-switched-off",
        "warning",
        "survives, because it checks nothing",
        "Verification is switched off in so many words.",
        "`rejectUnauthorized: false`, NonValidatingFactory, trust-all and their like accept any certificate.",
        fix="Take the switch out and give the driver the right roots.",
    ),
    Rule(
        "RR112",
        "verification-off-for-the-process",
        "error",
        "survives, because it checks nothing",
        "Verification is switched off for the whole process.",
        "`NODE_TLS_REJECT_UNAUTHORIZED=0` holds for every TLS connection of the program, not only for the database.",
        who="Node.js",
        fix="Take it out; add the roots with `NODE_EXTRA_CA_CERTS` or `ssl.ca`.",
    ),
    Rule(
        "RR113",
        "plaintext",
        "warning",
        "survives; there is no TLS to lose",
        "The connection is made without TLS.",
        "`disable` never asks for TLS; a server that demands it will refuse the client.",
        fix="Say `verify-full` and name the roots.",
    ),
    Rule(
        "RR114",
        "opportunistic-tls",
        "warning",
        "survives",
        "TLS is used when the server offers it, and nothing is checked.",
        "`prefer` and `allow` accept plaintext and any certificate, unless a root file is present.",
        fix="Say `verify-full` and name the roots.",
    ),
    Rule(
        "RR115",
        "process-wide-roots",
        "error",
        "breaks unless that trust store holds the next root",
        "A trust store for the whole process is named here.",
        "`NODE_EXTRA_CA_CERTS`, `javax.net.ssl.trustStore` and `SSL_CERT_FILE` are read once, when the program starts.",
        fix="Add the next root to that store and restart the program before a server presents it.",
    ),
    Rule(
        "RR116",
        "pinned-by-factory",
        "error",
        "breaks",
        "One certificate is the only trust anchor.",
        "SingleCertValidatingFactory trusts exactly the certificate it is given: a re-issued leaf or another root is refused.",
        who="pgJDBC",
        fix="Use LibPQFactory with `sslrootcert` and a bundle of both roots.",
    ),
    Rule(
        "RR120",
        "left-to-the-driver",
        "note",
        "depends on the driver's default",
        "No TLS option is written: the driver's default decides.",
        "Defaults range from no TLS at all to full verification.",
        fix="Write the mode down: `sslmode=verify-full` and the roots.",
    ),
    Rule(
        "RR121",
        "address-from-elsewhere",
        "note",
        "as the variable says",
        "A connection is made from a variable, and no TLS option is written beside it.",
        "Whoever sets the variable decides about TLS, in its query string; where it says nothing, the driver's default holds.",
        fix="Look at the places named; write the mode into the address.",
    ),
    Rule(
        "RR130",
        "decided-elsewhere",
        "warning",
        "unknown until the variable is known",
        "What happens here is decided by a variable or by code.",
        "The text alone cannot tell the mode or the roots.",
        fix="Look at the places named, or rehearse the client: `reroot rehearse`.",
    ),
    # ── trust stores ──
    Rule(
        "RR201",
        "store-not-found",
        "warning",
        "unknown",
        "A trust store is named here and was not found in what was scanned.",
        "It may be mounted, downloaded or built into an image; what it holds is not known.",
        fix="Scan the image, or `reroot trust show FILE` where it runs.",
    ),
    Rule(
        "RR202",
        "bundle-lacks-next-root",
        "error",
        "breaks",
        "The trust store does not hold the next root.",
        "A client that verifies against it will refuse the server.",
        fix="`reroot trust add FILE --root NEXT`: keeps the old roots.",
    ),
    Rule(
        "RR203",
        "expired-root",
        "warning",
        "breaks or is dead weight",
        "The trust store holds a root that has expired.",
        "An expired root verifies nothing; a store with nothing else is out of date.",
        fix="Add the current roots.",
    ),
    Rule(
        "RR204",
        "frozen-bundle-address",
        "error",
        "breaks",
        "The address of this bundle stopped being updated.",
        "`s3.amazonaws.com/rds-downloads` still answers, with the roots of 2020: the bundle lacks every root that came later.",
        fix="Use `https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem`.",
    ),
    Rule(
        "RR205",
        "bundle-downloaded",
        "warning",
        "depends on when it was downloaded",
        "A bundle of roots is downloaded here.",
        "What an image or a machine holds is what the address gave on the day it was built.",
        fix="Pin the content by its hash, and rebuild before the rotation.",
    ),
    Rule(
        "RR206",
        "mount-never-updates",
        "warning",
        "breaks until the pod is replaced",
        "The trust store is mounted by `subPath`.",
        "Kubernetes never updates such a mount in a running pod.",
        fix="Mount the folder, or restart the pods after the ConfigMap changes.",
    ),
    Rule(
        "RR207",
        "orphan-store",
        "note",
        "nothing",
        "A trust store that nothing seen refers to.",
        "It may be used by a path that only the running program knows, or by nobody.",
        fix="Find its reader, or take it away.",
    ),
    Rule(
        "RR208",
        "pinned-leaf",
        "error",
        "breaks at the next re-issue",
        "A server's own certificate is used as a trust anchor.",
        "Every renewal of the server's certificate breaks this client, rotation or not.",
        fix="Trust the root, not the leaf.",
    ),
    Rule(
        "RR209",
        "pinned-intermediate",
        "warning",
        "breaks with most stacks",
        "An intermediate certificate stands in the trust store.",
        "OpenSSL wants a self-signed root unless partial chains are allowed; Java and Go accept an intermediate.",
        fix="Trust the root.",
    ),
    Rule(
        "RR210",
        "vendored-bundle",
        "warning",
        "breaks unless the package is updated",
        "A dependency carries its own bundle of database roots.",
        "It changes only when the package does.",
        fix="Update the package, or give the driver a bundle of your own.",
    ),
    Rule(
        "RR211",
        "trust-store",
        "warning",
        "depends on its readers",
        "A trust store for PostgreSQL servers.",
        "Clients that read it trust what it holds, and nothing else.",
        fix="Add the next root and keep the old one: `reroot trust add FILE --root NEXT`.",
    ),
    Rule(
        "RR212",
        "imports-first-only",
        "error",
        "breaks",
        "`keytool -importcert` imports the first certificate of a file only.",
        "A bundle has many; the others are dropped without a word.",
        who="Java",
        fix="`reroot trust add STORE --root NEXT`, which counts what goes in and out.",
    ),
    Rule(
        "RR213",
        "system-store-changed",
        "warning",
        "depends on what is put in",
        "A root is put into the system's trust store.",
        "Clients that use the system's store trust it; libpq does not look there unless told to.",
        fix="Add the next root to the same step.",
    ),
    Rule(
        "RR214",
        "trust-store-reference",
        "warning",
        "breaks unless it holds the next root",
        "A trust store is named here.",
        "Whoever verifies against it trusts what it holds, and nothing else.",
        fix="Add the next root to it and keep the old one.",
    ),
    Rule(
        "RR215",
        "store-copied",
        "warning",
        "depends on what it holds",
        "A trust store is put in place here.",
        "The clients that read it see the next root only after this step ran again.",
        fix="Update the source, then build or roll out again.",
    ),
    # ── clients in commands ──
    Rule(
        "RR301",
        "command-line-client",
        "note",
        "as libpq's defaults decide",
        "A PostgreSQL program is called here with libpq's defaults.",
        "psql, pg_dump and their like follow PG* variables, service files and `~/.postgresql/root.crt` of whoever runs them.",
        who="libpq",
        fix="Say what you mean: `PGSSLMODE=verify-full` and `PGSSLROOTCERT`.",
    ),
    # ── infrastructure ──
    Rule(
        "RR501",
        "ca-identifier-literal",
        "error",
        "the next apply reverts the rotation",
        "The certificate authority of a database is written down here.",
        "After a rotation elsewhere, the next apply or deploy sets this one again.",
        fix="Change the literal in the same wave as the server.",
    ),
    Rule(
        "RR502",
        "ca-identifier-by-variable",
        "warning",
        "follows the variable",
        "The certificate authority of a database comes from a variable.",
        "Each environment may set another; the default holds where none is set.",
        fix="Set the variable in the same wave as the server.",
    ),
    Rule(
        "RR503",
        "ca-identifier-absent",
        "note",
        "follows the provider's default",
        "A database instance names no certificate authority.",
        "New instances get the account's default, which changes without notice here.",
        fix="Set `ca_cert_identifier` on purpose.",
    ),
    Rule(
        "RR504",
        "tls-forced",
        "warning",
        "clients that fall back to plaintext are refused instead",
        "The server refuses connections without TLS.",
        "With `rds.force_ssl=1` (the default since PostgreSQL 15 on RDS) losing TLS means losing the connection.",
        fix="Nothing to do; know it before the wave.",
    ),
    Rule(
        "RR505",
        "tls-not-forced",
        "warning",
        "clients may lose TLS without a word",
        "The server accepts connections without TLS.",
        "A client that falls back to plaintext will do so unseen.",
        fix="Set `rds.force_ssl = 1` once every client uses TLS.",
    ),
    Rule(
        "RR506",
        "account-default-ca",
        "warning",
        "new instances follow it",
        "The default certificate authority for new instances is set here.",
        "Restores and replicas are born with it.",
        fix="Change it when the rotation begins.",
    ),
)

RULES: Mapping[str, Rule] = MappingProxyType({rule.id: rule for rule in _ALL})
"""Every rule by its number."""

BY_NAME: Mapping[str, Rule] = MappingProxyType({rule.name: rule for rule in _ALL})
"""Every rule by its name; drivers use the names as the codes of their reasons where one fits."""
