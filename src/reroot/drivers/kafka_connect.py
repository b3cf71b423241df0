"""Kafka Connect's JDBC connectors: `connection.url` and `connection.*`, over pgJDBC."""

from __future__ import annotations

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, pgjdbc


def translate(given: Given) -> _wrapped.Beneath | None:
    """The URL; other words below `connection.` go to the driver as properties."""
    url = given.dsn or given.options.get("connection.url")
    if not isinstance(url, str):
        raise SettingsError("`connection.url` is not set")
    own = {"url", "attempts", "backoff.ms"}
    options = {n.removeprefix("connection."): v for n, v in given.options.items() if n.startswith("connection.")}
    return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options={n: v for n, v in options.items() if n not in own})


DRIVER = _wrapped.wrapper(
    name="kafka-connect",
    title="Kafka Connect JDBC",
    source="https://docs.confluent.io/kafka-connectors/jdbc/current/; source only",
    versions="10 and later, over pgJDBC",
    proven=(),
    translate=translate,
)
