"""
A server to watch, and what is said to it to get in. Asked anew for each connection: passwords change, and tokens end.

Where a password stands in ``~/.pgpass`` or behind ``service=``, libpq reads it again each time. Where the connection string itself comes
from a file, that file is read again; and where RDS takes tokens of IAM in place of passwords, one is signed, which needs no call of
AWS and holds for 15 minutes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from ..authorities._partitions import of
from ..errors import InputError
from ..model import Secret

if TYPE_CHECKING:
    from ._awsapi import Login

Fresh = Callable[[], str]
"""Gives the connection string as it is now."""

_RDS = re.compile(r"[^.]+(?:\.[^.]+)*?\.(?P<region>[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9])\.rds\.(?P<suffix>.+)")
_IN_THE_CLEAR = ("disable", "allow", "prefer")


class Source:
    """A server to watch: its connection settings, and what we call it. The settings are never shown.

    *fresh* gives the connection string of the moment, where *dsn* may be outdated.
    """

    def __init__(self, dsn: str, name: str = "", fresh: Fresh | None = None) -> None:
        parameters = parsed(dsn)
        self.dsn = Secret(dsn)
        self.password = Secret(parameters.get("password", ""))
        self._fresh = fresh
        host = parameters.get("host") or parameters.get("hostaddr") or parameters.get("service") or "local"
        self.name = name or f"{host}:{parameters.get('port') or 5432}"

    def __repr__(self) -> str:
        return f"<Source {self.name}>"

    def renewed(self) -> Secret:
        """The connection string to use now. ``RerootError`` when there is none to be had."""
        if self._fresh is not None:
            self.dsn = Secret(self._fresh())
            self.password = Secret(parsed(self.dsn.reveal()).get("password", ""))
        return self.dsn

    def without_password(self, text: str) -> str:
        """A message of libpq's or the server's, on one line and safe to show."""
        secret = self.password.reveal()
        text = text.replace(secret, "***") if secret else text
        line = "; ".join(" ".join(part.split()) for part in text.splitlines() if part.strip())
        return line.replace(secret, "***") if secret else line


def parsed(dsn: str, where: str = "") -> dict[str, str]:
    """The words of a connection string; ``InputError`` that says *where* it stands and does not repeat it."""
    import psycopg

    try:
        return {key: str(value) for key, value in psycopg.conninfo.conninfo_to_dict(dsn).items() if value is not None}
    except psycopg.Error:
        # libpq's own message would quote the text, and with it a password.
        raise InputError(
            "a connection string that libpq cannot read",
            where=where,
            hint="give `host=… dbname=… user=…` or `postgresql://user@host:port/database`; passwords belong in `~/.pgpass`",
        ) from None


def listed(path: str) -> dict[str, str]:
    """The connection strings of a file, one a line; each with the place where it stands."""
    try:
        with open(path, encoding="utf-8") as file:
            return lines_of(file, path)
    except OSError as error:
        raise InputError(f"cannot read it: {error.strerror}", where=path) from None
    except UnicodeDecodeError:
        raise InputError("not a text file", where=path, hint="one DSN a line, in UTF-8") from None


def lines_of(file: Iterable[str], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(file, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            found.setdefault(line.strip(), f"{name}:{number}")
    return found


def again_from(path: str, dsn: str) -> Fresh:
    """*dsn* as *path* has it now: the line for the same host, port, database and user, whatever its password has become.

    A line that cannot be read may be the one: it is told where no other is, and loses nobody else's server.
    """
    wanted = _same(parsed(dsn))

    def fresh() -> str:
        unread: InputError | None = None
        for line, place in listed(path).items():
            try:
                if _same(parsed(line, place)) == wanted:
                    return line
            except InputError as error:
                unread = unread or error
        if unread is not None:
            raise InputError(f"`{unread.where}`: {unread.message}", where=unread.where, hint=unread.hint)
        return dsn

    return fresh


def _same(parameters: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(parameters.get(word, "") for word in ("host", "hostaddr", "port", "dbname", "user", "service"))


def _region_of(host: str) -> str:
    """The region of an RDS host, as its name tells it; ``""`` where it is none, as one that does not end as its partition's do."""
    found = _RDS.fullmatch(host)
    return found["region"] if found and found["suffix"] == of(found["region"]).suffix else ""


def iam(dsn: str, login: Login, region: str = "") -> Fresh:
    """*dsn* with a token of IAM in place of a password, signed for each connection anew.

    ``InputError`` where the host tells no region and none is given, and where the token could travel without TLS.
    """
    parameters = parsed(dsn)
    host, user = parameters.get("host", ""), parameters.get("user", "")
    where = host or "a DSN"
    if "," in host or not host:
        raise InputError("a token of IAM is for one host", where=where, hint="write one DSN for each")
    if not user:
        raise InputError("a token of IAM is for one user", where=where, hint="add `user=…`, a role that was granted `rds_iam`")
    if parameters.get("sslmode", "require") in _IN_THE_CLEAR:
        raise InputError(
            f"with `sslmode={parameters['sslmode']}` a token could travel without TLS",
            where=where,
            hint="write `sslmode=verify-full sslrootcert=…`",
        )
    place = region or _region_of(host)
    if not place:
        raise InputError("the host does not tell its region", where=where, hint="say it: `--region eu-central-1`")

    def fresh() -> str:
        import psycopg

        from ._awslogin import signed

        token = signed(login, place, host, int(parameters.get("port") or 5432), user)
        return psycopg.conninfo.make_conninfo(dsn, password=token, sslmode=parameters.get("sslmode", "require"))

    return fresh

