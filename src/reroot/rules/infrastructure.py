"""RR5xx: providers, and code that describes infrastructure."""

from __future__ import annotations

from ._rule import Rule

FAMILY = (
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
        "A database names no certificate authority.",
        "New instances get the account's default, which changes without notice here.",
        fix="Set `ca_cert_identifier` on purpose. CloudFormation has no such property for a cluster: set the account's default with "
        "`reroot default-ca`.",
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
    Rule(
        "RR507",
        "ca-identifier-misplaced",
        "warning",
        "reaches no server",
        "A certificate authority is named where CloudFormation has no property for it.",
        "`AWS::RDS::DBCluster` has none, by its schema: the template is refused or the name ignored, and no server gets this authority.",
        fix="Take it out. Aurora: name it on each `AWS::RDS::DBInstance`. A Multi-AZ cluster: set the account's default with "
        "`reroot default-ca`.",
    ),
)
