"""
Spring Boot: `spring.datasource.url` for pgJDBC (Hikari's data-source properties beside it), `spring.r2dbc.url` for R2DBC.
"""

from __future__ import annotations

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, pgjdbc, r2dbc
from ._springlike import flat, under

PROPERTIES = (
    "spring.datasource.hikari.data-source-properties.",
    "spring.datasource.hikari.dataSourceProperties.",
    "spring.datasource.tomcat.connection-properties.",
)


def translate(given: Given) -> _wrapped.Beneath | None:
    """The URL, from the settings or given as DSN; user name and password follow it."""
    found = flat(given.options)
    reactive = given.dsn or found.get("spring.r2dbc.url")
    if isinstance(reactive, str) and reactive.startswith(("r2dbc:", "r2dbcs:")):
        options = under(found, "spring.r2dbc.properties.")
        for name, word in (("username", "user"), ("password", "password")):
            if f"spring.r2dbc.{name}" in found:
                options[word] = found[f"spring.r2dbc.{name}"]
        return _wrapped.beneath(given, r2dbc.DRIVER, dsn=reactive, options=options)
    url = given.dsn or found.get("spring.datasource.url") or found.get("spring.datasource.hikari.jdbc-url")
    if not isinstance(url, str):
        raise SettingsError("neither `spring.datasource.url` nor `spring.r2dbc.url` is set")
    options = under(found, *PROPERTIES)
    for name, word in (("username", "user"), ("password", "password")):
        if f"spring.datasource.{name}" in found:
            options[word] = found[f"spring.datasource.{name}"]
    if not found.keys() - {"user", "password"} or not any(name.startswith("spring.") for name in found):
        options |= found
    return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=url, options=options)


DRIVER = _wrapped.wrapper(
    name="spring",
    title="Spring Boot",
    source="https://docs.spring.io/spring-boot/reference/data/sql.html; source only",
    versions="2 and 3, over pgJDBC and R2DBC",
    proven=(),
    translate=translate,
)
