"""PHP's pg_connect(): a libpq connection string, handed on as it is."""

from __future__ import annotations

from . import _libpq, libpq
from ._driver import Driver

DRIVER = Driver(
    name="php-pgsql",
    title="PHP pg_connect",
    source="https://www.php.net/manual/en/function.pg-connect.php",
    versions="PHP 7 and 8 on libpq 12 to 18",
    proven=("8.2",),
    possible=_libpq.possible,
    read=_libpq.read,
    policy=libpq.policy,
)
