"""Quarkus: `quarkus.datasource.reactive.*` for Vert.x's client, `quarkus.datasource.jdbc.url` for pgJDBC."""

from __future__ import annotations

from ..errors import SettingsError
from ..model import Given
from . import _wrapped, pgjdbc, vertx
from ._springlike import flat

PREFIX = "quarkus.datasource."
# name below `quarkus.datasource.` → option of Vert.x's client
REACTIVE = {
    "reactive.postgresql.ssl-mode": "sslMode",
    "reactive.trust-all": "trustAll",
    "reactive.hostname-verification-algorithm": "hostnameVerificationAlgorithm",
    "reactive.trust-certificate-pem.certs": "trustCertificates",
    "username": "user",
    "password": "password",
}
ELSEWHERE = ("reactive.trust-certificate-jks", "reactive.trust-certificate-pfx", "tls-configuration-name")


def translate(given: Given) -> _wrapped.Beneath | None:
    found = {name.removeprefix(PREFIX): value for name, value in flat(given.options).items()}
    jdbc = given.dsn if given.dsn is not None and given.dsn.startswith("jdbc:") else found.get("jdbc.url")
    if isinstance(jdbc, str):
        words: dict[str, object] = {word: found[name] for name, word in (("username", "user"), ("password", "password")) if name in found}
        properties: dict[str, object] = {n.removeprefix("jdbc.additional-jdbc-properties."): v for n, v in found.items() if n.startswith("jdbc.additional-")}
        return _wrapped.beneath(given, pgjdbc.DRIVER, dsn=jdbc, options={**properties, **words})
    url = given.dsn or found.get("reactive.url")
    if not isinstance(url, str):
        raise SettingsError("neither `quarkus.datasource.reactive.url` nor `quarkus.datasource.jdbc.url` is set")
    options: dict[str, object] = {word: found[name] for name, word in REACTIVE.items() if name in found}
    if "," in str(options.get("trustCertificates", "")) or any(name.startswith(ELSEWHERE) for name in found):
        options["trustOptions"] = "…"
        options.pop("trustCertificates", None)
    return _wrapped.beneath(given, vertx.DRIVER, dsn=url, options=options)


DRIVER = _wrapped.wrapper(
    name="quarkus",
    title="Quarkus",
    source="https://quarkus.io/guides/reactive-sql-clients; source only",
    versions="2 and 3, over Vert.x's client and pgJDBC",
    proven=(),
    translate=translate,
)
