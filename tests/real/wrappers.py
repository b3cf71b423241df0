"""Libraries of Python that stand on another driver, and how each writes a scenario: SQLAlchemy, Django, Tortoise, aiopg, pgcli."""

from __future__ import annotations

from typing import Any

from . import spelling
from .clients import CACHE, WORKERS, Client, Missing
from .scenarios import Scenario
from .spelling import Spelled, Target

FOLDER = CACHE / "wrappers"


def found() -> list[Client | Missing]:
    rows: list[Client | Missing] = []
    for name, (module, speller) in SPELLERS.items():
        if not any(FOLDER.glob(f"lib/python3*/site-packages/{module}")):
            rows.append(Missing(name, f"no {module} in .cache/clients/wrappers"))
        else:
            command = (str(FOLDER / "bin" / "python"), str(WORKERS / "wrapper_clients.py"), name)
            rows.append(Client(name, command, speller))
    return rows


def _over_libpq(scheme: str) -> Any:
    def spell(s: Scenario, t: Target) -> Spelled | None:
        spelled = spelling.libpq(s, t)
        if spelled is None or s.extra in ("ssl=true", "service", "hostaddr-only"):
            return None
        if "settings" in spelled:
            options = dict(spelled["settings"])
            place = f"{scheme}://{options.pop('user')}@/{options.pop('dbname')}"
            return {"dsn": place, "settings": options, "env": spelled["env"]}
        if not spelled["dsn"].startswith("postgresql://"):
            return None
        return spelled | {"dsn": scheme + spelled["dsn"].removeprefix("postgresql")}

    return spell


def _over_asyncpg(s: Scenario, t: Target) -> Spelled | None:
    """`?ssl=MODE` in the URL (form uri), `?sslmode=MODE` as many write it (keywords), else connect_args."""
    spelled = spelling.asyncpg(s, t)
    if spelled is None:
        return None
    if "settings" in spelled:
        options = {n: v for n, v in spelled["settings"].items() if n not in ("host", "port", "user", "database")}
        return spelled | {"dsn": _url("postgresql+asyncpg", s, t), "settings": options}
    dsn = "postgresql+asyncpg" + spelled["dsn"].removeprefix("postgresql")
    return spelled | {"dsn": dsn.replace("sslmode=", "ssl=") if s.form == "uri" else dsn}


def _over_pg8000(s: Scenario, t: Target) -> Spelled | None:
    spelled = spelling.pg8000(s, t)
    if spelled is None:
        return None
    options = {n: v for n, v in spelled["settings"].items() if n == "ssl_context"}
    if s.form == "uri" and s.mode is not None:
        return {"dsn": _url("postgresql+pg8000", s, t) + f"?sslmode={s.mode}", "env": {}}
    return spelled | {"dsn": _url("postgresql+pg8000", s, t), "settings": options}


def _url(scheme: str, s: Scenario, t: Target) -> str:
    return f"{scheme}://{t.user}@{s.host}:{t.port}/{t.database}"


def django(s: Scenario, t: Target) -> Spelled | None:
    spelled = spelling.libpq(s, t)
    if spelled is None or s.extra == "ssl=true":
        return None
    if "settings" not in spelled:
        return spelled if spelled["dsn"].startswith("postgresql://") and "@" in spelled["dsn"] else None
    options = dict(spelled["settings"])
    names = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
    entry: dict[str, Any] = {names[n]: options.pop(n) for n in list(options) if n in names}
    if "NAME" not in entry:
        entry["NAME"] = ""
    return {"settings": entry | {"OPTIONS": options}, "env": spelled["env"]}


def tortoise(s: Scenario, t: Target) -> Spelled | None:
    """`?ssl=MODE`, which is True whatever the mode; `?sslmode=MODE` (keywords); credentials."""
    spelled = spelling.asyncpg(s, t)
    if spelled is None:
        return None
    if "settings" in spelled:
        options = dict(spelled["settings"])
        if "ssl_context" in options:
            options["ssl"] = options.pop("ssl_context")
        return spelled | {"settings": options}
    dsn = "asyncpg" + spelled["dsn"].removeprefix("postgresql")
    return spelled | {"dsn": dsn.replace("sslmode=", "ssl=") if s.form == "uri" else dsn}


def pgcli(s: Scenario, t: Target) -> Spelled | None:
    spelled = spelling.libpq(s, t)
    if spelled is None or "dsn" not in spelled:
        return None
    if s.extra == "service":
        return spelled | {"dsn": "service=lab"}
    return spelled


SPELLERS: dict[str, tuple[str, Any]] = {
    "sqlalchemy-psycopg2": ("sqlalchemy", _over_libpq("postgresql+psycopg2")),
    "sqlalchemy-psycopg": ("sqlalchemy", _over_libpq("postgresql+psycopg")),
    "sqlalchemy-asyncpg": ("sqlalchemy", _over_asyncpg),
    "sqlalchemy-pg8000": ("sqlalchemy", _over_pg8000),
    "django": ("django", django),
    "tortoise": ("tortoise", tortoise),
    "aiopg": ("aiopg", spelling.psycopg2),
    "pgcli": ("pgcli", pgcli),
}
