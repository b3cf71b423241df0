"""PHP's PDO: libpq, behind `pgsql:host=…;port=…`, where every semicolon becomes a blank."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import SettingsError
from ..model import Given, Settings
from . import _libpq, libpq
from ._driver import Driver

PREFIX = "pgsql:"


def read(given: Given) -> Settings:
    """The DSN, then user and password as PDO appends them: what comes last wins. php-src ext/pdo_pgsql/pgsql_driver.c"""
    return _libpq.effective(given, [*dsn_pairs(given, PREFIX), *_libpq.from_options(options(given))])


def dsn_pairs(given: Given, prefix: str) -> Iterable[tuple[str, str]]:
    """The pairs of `prefix…`; semicolons are replaced without a look at quotes."""
    if given.dsn is None:
        return []
    if not given.dsn.startswith(prefix):
        raise SettingsError(f"the DSN does not start with `{prefix}`: could not find driver")
    return _libpq.from_text(given.dsn.removeprefix(prefix).replace(";", " "), given)


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
