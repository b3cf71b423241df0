"""The ledger itself: opened, brought up to date, appended to and read. SQLAlchemy is imported when one is opened."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import GateClosed, InputError, ReachError, RerootError
from ..model import Evidence, Strength
from ._entries import START, Entry, broken_at, encode, hash_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Select

DEFAULT = "reroot.sqlite"
BUSY_SECONDS = 10
LARGE = 256 << 20
LEASE = timedelta(minutes=2)
"""How long a lease lives without a sign of life. Each journal entry renews it."""


class NoLedger(InputError):
    """There is none where one was to be read."""


class Lease:
    """The right to act on one rotation: a number that grows each time it changes hands."""

    def __init__(self, rotation: str, holder: str, fence: int) -> None:
        self.rotation = rotation
        self.holder = holder
        self.fence = fence


class Ledger:
    """An open ledger. Every method commits before it returns, or raises and has written nothing."""

    def __init__(self, engine: Engine, where: str) -> None:
        self._engine = engine
        self.where = where

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── the lease ────────────────────────────────────────────────────────────────────────────────

    def acquire(self, rotation: str, holder: str, now: datetime, *, take_over: bool = False) -> Lease:
        """The lease of *rotation*; ``GateClosed`` while another holds it.

        One that ran out is only given to another who says *take_over*, or when its holder is known to be gone.
        """
        from sqlalchemy import text

        from ._tables import LEASE as TABLE

        with self._writing() as connection:
            # A row to lock, also for two who are both the first.
            free = text(
                "INSERT INTO lease (rotation, holder, fence, until) VALUES (:rotation, '', 0, :now) ON CONFLICT DO NOTHING"
            )
            connection.execute(free, {"rotation": rotation, "now": now.isoformat()})
            row = connection.execute(TABLE.select().where(TABLE.c.rotation == rotation).with_for_update()).mappings().one()
            until = datetime.fromisoformat(row["until"])
            if row["holder"] not in ("", holder) and not is_gone(row["holder"]) and not (take_over and until < now):
                state = f"until {until:%H:%M:%S} UTC" if until >= now else f"but gave no sign of life since {until:%H:%M:%S} UTC"
                raise GateClosed(
                    f"`{row['holder']}` holds the lease of `{rotation}`, {state}",
                    where=self.where,
                    hint="wait for them" if until >= now else "if they are surely gone, use `--take-over`",
                )
            values = {"holder": holder, "fence": row["fence"] + 1, "until": (now + LEASE).isoformat()}
            connection.execute(TABLE.update().where(TABLE.c.rotation == rotation).values(**values))
            return Lease(rotation, holder, int(row["fence"]) + 1)

    def check(self, lease: Lease, now: datetime) -> None:
        """Renew *lease*; ``GateClosed`` when it has passed to another meanwhile. Asked right before every act."""
        with self._writing() as connection:
            self._renew(connection, lease, now)

    def release(self, lease: Lease) -> None:
        from ._tables import LEASE as TABLE

        with self._writing() as connection:
            mine = (TABLE.c.rotation == lease.rotation) & (TABLE.c.fence == lease.fence)
            connection.execute(TABLE.update().where(mine).values(holder=""))

    def _renew(self, connection: Connection, lease: Lease, now: datetime) -> None:
        from ._tables import LEASE as TABLE

        mine = (TABLE.c.rotation == lease.rotation) & (TABLE.c.fence == lease.fence) & (TABLE.c.holder == lease.holder)
        done = connection.execute(TABLE.update().where(mine).values(until=(now + LEASE).isoformat()))
        if done.rowcount != 1:
            raise GateClosed(
                f"the lease of `{lease.rotation}` has passed to another operator",
                where=self.where,
                hint="nothing more is done here; `reroot status` shows who acts now",
            )

    # ── the journal ──────────────────────────────────────────────────────────────────────────────

    def append(self, lease: Lease, run: int, event: str, body: Mapping[str, object], now: datetime) -> int:
        """Write one entry; returns its number when it is on disk."""
        from sqlalchemy import select, text

        from ._tables import JOURNAL

        with self._writing() as connection:
            if self._engine.dialect.name == "postgresql":
                connection.execute(text("LOCK TABLE journal IN EXCLUSIVE MODE"))
            self._renew(connection, lease, now)
            last = connection.execute(select(JOURNAL.c.number, JOURNAL.c.hash).order_by(JOURNAL.c.number.desc()).limit(1)).first()
            number, previous = (1, START) if last is None else (last.number + 1, last.hash)
            at, coded = now.isoformat(), encode(body)
            connection.execute(
                JOURNAL.insert().values(
                    number=number,
                    at=at,
                    rotation=lease.rotation,
                    run=run,
                    actor=lease.holder,
                    fence=lease.fence,
                    event=event,
                    body=coded,
                    previous=previous,
                    hash=hash_of(previous, number, at, lease.rotation, run, lease.holder, lease.fence, event, coded),
                )
            )
            return int(number)

    def entries(self, rotation: str | None = None) -> tuple[Entry, ...]:
        """The journal, oldest first; ``InputError`` when its chain of hashes is broken."""
        import msgspec

        from ._tables import JOURNAL

        with self._reading() as connection:
            rows = connection.execute(JOURNAL.select().order_by(JOURNAL.c.number)).mappings().all()
        found = tuple(
            Entry(**{**row, "at": datetime.fromisoformat(row["at"]), "body": msgspec.json.decode(row["body"])}) for row in rows
        )
        broken = broken_at(found)
        if broken is not None:
            raise InputError(
                f"the journal was changed: entry `{broken}` does not follow from the one before",
                where=self.where,
                hint="keep this file as evidence, and go on with `reroot rollback` or a new ledger: both look at the servers",
            )
        return found if rotation is None else tuple(e for e in found if e.rotation == rotation)

    # ── evidence ─────────────────────────────────────────────────────────────────────────────────

    def keep(self, rotation: str, evidence: Iterator[Evidence] | tuple[Evidence, ...]) -> None:
        """Append pieces of evidence, all or none."""
        from ._tables import EVIDENCE

        rows = [
            {
                "rotation": rotation,
                "kind": e.kind,
                "subject": e.subject,
                "source": str(e.source),
                "seen_at": e.seen_at.isoformat(),
                "strength": e.strength.value,
                "facts": encode(e.facts),
            }
            for e in evidence
        ]
        if rows:
            from ._sums import fold, write

            sums = fold(rows)
            with self._writing() as connection:
                connection.execute(EVIDENCE.insert(), rows)
                write(connection, sums)

    def evidence(self, rotation: str, kind: str | None = None) -> tuple[Evidence, ...]:
        """Everything kept for *rotation*, oldest first."""
        import msgspec

        from ._tables import EVIDENCE

        query = EVIDENCE.select().where(EVIDENCE.c.rotation == rotation).order_by(EVIDENCE.c.number)
        if kind is not None:
            query = query.where(EVIDENCE.c.kind == kind)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return tuple(
            Evidence(
                r["kind"],
                r["subject"],
                r["source"],
                datetime.fromisoformat(r["seen_at"]),
                Strength(r["strength"]),
                msgspec.json.decode(r["facts"]),
            )
            for r in rows
        )

    def asked(self, question: Select[Any]) -> tuple[Mapping[str, Any], ...]:
        """The answer to one of ``ledger.questions``, row by row."""
        with self._reading() as connection:
            return tuple(dict(row) for row in connection.execute(question).mappings())

    def sighted(self, rotation: str) -> Iterator[Evidence]:
        """Who was seen, and when it was looked: what the evidence of kinds ``session`` and ``window`` comes to, summed."""
        from . import _questions as questions

        for question in (questions.identities(rotation, limit=None), questions.windows(rotation)):
            yield from map(questions.as_evidence, self.asked(question))

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with clear_errors(self.where), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with clear_errors(self.where), self._engine.connect() as connection:
            yield connection


def open_ledger(place: str | Path = DEFAULT, *, create: bool = True) -> Ledger:
    """The ledger at *place*: a file, or a ``postgresql://`` URL. Its tables are brought up to date, its file is checked.

    Without *create* it must be there already: ``NoLedger`` where it is not, and nothing is made.
    """
    import sqlalchemy as sa

    text = str(place)
    is_url = "://" in text
    where = sa.make_url(text).render_as_string(hide_password=True) if is_url else text
    if is_url and not text.startswith(("postgresql://", "postgresql+psycopg://", "sqlite://")):
        raise InputError(f"`{where}` is no ledger", hint="name a file, or a `postgresql://` URL")
    file = text.removeprefix("sqlite:///") if text.startswith("sqlite:///") else "" if is_url else text
    if file and not create and not Path(file).exists():
        raise _none(where)
    with clear_errors(where):
        if is_url and text.startswith("postgresql"):
            url = sa.make_url(text).set(drivername="postgresql+psycopg")
            engine = sa.create_engine(url, connect_args={"connect_timeout": 10}, isolation_level="READ COMMITTED")
        else:
            engine = _sqlite(text if is_url else f"sqlite:///{text}")
        _upgrade(engine, where, create)
    return Ledger(engine, where)


def _none(where: str) -> NoLedger:
    return NoLedger(f"there is no ledger at `{where}`", hint="`reroot rotate --execute`, `observe --keep` or `ingest --keep` begins one")


def _sqlite(url: str) -> Engine:
    import sqlalchemy as sa

    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @sa.event.listens_for(engine, "connect")
    def _settings(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, see below
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={BUSY_SECONDS * 1000}", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Any) -> None:
        # The write lock from the start: two operators who read first and write then would both see themselves as the last.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    file = Path(url.removeprefix("sqlite:///"))
    with engine.connect() as connection:
        # Of a ledger of gigabytes only the journal is checked each time: the evidence would take a minute.
        is_large = file.exists() and file.stat().st_size > LARGE
        tables = {name for (name,) in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
        check = "PRAGMA quick_check('journal')" if is_large and "journal" in tables else "PRAGMA quick_check"
        state = connection.exec_driver_sql(check).scalar()
    if state != "ok":
        raise InputError(f"the ledger is damaged: {state}", where=url.removeprefix("sqlite:///"), hint=LOST)
    return engine


LOST = "keep the file, move it away and go on: `reroot status` and `reroot rollback` look at the servers themselves"


def _upgrade(engine: Engine, where: str, create: bool) -> None:
    import sqlalchemy as sa

    with engine.connect() as connection:
        tables = set(sa.inspect(connection).get_table_names())
        newest = "0002"
        stamped = None
        if "alembic_version" in tables:
            stamped = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if stamped == newest:
        return
    if stamped is None and tables - {"alembic_version"}:
        raise InputError("this database holds something else than a ledger", where=where, hint="name another file")
    if stamped is None and not create:
        raise _none(where)
    if stamped is not None and stamped > newest:
        raise InputError(f"the ledger was written by a newer reroot (`{stamped}`)", where=where, hint="use that version")
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7236834)")  # two who open a new ledger at once
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def clear_errors(where: str) -> Iterator[None]:
    """A database's errors, told as ours: no journal, no act."""
    from sqlalchemy import exc

    try:
        yield
    except RerootError:
        raise
    except exc.OperationalError as error:
        said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no reason given"
        hint = "another program holds it; try again" if "locked" in said else "without a journal nothing is done"
        raise ReachError(f"the ledger cannot be used: {said}", where=where, hint=hint) from None
    except exc.DBAPIError as error:
        said = str(error.orig).strip().splitlines()[0]
        raise InputError(f"the ledger cannot be used: {said}", where=where, hint=LOST) from None
    except exc.ArgumentError as error:
        raise InputError(f"this is no place for a ledger: {error}", where=where) from None


def holder_name() -> str:
    """``ana@ops-1 pid 4711 start 81231``: who acts, and enough to tell later whether that process still lives."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()} pid {os.getpid()} start {_started(os.getpid())}"


def is_gone(holder: str) -> bool:
    """Whether a holder on this machine has surely ended; False where that cannot be told."""
    import socket

    person, _, rest = holder.rpartition(" pid ")
    pid, _, start = rest.partition(" start ")
    if person.rpartition("@")[2] != socket.gethostname() or not pid.isdigit() or not Path("/proc/self/stat").exists():
        return False
    return _started(int(pid)) != start


def _started(pid: int) -> str:
    """Start time of a process in clock ticks since boot (proc(5), field 22); ``""`` when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    # A process that was killed and not yet waited for acts no more.
    return "" if fields[0] in ("Z", "X") else fields[19]
