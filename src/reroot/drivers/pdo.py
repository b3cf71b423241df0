"""PHP's PDO: libpq, behind `pgsql:host=…;port=…`, where every semicolon becomes a blank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..errors import SettingsError
from ..model import Given, Settings
from . import _libpq, libpq
from ._driver import Driver

PREFIX = "pgsql:"
TIMEOUT = "connect_timeout=30"
"""What PDO writes last, unless it is given another time."""


def read(given: Given) -> Settings:
    """The DSN, then user and password as PDO appends them: what comes last wins. php-src ext/pdo_pgsql/pgsql_driver.c"""
    named = options(given)
    login = appended({name: named.pop(name) for name in ("user", "password") if name in named})
    pairs = list(dsn_pairs(given, PREFIX, f"{login} {TIMEOUT}"))
    check_swallowed(pairs, login)
    if pairs and "=".join(pairs[-1]) == TIMEOUT:
        pairs = [(name, value) for name, value in pairs if name != "connect_timeout"]  # whatever was written before, the last counts
    return _libpq.effective(given, [*pairs, *_libpq.from_options(named)])


def appended(login: Mapping[str, object]) -> str:
    """User and password as they are written behind a connection string."""
    return "".join(f" {name}='{_escaped(_libpq.text_of(value))}'" for name, value in login.items())


def check_swallowed(pairs: Iterable[tuple[str, str]], login: str) -> None:
    """Raises ``SettingsError`` where a word that was left empty has the first word of *login* for its value: who logs in is lost."""
    swallowed = next((name for name, value in pairs if login and value == login.split()[0]), None)
    if swallowed is not None:
        raise SettingsError(f"`{swallowed}` is empty, and takes the user that is written behind it for its value", hint="leave the word out")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def dsn_pairs(given: Given, prefix: str, behind: str = "") -> Iterable[tuple[str, str]]:
    """The pairs of `prefix…`; semicolons are replaced without a look at quotes, and *behind* is read with it."""
    if given.dsn is None:
        return []
    if not given.dsn.startswith(prefix):
        raise SettingsError(f"the DSN does not start with `{prefix}`: could not find driver")
    return _libpq.from_text(given.dsn.removeprefix(prefix).replace(";", " ") + behind, given)


def options(given: Given) -> dict[str, object]:
    """PDO's own arguments; attributes of PDO (`PDO::ATTR_…`) are none of libpq's words."""
    renamed = {"username": "user"}
    return {renamed.get(n, n): v for n, v in given.options.items() if v != "" and not n.startswith(("ATTR_", "PDO::")) and n != "options"}


DRIVER = Driver(
    name="pdo",
    title="PHP PDO (pdo_pgsql)",
    source="https://www.php.net/manual/en/ref.pdo-pgsql.connection.php",
    versions="PHP 7 and 8 on libpq 12 to 18",
    proven=("8.2",),
    measured=("8.4",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
