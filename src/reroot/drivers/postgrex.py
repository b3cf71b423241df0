"""
Postgrex 0.17 to 0.x: TLS is off unless ``ssl`` is set. Known from its source and changelog; Erlang's own ssl was run.

``ssl: true`` is TLS without any check. ``ssl: [cacertfile: …]`` checks chain and host name. The older pair of ``ssl: true`` and
``ssl_opts`` leaves the check to Erlang's default, which was none before OTP 26 and is full since. ``'N'`` from the server is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import SettingsError
from ..model import Ask, Endpoint, Given, Reason, Reread, RootsFrom, RootSource, Setting, Settings, Stack, TrustPolicy
from . import _go, _whatwg
from ._driver import Driver, major, numbered
from ._libpq import text_of

SOURCE = "postgrex lib/postgrex/protocol.ex, CHANGELOG; source only; Erlang's ssl run with OTP 25"
FIRST, LAST = (0, 17), (1, 0)
SECURE = (0, 18)
"""From here on a list of options under ``ssl`` starts from verify_peer and a check of the host name."""

CODE = frozenset({"verify_fun", "customize_hostname_check", "partial_chain", "server_name_indication", "crl_check", "crl_cache"})


def possible(given: Given) -> tuple[Given, ...]:
    """Runtime ``otp`` is Erlang's release; both defaults are possible where it is not known."""
    if given.version is not None and not FIRST <= numbered(given.version) < LAST:
        return ()
    versions = (given.version,) if given.version is not None else ("0.20.0", "0.17.5")
    releases = (given.runtime["otp"],) if "otp" in given.runtime else ("27", "25")
    return tuple(replace(given, version=v, runtime={**given.runtime, "otp": otp}) for v in versions for otp in releases)


def configured(given: Given) -> dict[str, Any]:
    """Options, under a URL where there is one: Ecto lets the URL win over what the configuration says."""
    options = dict(given.options)
    text = given.dsn if given.dsn is not None else options.pop("url", None)
    if text is None:
        return options
    url = _whatwg.parse(text_of(text))
    found: dict[str, Any] = {"hostname": url.hostname} if url.hostname else {}
    found |= {"port": url.port} if url.port else {}
    for name, value in url.query:
        if name == "ssl" and value not in ("true", "false"):
            raise SettingsError("the `ssl` of an Ecto URL must be true or false")
        found[name] = value == "true" if name == "ssl" else value
    return options | found


def read(given: Given) -> Settings:
    options = configured(given)
    values: dict[str, Setting] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            values |= {f"{name}.{key}": _go.setting(key, _shown(one), "option") for key, one in value.items()}
        elif value is not None:
            values[name] = _go.setting(name, _shown(value), "option")
    host = str(options.get("hostname") or given.env.get("PGHOST") or given.host or "localhost")
    port = str(options.get("port") or given.env.get("PGPORT") or "5432")
    if options.get("socket_dir") or options.get("socket"):
        host = str(options.get("socket_dir") or options.get("socket"))
    return Settings(given.driver, values, {}, (Endpoint(host, "", port),))


def _shown(value: object) -> str:
    return "true" if value is True else "false" if value is False else text_of(value)


def policy(given: Given, settings: Settings) -> TrustPolicy:
    options = configured(given)
    ssl = options.get("ssl")
    if not ssl and ssl != {}:
        return TrustPolicy(Ask.NEVER, reasons=(Reason("tls-not-asked", "ssl is off, the default: TLS is never asked for", SOURCE),))
    base = TrustPolicy(ask=Ask.ALWAYS, stack=Stack("erlang", given.runtime["otp"]), reread=Reread.AT_START, socket_is_plain=False)
    if isinstance(ssl, Mapping):
        return _with_options(given, base, ssl, secure=numbered(given.version) >= SECURE)
    if isinstance(options.get("ssl_opts"), Mapping):
        return _with_options(given, base, options["ssl_opts"], secure=False)
    if numbered(given.version) < SECURE and (major(given.runtime["otp"]) or 0) >= 26:
        text = "ssl: true leaves the check to Erlang, which as of OTP 26 asks for roots that are not set: rehearse this client"
        return replace(base, undecidable=Reason("erlang-default", text, SOURCE))
    return replace(base, reasons=(Reason("does-not-verify", "ssl is true: nothing is checked (source only)", SOURCE),))


def _with_options(given: Given, base: TrustPolicy, options: Mapping[str, Any], secure: bool) -> TrustPolicy:
    verify = str(options.get("verify", "")).lstrip(":")
    if verify == "verify_none":
        return replace(base, reasons=(Reason("verification-switched-off", "verify is verify_none: nothing is checked", SOURCE),))
    if not verify and not secure and (major(given.runtime["otp"]) or 0) < 26:
        return replace(base, reasons=(Reason("does-not-verify", "verify is not set, and was verify_none before OTP 26", SOURCE),))
    decided = next((name for name in options if name in CODE), None)
    if decided is not None or not secure:
        text = f"`{decided}` decides in code" if decided else "which name ssl_opts checks depends on options that settings do not tell"
        return replace(base, undecidable=Reason("custom-check", f"{text}: rehearse this client", SOURCE))
    said = Reason("verifies-chain-and-host", "ssl with options: chain and host name are checked (source only)", SOURCE)
    return replace(base, chain=True, names="erlang", roots=_roots(options), reasons=(said,))


def _roots(options: Mapping[str, Any]) -> RootSource:
    if options.get("cacertfile"):
        return RootSource(RootsFrom.SETTING, text_of(options["cacertfile"]), "erlang")
    return RootSource(RootsFrom.CODE if "cacerts" in options else RootsFrom.SYSTEM, "", "erlang")


DRIVER = Driver(
    name="postgrex",
    title="Postgrex",
    source="https://hexdocs.pm/postgrex/Postgrex.html#start_link/1",
    versions="0.17 to 0.x",
    proven=(),
    possible=possible,
    read=read,
    policy=policy,
)
