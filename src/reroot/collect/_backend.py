"""
One connection to one watched server: what is asked of it, and how little it costs it.

``pg_stat_ssl`` and ``pg_stat_activity`` are two calls of one function joined again by pid. Here it is called once and grouped on
the server, and the names of databases and users are looked up once and kept. Between two such looks a glance is enough: the start of
each session is read without that function, which goes through all processes for each of them, and only who is new is asked who it is
(``bench/sessions.py`` compares the three).
Source: ``src/backend/utils/adt/pgstatfuncs.c``, PostgreSQL 11 to 18.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any

from ..errors import ReachError, RerootError
from ._fold import LOCAL, How, Identity, Sample, Session
from ._source import Source

if TYPE_CHECKING:
    import psycopg
    from psycopg.adapt import Loader

AUTHENTICATION = timedelta(seconds=60)
"""After this a session that has begun is visible at the latest (``authentication_timeout``'s default)."""

SETTINGS = {
    "application_name": "reroot observe",
    "statement_timeout": "2s",
    "lock_timeout": "1s",
    "idle_session_timeout": "0",
    "default_transaction_read_only": "on",
    "enable_sort": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
    "DateStyle": "ISO",
    "TimeZone": "UTC",
}
"""Set on our own session. ``idle_session_timeout`` is for servers that would end it between two samples; without sorting the
planner groups by hash, which it would not on its own, since it takes the function for one that returns few rows; a look is planned
once."""

SET = """
select set_config(s.name, w.value, false)
  from unnest(%s::text[], %s::text[]) w(name, value) join pg_settings s on s.name = w.name collate "C"
 union all
select set_config('client_encoding', case e when 'SQL_ASCII' then e else 'UTF8' end, false)
  from current_setting('server_encoding') e
"""
"""Settings that the server does not know are left alone."""

PATIENCE: dict[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "tcp_user_timeout": 10_000}
"""A network that swallows everything is noticed after about ten seconds."""

START = "select statement_timestamp() - interval '60 s', pg_postmaster_start_time()"
"""Two servers that take each other's place did not start in the same microsecond."""

CLIENTS = frozenset({"client backend", "walsender"})
"""``backend_type`` of the sessions that somebody connected for; the others are the server's own workers."""

# gss_enc came with PostgreSQL 12; everything else is there since 11. Background processes have no user, and sessions that our role
# may not see have no backend_type. Comparing that text on the server would cost it a sixth of the whole look.
LOOK = """
select s.datid, s.usesysid, s.application_name, host(s.client_addr), s.client_port < 0, s.sslversion, s.sslcipher, {gss},
       s.backend_type, count(*), min(s.backend_start), max(s.backend_start),
       array_agg(s.pid) filter (where s.backend_start > %(since)s), statement_timestamp()
  from {source}
 where s.usesysid is not null and s.pid <> pg_backend_pid()
 group by s.datid, s.usesysid, s.application_name, s.client_addr, s.client_port < 0, s.sslversion, s.sslcipher, {gss},
          s.backend_type
"""
EVERYBODY = "pg_stat_get_activity(null) s"
WHO_IS_NEW = """
       (select pg_stat_get_backend_pid(i) as pid from pg_stat_get_backend_idset() i
         where pg_stat_get_backend_start(i) > %(since)s and pg_stat_get_backend_pid(i) <> all(%(known)s)) b,
       pg_stat_get_activity(b.pid) s"""

IN_FULL = timedelta(seconds=50)
"""Seconds after which all sessions are asked who they are: a session may change its name, and then it is another identity."""
MANY_NEW = 100
"""Sessions of the last minute, from which on a glance would not cost much less than a look at all."""

Recent = dict[tuple[Identity, How], frozenset[int]]
"""Processes of the sessions that began around the last look, by what they are counted as."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Which sessions were counted before this connection, of a server that was ``started`` then: those seen at ``last``."""

    started: datetime
    last: datetime
    recent: Mapping[tuple[Identity, How], frozenset[int]] = field(default_factory=dict)


class Backend:
    """One open connection to a watched server. Every method raises ``ReachError`` when the server does not answer."""

    def __init__(self, source: Source, counted: Counted | None = None, *, timeout: float = 10.0) -> None:
        import psycopg

        self.source = source
        self.names: dict[str, dict[int, str]] = {"pg_database": {}, "pg_roles": {}}
        self.recent: Recent = {}
        self.last: datetime | None = None
        try:
            dsn = source.renewed().reveal()
        except RerootError as error:
            raise ReachError(error.message, where=source.name, hint=error.hint) from None
        try:
            self.connection: psycopg.Connection[tuple[Any, ...]] = psycopg.connect(
                dsn,
                autocommit=True,
                prepare_threshold=0,
                connect_timeout=max(2, int(timeout)),
                # From the start, so that the server's log knows us as well.
                application_name=SETTINGS["application_name"],
                **PATIENCE,
            )
            self.version = self.connection.info.server_version
            for kind in ("text", "name"):
                self.connection.adapters.register_loader(kind, _text_loader())
            self.connection.execute(SET, (list(SETTINGS), list(SETTINGS.values())), prepare=False)
        except psycopg.Error as error:
            raise self.unreachable(error) from None
        # Sessions that began before this are old at the first look; a minute more than at later ones, so that none falls between.
        self.began: datetime
        self.started: datetime
        self.began, self.started = self.ask(START)[0]
        if counted is not None and counted.started == self.started:
            self.recent, self.last = dict(counted.recent), counted.last
        gss = "s.gss_enc" if self.version >= 120000 else "false"
        self.query, self.glance = (LOOK.format(source=source, gss=gss) for source in (EVERYBODY, WHO_IS_NEW))
        self.full_at: datetime | None = None
        self.clock: tuple[datetime, float] | None = None

    def close(self) -> None:
        self.connection.close()

    @property
    def counted(self) -> Counted | None:
        """What the next connection to this server need not count again."""
        return Counted(self.started, self.last, self.recent) if self.last is not None else None

    def unreachable(self, error: Exception) -> ReachError:
        text = self.source.without_password(str(error)).removeprefix("connection failed: ")
        return ReachError(text or type(error).__name__, where=self.source.name, hint=_hint(error, text))

    def ask(self, query: str, parameters: Sequence[object] | Mapping[str, object] = (), *, prepare: bool = False) -> list[tuple[Any, ...]]:
        import psycopg

        try:
            return self.connection.execute(query, parameters, prepare=prepare, binary=True).fetchall()
        except psycopg.Error as error:
            raise self.unreachable(error) from None

    def beside(self, database: str, *, timeout: float = 10.0) -> Backend:
        """Another connection, to another database of the same server."""
        import psycopg

        dsn = psycopg.conninfo.make_conninfo(self.source.renewed().reveal(), dbname=database)
        return Backend(Source(dsn, self.source.name), timeout=timeout)

    def sample(self, *, full: bool = False) -> Sample:
        """Who is connected now; or, unless *full*, within a minute of such a look only who is new since the last."""
        is_first = self.last is None
        since = (self.last or self.began) - AUTHENTICATION
        at: datetime | None = None
        known = [pid for pids in self.recent.values() for pid in pids]
        is_full = full or self.full_at is None or self.last is None or self.last - self.full_at >= IN_FULL or len(known) > MANY_NEW
        rows = self.ask(self.query if is_full else self.glance, {"since": since, "known": known}, prepare=True)
        seen, recent, hidden = [], {} if is_full else dict(self.recent), 0
        for database, user, application, address, is_local, protocol, cipher, gss, kind, n, oldest, newest, fresh, when in rows:
            at = when
            if kind is None:
                hidden += n
                continue
            if kind not in CLIENTS:
                continue
            identity = Identity(
                self.source.name,
                self.name("pg_database", database),
                self.name("pg_roles", user),
                application or "",
                LOCAL if is_local else address or "",
                kind,
            )
            how = How(protocol or "", cipher or "", bool(gss))
            pids, before = frozenset(fresh or ()), self.recent.get((identity, how), frozenset())
            recent[identity, how] = pids if is_full else before | pids
            begun = n if is_first else len(pids - before)
            seen.append(Session(identity, how, n, begun, oldest, newest))
        at = at or self._now(is_full)
        self.recent, self.last = recent, at
        self.full_at = at if is_full else self.full_at
        if rows:
            self.clock = at, monotonic()
        return Sample(self.source.name, at, tuple(seen), hidden, self.started, is_full)

    def _now(self, must_ask: bool) -> datetime:
        """The server's time, where nobody came who told it: asked, or reckoned from when it was last told."""
        if must_ask or self.clock is None:
            now: datetime = self.ask("select statement_timestamp()")[0][0]
            self.clock = now, monotonic()
            return now
        told, then = self.clock
        return told + timedelta(seconds=monotonic() - then)

    def name(self, catalogue: str, oid: int | None) -> str:
        """The name of a database or role; looked up again only for an oid that was never seen."""
        if not oid:
            return ""
        known = self.names[catalogue]
        if oid not in known:
            column = {"pg_database": "datname", "pg_roles": "rolname"}[catalogue]
            known.update(self.ask(f"select oid, {column} from {catalogue}"))  # noqa: S608 (two constants)
        return known.setdefault(oid, f"oid {oid}")


@lru_cache
def _text_loader() -> type[Loader]:
    """Names are shared by databases of different encodings, so any bytes may come; what is no UTF-8 is shown as escapes."""
    from psycopg.adapt import Loader
    from psycopg.pq import Format

    class Text(Loader):
        format = Format.BINARY

        def load(self, data: bytes | bytearray | memoryview) -> str:
            return str(data, "utf-8", "backslashreplace")

    return Text


def _hint(error: Exception, text: str) -> str:
    for sign, hint in HINTS:
        if sign in text:
            return hint
    return "check that the server answers: `reroot probe`" if not getattr(error, "sqlstate", None) else "see the server's own log"


HINTS: tuple[tuple[str, str], ...] = (
    ("password authentication failed", "check the user's password in `~/.pgpass` or `PGPASSWORD`"),
    ("no password supplied", "put the password in `~/.pgpass` or `PGPASSWORD`"),
    ("root certificate file", "our own connection has no root to check the server by: name its file with `sslrootcert`"),
    ("does not match host name", "say the name that its certificate has: `host=NAME hostaddr=ADDRESS`"),
    ("certificate verify failed", "our own connection does not trust the server: check its `sslrootcert`"),
    ("no pg_hba.conf entry", "allow this user and address in `pg_hba.conf`"),
    ("permission denied", "`reroot emit sql-role` prints the rights that are needed"),
    ("does not exist", "check the names of user and database"),
)
