"""Ruby's pg: libpq, with a hash, a connection string, or both."""

from __future__ import annotations

from ..model import Given, Settings
from . import _libpq, libpq
from ._driver import Driver


def read(given: Given) -> Settings:
    """PG::Connection.parse_connect_args: the hash wins over the string, nil counts as not given.

    One argument that is neither a URL nor holds a `=` is the host.
    """
    written: list[tuple[str, str]] = []
    if given.dsn is not None:
        is_host = "=" not in given.dsn and "://" not in given.dsn
        written = [("host", given.dsn)] if is_host else list(_libpq.from_text(given.dsn, given))
    return _libpq.effective(given, _libpq.unwaited([*written, *_libpq.from_options(given.options)]))


DRIVER = Driver(
    name="ruby-pg",
    title="Ruby pg",
    source="https://github.com/ged/ruby-pg/blob/master/lib/pg/connection.rb",
    versions="1.x on libpq 12 to 18",
    proven=("1.4",),
    measured=("1.5.6",),
    possible=_libpq.possible,
    read=read,
    policy=libpq.policy,
)
