"""
psqlODBC: libpq, but for its own keywords and its own default, which is ``disable`` and stands before PGSSLMODE.

SSLmode is judged by its first letter as written: `r…` is require, `p…` prefer, `a…` allow, `vc` and `vf` the two that verify, and
whatever starts with anything else (``Require`` too) is ``disable`` without a word. Other words of libpq go into
``pqopt={…}``; as keywords of the connection string they are passed over.
"""

from __future__ import annotations

import configparser

from ..errors import SettingsError
from ..model import FileState, Given, Setting, Settings
from . import _conninfo, _libpq, libpq
from ._driver import Driver

SOURCE = "psqlodbc dlg_specific.c copyConnAttributes(), connection.c LIBPQ_connect(); run with 13.02"

# keyword of the connection string or data source, in lower case → libpq's
KEYWORDS = {
    "servername": "host",
    "server": "host",
    "port": "port",
    "database": "dbname",
    "uid": "user",
    "username": "user",
    "pwd": "password",
    "password": "password",
    "sslmode": "sslmode",
    "ca": "sslmode",
    "pqopt": "pqopt",
    "d5": "pqopt",
}
BRACED = frozenset({"password", "pqopt"})
"""The values whose braces are taken away."""
LETTERS = {"a": "allow", "p": "prefer", "r": "require"}
ANONYMOUS = frozenset({"driver", "dsn", "filedsn"})


def read(given: Given) -> Settings:
    """The data source of odbc.ini, over it the connection string; then what `pqopt` adds."""
    pairs = _written(given)
    named = {name.lower(): value for name, value in pairs}
    found = {**_data_source(given, named.get("dsn", "")), **_known(pairs)}
    options = _unbraced(found.pop("pqopt", ""))
    found["sslmode"] = mode(found.get("sslmode", ""))
    if "password" in found:
        found["password"] = _unbraced(found["password"])
    try:
        extra = _conninfo.pairs(options)
    except SettingsError as error:
        raise SettingsError(f"libpq connection parameter error: {error.message}") from None
    for name, value in extra:
        if name in found and found[name] not in ("", value):
            raise SettingsError(f"{name} parameter in pqopt option conflicts with other ordinary option")
    everything = [*extra, *((name, value) for name, value in found.items() if value)]
    settings = _libpq.effective(given, everything)
    if not any(name.lower() in ("sslmode", "ca") for name, _ in pairs) and settings.get("sslmode") == "disable":
        values = {**settings.values, "sslmode": Setting("disable", "default")}
        settings = Settings(settings.driver, values, settings.unknown, settings.endpoints)
    # What is no word may be a part of anything, a password too.
    unknown = {n: v for n, v in pairs if n.isidentifier() and n.lower() not in KEYWORDS and n.lower() not in ANONYMOUS}
    return Settings(settings.driver, settings.values, unknown, settings.endpoints)


def mode(value: str) -> str:
    """What psqlODBC makes of SSLmode."""
    if value.startswith("v"):
        return {"c": "verify-ca", "f": "verify-full"}.get(value[1:2], value)
    return LETTERS.get(value[:1], "disable")


def _known(pairs: list[tuple[str, str]]) -> dict[str, str]:
    return {KEYWORDS[name.lower()]: value for name, value in pairs if name.lower() in KEYWORDS}


def _written(given: Given) -> list[tuple[str, str]]:
    """`name=value;…`: a value in braces may hold semicolons; the last of two equal names wins."""
    options = [(name, _libpq.text_of(value)) for name, value in given.options.items() if value is not None]
    if given.dsn is None:
        return options
    if len(given.dsn) > _conninfo.LIMIT:
        raise SettingsError(f"the connection string is longer than {_conninfo.LIMIT} characters")
    pairs, rest = [], given.dsn
    while rest:
        name, equals, rest = rest.partition("=") if "=" in rest.partition(";")[0] else (rest.partition(";")[0], "", rest.partition(";")[2])
        if not equals:
            continue
        end = rest.find("};") + 1 if rest.startswith("{") and "};" in rest else len(rest) if rest.startswith("{") else rest.find(";")
        value, rest = (rest, "") if end < 0 else (rest[:end], rest[end + 1 :])
        pairs.append((name.strip(), value))
    return [*pairs, *options]


def _unbraced(value: str) -> str:
    return value[1:-1].replace("}}", "}") if value.startswith("{") and value.endswith("}") else value


def _data_source(given: Given, name: str) -> dict[str, str]:
    """The section of ~/.odbc.ini, else of /etc/odbc.ini."""
    if not name:
        return {}
    home = _libpq.home(given)
    for path in (given.env.get("ODBCINI", ""), f"{home}/.odbc.ini" if home else "", "/etc/odbc.ini"):
        file = given.files(path) if path else None
        if file is None or file.state is not FileState.FOUND:
            continue
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"), allow_no_value=True)
        try:
            parser.read_string((file.content or b"").decode("utf-8", "replace"))
        except configparser.Error:
            raise SettingsError("the list of data sources cannot be read", where=path) from None
        for section in parser.sections():
            if section.lower() == name.lower():
                return _known([(n, v or "") for n, v in parser[section].items()])
    raise SettingsError(f"IM002: data source `{name}` not found")


DRIVER = Driver(
    name="psqlodbc",
    title="psqlODBC",
    source="https://odbc.postgresql.org/docs/config.html",
    versions="9 to 17 on libpq 12 to 18",
    proven=("13.02",),
    measured=("17.00.0004",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
