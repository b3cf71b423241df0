"""
pg-connection-string 2.x: how node-postgres, Knex and Sequelize read a URL.

Its result is a JavaScript object, given here as a dict: ``ssl`` is absent, a bool, a text, or a dict of options for Node's TLS.
Of two equal names the last wins. Any of ``sslmode``, ``sslrootcert``, ``sslcert`` and ``sslkey`` switches TLS on, and every
``sslmode`` but ``disable`` and ``no-verify`` verifies chain and host name. node-postgres packages/pg-connection-string/index.js.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import SettingsError
from ..model import Files, FileState
from . import _whatwg

Config = dict[str, Any]
Version = tuple[int, ...]

FIRST, LAST = (2, 3), (3, 0)
MODES, URL_CLASS, COMPAT, BARE_IPV6, DIRECT = (2, 4), (2, 6), (2, 8), (2, 14), (2, 14)
"""From which version on: sslmode is read; URLs are read by ``new URL()``; uselibpqcompat; ``[::1]`` loses its brackets; direct TLS."""

NEEDS_ENCODING = re.compile(r" |%[^a-f0-9]|%[a-f0-9][^a-f0-9]", re.IGNORECASE)
CHARACTERS = r"(?:[A-Za-z0-9._~\-]|%[0-9A-Fa-f]{2})"
PLAIN_URL = re.compile(
    rf"postgres(?:ql)?://(?:{CHARACTERS}+(?::{CHARACTERS}*)?@)?[a-z0-9.\-]+(?::[1-9]\d{{0,3}})?(?:/{CHARACTERS}*)?"
    rf"(?:\?(?:{CHARACTERS}|[=&/])*)?"
)
FILES = (("sslcert", "cert"), ("sslkey", "key"), ("sslrootcert", "ca"))
UNDECIDED = " reading"
"""The key under which a config says why these rules cannot tell how it is read."""


def parse(text: str, version: Version, files: Files) -> Config:
    """The config of one connection string; a file that it names is looked for in *files*. Raises ``SettingsError``."""
    if len(text) > _whatwg.LIMIT:
        raise SettingsError(f"the connection string is longer than {_whatwg.LIMIT} characters")
    if text.startswith("/"):
        words = text.split(" ")
        return {"host": words[0], "database": words[1] if len(words) > 1 else None}
    if version < URL_CLASS and not PLAIN_URL.fullmatch(text):
        return {UNDECIDED: "before 2.6 pg-connection-string read URLs by Node's older parser, which differs on odd ones"}
    url, dummy = _url(text)
    config: Config = dict(url.query)
    if version < URL_CLASS:
        for name in ("user", "password", "port"):
            config.pop(name, None)
    config["user"] = config.get("user") or _whatwg.decode_uri_component(url.username)
    config["password"] = config.get("password") or _whatwg.decode_uri_component(url.password)
    if url.special:
        config[UNDECIDED] = f"`{url.scheme}` is not a scheme of PostgreSQL"
    if url.scheme == "socket":
        config["host"] = _whatwg.decode_uri(url.pathname)
        config["database"], config["client_encoding"] = config.get("db"), config.get("encoding")
        return config
    _place(config, url, "" if dummy else url.hostname, version)
    _tls(config, version, files)
    return config


def _url(text: str) -> tuple[_whatwg.Url, bool]:
    if NEEDS_ENCODING.search(text):
        text = re.sub(r"%25([0-9]{2})", r"%\1", _whatwg.encode_uri(text))
    try:
        return _whatwg.parse(text, base=True), False
    except SettingsError:
        return _whatwg.parse(text.replace("@/", "@___DUMMY___/", 1), base=True), True


def _place(config: Config, url: _whatwg.Url, hostname: str, version: Version) -> None:
    pathname = url.pathname
    if version >= BARE_IPV6 and hostname.startswith("[") and len(hostname) > 2:
        hostname = hostname[1:-1]
    if not config.get("host"):
        config["host"] = _whatwg.decode_uri_component(hostname)
    elif hostname[:3].lower() == "%2f":
        pathname = f"/{hostname}{pathname}"
    if not config.get("port"):
        config["port"] = url.port
    config["database"] = _whatwg.decode_uri(pathname[1:]) if pathname[1:] else None


def _tls(config: Config, version: Version, files: Files) -> None:
    if config.get("ssl") in ("true", "1"):
        config["ssl"] = True
    elif config.get("ssl") == "0":
        config["ssl"] = False
    mode = config.get("sslmode") if version >= MODES else None
    if mode or any(config.get(name) for name, _ in FILES):
        config["ssl"] = {}
    if version >= DIRECT and config.get("sslnegotiation") == "direct" and "ssl" not in config:
        config["ssl"] = True
    for name, option in FILES:
        if config.get(name):
            config["ssl"][option] = {"file": _readable(config[name], files)}
    if version >= COMPAT and config.get("uselibpqcompat") == "true":
        _compatible(config, mode, files)
    elif mode == "disable":
        config["ssl"] = False
    elif mode == "no-verify":
        config["ssl"]["rejectUnauthorized"] = False


def _compatible(config: Config, mode: str | None, files: Files) -> None:
    """uselibpqcompat=true: libpq's words with libpq's weakness."""
    if mode == "disable":
        config["ssl"] = False
    elif mode == "prefer" or (mode == "require" and not config.get("sslrootcert")):
        config["ssl"]["rejectUnauthorized"] = False
    elif mode == "verify-ca" and not _has_text(config["ssl"].get("ca"), files):
        raise SettingsError("SECURITY WARNING: Using sslmode=verify-ca requires specifying a CA with sslrootcert")
    elif mode in ("require", "verify-ca"):
        config["ssl"]["checkServerIdentity"] = NO_CHECK


NO_CHECK = "function () {}"
"""What stands for the empty function that pg-connection-string gives to Node as ``checkServerIdentity``."""


def _has_text(ca: Any, files: Files) -> bool:
    return bool(ca) and files(ca["file"]).content != b""


def _readable(path: str, files: Files) -> str:
    file = files(path)
    if file.state is FileState.MISSING or "\0" in path:
        raise SettingsError(f"ENOENT: no such file or directory, open '{path}'")
    if file.state is FileState.FOLDER:
        raise SettingsError("EISDIR: illegal operation on a directory, read")
    return path
