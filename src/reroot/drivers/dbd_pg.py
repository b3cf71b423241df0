"""Perl's DBD::Pg: libpq, behind `dbi:Pg:dbname=…;host=…`."""

from __future__ import annotations

import re

from ..errors import SettingsError
from ..model import Given, Settings
from . import _libpq, libpq, pdo
from ._driver import Driver


def read(given: Given) -> Settings:
    """The DSN, then user and password as DBD::Pg appends them, DBI_USER and DBI_PASS where none are given.

    `db` and `database` stand for `dbname`; semicolons become blanks but for those inside single quotes.
    DBD::Pg Pg.pm connect(), dbdimp.c pg_db_login6().
    """
    written: list[tuple[str, str]] = []
    renamed = {"username": "user", "auth": "password"}
    options: dict[str, object] = {
        name: given.env[variable] for name, variable in (("user", "DBI_USER"), ("password", "DBI_PASS")) if given.env.get(variable)
    }
    options |= {renamed.get(name, name): value for name, value in given.options.items()}
    options = {name: value for name, value in options.items() if value not in (None, "")}
    if given.dsn is not None:
        head, text = given.dsn[:7], given.dsn[7:]
        if head.lower() != "dbi:pg:" or head[4:] != "Pg:":
            raise SettingsError("the data source does not start with `dbi:Pg:`")
        text = _blanks(re.sub(r"\b(?:db|database)\s*=", "dbname=", text, count=1))
        login = pdo.appended({name: options.pop(name) for name in ("user", "password") if name in options})
        written = list(_libpq.from_text(text + login, given))
        pdo.check_swallowed(written, login)
    return _libpq.effective(given, [*written, *_libpq.from_options(options)])


def _blanks(text: str) -> str:
    parts = text.split("'")
    parts[::2] = [part.replace(";", " ") for part in parts[::2]]
    return "'".join(parts)


DRIVER = Driver(
    name="dbd-pg",
    title="Perl DBD::Pg",
    source="https://metacpan.org/pod/DBD::Pg#connect",
    versions="3.x on libpq 12 to 18",
    proven=("3.16",),
    measured=("3.18",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
