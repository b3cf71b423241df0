"""
Databases are clients too: where a watched server itself connects to, and with which TLS settings.

A standby follows its primary, a subscription its publisher, ``postgres_fdw`` and ``dblink`` another database. Foreign servers and
their options are those of the one database that we are connected to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..errors import ReachError
from ._backend import Backend

SHOWN = frozenset(
    {
        "host", "hostaddr", "port", "dbname", "user", "sslmode", "sslnegotiation", "sslrootcert", "sslcert", "sslcrl", "sslcrldir",
        "ssl_min_protocol_version", "ssl_max_protocol_version", "gssencmode", "channel_binding", "require_auth", "service",
        "target_session_attrs",
    }
)  # fmt: skip
"""The settings that are taken over. All others, with them every secret, are left where they are."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One thing of a server that connects elsewhere, with the libpq settings that say where and how.

    ``kind`` is ``standby``, ``subscription`` or ``foreign-server``. When it cannot be read, ``name`` is empty and ``why`` says why.
    """

    server: str
    kind: str
    name: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


QUERIES = {
    "standby": "select coalesce(slot_name, 'primary'), conninfo from pg_stat_wal_receiver where conninfo is not null",
    "subscription": "select subname, subconninfo from pg_subscription",
    "foreign-server": """
select s.srvname, s.srvoptions from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw
 where w.fdwname in ('postgres_fdw', 'dblink_fdw')
""",
}


def outgoing(backend: Backend) -> list[Outgoing]:
    """What this server connects to; a missing right is one entry that says so."""
    found = []
    for kind, query in QUERIES.items():
        try:
            found += [Outgoing(backend.source.name, kind, name, _settings(given)) for name, given in backend.ask(query)]
        except ReachError as error:
            if backend.connection.closed:
                raise
            found.append(Outgoing(backend.source.name, kind, why=error.message))
    return found


def _settings(given: str | list[str] | None) -> Mapping[str, str]:
    """libpq's own reading of a connection string, or the ``name=value`` words of a foreign server's options."""
    import psycopg

    if isinstance(given, str):
        try:
            pairs = {key: str(value) for key, value in psycopg.conninfo.conninfo_to_dict(given).items()}
        except psycopg.Error:
            pairs = {}
    else:
        pairs = dict(word.partition("=")[::2] for word in given or ())
    return MappingProxyType({key: value for key, value in sorted(pairs.items()) if key in SHOWN})
