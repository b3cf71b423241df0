"""
Pgpool-II as a client of its backends.

`ssl = on` asks for TLS and goes on in plaintext where the backend offers none; a CA makes the chain count, and no name ever does.
A CA file that is missing or cannot be loaded means no TLS at all, without an error.
"""

from __future__ import annotations

import configparser
from dataclasses import replace

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, OnDistrust, Reason, RootsFrom, RootSource, Setting, Settings, TrustPolicy
from ..roots import collect
from . import _libpq, libpq
from ._driver import Driver, numbered

SOURCE = "pgpool2 src/utils/pool_ssl.c pool_ssl_negotiate_clientserver(), init_ssl_ctx(); run with 4.3"
FIRST, END = (3,), (5,)
ON = frozenset({"on", "true", "yes", "1", "t", "y"})
OFF = frozenset({"", "off", "false", "no", "0", "f", "n"})


def possible(given: Given) -> tuple[Given, ...]:
    return (given,) if given.version is None or FIRST <= numbered(given.version) < END else ()


def read(given: Given) -> Settings:
    """Words of pgpool.conf as options, or the file's text as `config`."""
    options = {name: _libpq.text_of(value) for name, value in given.options.items() if value is not None}
    config = options.pop("config", None)
    if config is not None:
        parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",), inline_comment_prefixes=("#",))
        try:
            parser.read_string(f"[pgpool]\n{config}")
        except configparser.Error:
            raise SettingsError("pgpool.conf cannot be read") from None
        options = {**{n: v.strip().strip("'\"") for n, v in parser["pgpool"].items()}, **options}
    if options.get("ssl", "").lower() not in ON | OFF:
        raise SettingsError("parameter `ssl` requires a Boolean value")
    values = {name: Setting(value, "option") for name, value in options.items() if "password" not in name}
    hosts = sorted(name for name in values if name.startswith("backend_hostname"))
    endpoints = tuple(
        Endpoint(host=values[name].text, port=values[p].text if (p := name.replace("hostname", "port")) in values else "5432") for name in hosts
    )
    return Settings(given.driver, values, {}, endpoints or (Endpoint(host=given.host or "", port="5432"),))


def policy(given: Given, settings: Settings) -> TrustPolicy:
    if settings.get("ssl").lower() not in ON:
        return TrustPolicy(Ask.NEVER, reasons=(Reason("tls-not-asked", "ssl is off: TLS is never asked for", SOURCE),))
    path, folder = settings.get("ssl_ca_cert"), settings.get("ssl_ca_cert_dir")
    text = "ssl is on: TLS where the backend offers it, and " + ("the chain is checked, no name is" if path or folder else "nothing is checked")
    base = TrustPolicy(
        Ask.IF_OFFERED,
        chain=bool(path or folder),
        on_no_tls=OnDistrust.PLAINTEXT,
        stack=libpq.stack(given),
        reasons=(Reason("verifies-chain" if path or folder else "does-not-verify", text, SOURCE),),
    )
    if folder:
        return replace(base, undecidable=Reason("ca-folder", "ssl_ca_cert_dir is a hashed folder: rehearse this client", SOURCE))
    if not path:
        return base
    base = replace(base, roots=RootSource(RootsFrom.SETTING, path, "openssl"))
    failure = collect(base, given.files).failure
    if failure is None:
        return base
    text = f"{failure.text}, and Pgpool-II then goes on in plaintext"
    return TrustPolicy(Ask.NEVER, reasons=(Reason(failure.code, text, SOURCE), Reason("silent-plaintext-fallback", text, SOURCE)))


DRIVER = Driver(
    name="pgpool",
    title="Pgpool-II, as a client of its backends",
    source="https://www.pgpool.net/docs/latest/en/html/runtime-ssl.html",
    versions="3 and 4",
    proven=("4.3",),
    possible=possible,
    read=read,
    policy=policy,
)
