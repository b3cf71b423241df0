"""
Databases are clients too: where a watched server itself connects to, and with which TLS settings.

A standby follows its primary, a subscription its publisher, ``postgres_fdw`` and ``dblink`` another database. Foreign servers and
their user mappings belong to a database each: those of the others are read over one short connection to each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

    ``kind`` is ``standby``, ``subscription``, ``foreign-server`` or ``user-mapping`` (as whom a role uses a foreign server: its options
    go before those of the server). ``database`` is where the last two are. What cannot be read has a ``why``.
    """

    server: str
    kind: str
    name: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    database: str = ""


EVERYWHERE = {
    "standby": """
select coalesce(slot_name, 'primary'), conninfo, null from pg_stat_wal_receiver where conninfo is not null
 union all
select 'primary_conninfo', current_setting('primary_conninfo', true), null
 where pg_is_in_recovery() and current_setting('primary_conninfo', true) <> ''
   and not exists (select from pg_stat_wal_receiver where conninfo is not null)
""",
    "subscription": "select subname, subconninfo, null from pg_subscription",
}
"""What holds for the whole server. A standby that is not connected just now still says in its settings where it would be."""

LENT = """
select not has_column_privilege('pg_subscription', 'subconninfo', 'select') and exists (
  select from pg_proc p join pg_roles r on r.oid = p.proowner
   where p.oid = to_regprocedure('reroot.subscriptions()') and r.rolsuper)
"""
"""Whether to ask the function that ``reroot emit sql-role`` makes: who may read the passwords of subscriptions needs none, and nobody
calls a function that is not the superuser's."""
SUBSCRIPTIONS = "select name, settings, null from reroot.subscriptions()"

IN_A_DATABASE = {
    "foreign-server": """
select s.srvname, s.srvoptions, null from pg_foreign_server s join pg_foreign_data_wrapper w on w.oid = s.srvfdw
 where w.fdwname in ('postgres_fdw', 'dblink_fdw')
""",
    "user-mapping": """
select m.usename || '@' || m.srvname, m.umoptions,
       case when m.umoptions is null then 'its options are shown only to the owner of the foreign server' end
  from pg_user_mappings m join pg_foreign_server s on s.oid = m.srvid join pg_foreign_data_wrapper w on w.oid = s.srvfdw
 where w.fdwname in ('postgres_fdw', 'dblink_fdw')
""",
}

THEIR_OWN = ("rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys", "alloydbadmin")
"""Databases of the provider's, which let nobody else in."""
MOST_DATABASES = 200


def outgoing(backend: Backend) -> list[Outgoing]:
    """What this server connects to, as far as our own database tells; a missing right is one entry that says so."""
    everywhere = EVERYWHERE | {"subscription": SUBSCRIPTIONS} if _is_lent(backend) else EVERYWHERE
    return [*_asked(backend, everywhere), *_asked(backend, IN_A_DATABASE, backend.connection.info.dbname)]


def _is_lent(backend: Backend) -> bool:
    try:
        return bool(backend.ask(LENT)[0][0])
    except ReachError:
        if backend.connection.closed:
            raise
        return False  # a schema of this name that is not for us


def elsewhere(backend: Backend, timeout: float = 10.0) -> Iterator[Outgoing]:
    """Foreign servers and user mappings of the other databases; one that cannot be looked into is one entry that says so."""
    others = "select datname from pg_database where datallowconn and datname <> current_database() and datname <> all(%s) order by 1"
    names = [str(name) for (name,) in backend.ask(others, ([*THEIR_OWN, "template1"],))]
    for name in names[:MOST_DATABASES]:
        try:
            other = backend.beside(name, timeout=timeout)
        except ReachError as error:
            yield Outgoing(backend.source.name, "foreign-server", why=error.message, database=name)
            continue
        try:
            yield from _asked(other, IN_A_DATABASE, name)
        except ReachError as error:
            yield Outgoing(backend.source.name, "foreign-server", why=error.message, database=name)
        finally:
            other.close()
    if len(names) > MOST_DATABASES:
        left = len(names) - MOST_DATABASES
        why = f"{left} more {'database was' if left == 1 else 'databases were'} not looked into"
        yield Outgoing(backend.source.name, "foreign-server", why=why)


def _asked(backend: Backend, queries: Mapping[str, str], database: str = "") -> list[Outgoing]:
    found, server = [], backend.source.name
    for kind, query in queries.items():
        try:
            rows = backend.ask(query)
        except ReachError as error:
            if backend.connection.closed:
                raise
            found.append(Outgoing(server, kind, why=error.message, database=database))
            continue
        found += [Outgoing(server, kind, name, _settings(given), why or "", database) for name, given, why in rows]
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
