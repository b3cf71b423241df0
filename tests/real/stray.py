"""
One word too many: what is left in a connection string by a typo, by another driver's manual or by the version before.

``strayed`` puts it into a case as it was spelled, wherever that driver takes words: a URL's query, a connection string, options.
Some drivers pass such a word over, some call it an error, and some hand it to the server, which ends the login.
"""

from __future__ import annotations

import random
from typing import Any
from urllib.parse import quote

MISSING = "/nowhere/file.pem"
WORDS = tuple(
    (name, value)
    for name, values in {
        # Typos and other drivers' spellings of what decides.
        **{"sslmod": ("verify-full",), "ssl_mode": ("verify-full", "disable"), "sslMode": ("verify-full", "disable")},
        **{
            "SSLMODE": ("disable",),
            "ssl-mode": ("require",),
            "sslRootCert": (MISSING,),
            "sslca": (MISSING,),
            "ssl_ca": (MISSING,),
        },
        **{"ssl": ("require", "verify-full", "1", "0", "false", "no-verify", "on", "true", "prefer", ""), "tls": ("true",)},
        **{"sslaccept": ("strict", "accept_invalid_certs"), "rejectUnauthorized": ("false", "true"), "uselibpqcompat": ("true",)},
        **{"requiressl": ("1", "0"), "Trust Server Certificate": ("true",), "TrustServerCertificate": ("true",)},
        **{"sslfactory": ("", "org.postgresql.ssl.DefaultJavaSSLFactory"), "sslhostnameverifier": ("",), "sslinline": ("true",)},
        # libpq's own, well and badly said.
        **{"sslrootcert": (MISSING, "", "system"), "sslcert": (MISSING,), "sslkey": (MISSING,)},
        **{
            "sslcompression": ("1",),
            "sslnegotiation": ("postgres", "bogus", "direct"),
            "sslsni": ("0", "1"),
            "sslcrl": (MISSING,),
        },
        **{"ssl_min_protocol_version": ("TLSv1.3", "bogus"), "ssl_max_protocol_version": ("TLSv1.1",), "sslcrldir": (MISSING,)},
        **{
            "sslcertmode": ("disable", "require", "allow"),
            "channel_binding": ("disable", "bogus"),
            "channelBinding": ("disable",),
        },
        **{
            "gssencmode": ("disable", "bogus"),
            "gssEncMode": ("disable",),
            "target_session_attrs": ("any", "read-write", "bogus"),
        },
        **{
            "targetServerType": ("primary",),
            "connect_timeout": ("5",),
            "tcp_user_timeout": ("500",),
            "keepalives": ("0",),
        },
        **{"application_name": ("x",), "fallback_application_name": ("y",), "load_balance_hosts": ("random",)},
        **{"require_auth": ("none", "password"), "krbsrvname": ("p",), "passfile": ("/nowhere",), "client_encoding": ("UTF8",)},
        **{
            "min_protocol_version": ("3.0",),
            "max_protocol_version": ("latest",),
            "oauth_issuer": ("x",),
            "service": ("nothere",),
        },
        # Of pools, frameworks and other layers.
        **{
            "pgbouncer": ("true",),
            "schema": ("public",),
            "connection_limit": ("3",),
            "pool_timeout": ("3",),
            "Pooling": ("false",),
        },
        **{"prepareThreshold": ("0",), "loginTimeout": ("5",), "statement_cache_capacity": ("0",), "binary_parameters": ("yes",)},
        **{"default_query_exec_mode": ("simple_protocol",), "TimeZone": ("UTC",), "serverVersion": ("15",), "charset": ("utf8",)},
        **{
            "encoding": ("utf8",),
            "max_idle": ("1",),
            "currentSchema": ("public",),
            "statement_timeout": ("5000",),
            "my.own": ("1",),
        },
    }.items()
    for value in values
)
SPELLINGS = (
    *(
        "verify_full",
        "VERIFY-FULL",
        "Verify-Full",
        "verify-full ",
        "Require",
        "true",
        "1",
        "",
        "none",
        "on",
        "off",
        "false",
        "no-verify",
    ),
    *("verifyfull", "VerifyFull", "strict", "required", "Prefer", "enable", "DISABLE"),
)


def drawn(chance: random.Random) -> str:
    """A word with its value, or (in a third of all cases) another way to write the mode."""
    if chance.random() < 0.3:
        return f"sslmode={chance.choice(SPELLINGS)}"
    return "=".join(chance.choice(WORDS))


def strayed(spelled: dict[str, Any], word: str, mode: str | None) -> dict[str, Any] | None:
    """*spelled* with *word* in it, for ``sslmode`` in place of the *mode* that stands there; None where there is no place for it."""
    name, _, value = word.partition("=")
    dsn, settings = spelled.get("dsn"), spelled.get("settings")
    if isinstance(dsn, str) and dsn:
        text = _in_place(dsn, mode, value) if name == "sslmode" else _behind(dsn, name, value)
        return None if text is None else spelled | {"dsn": text}
    if not isinstance(settings, dict):
        return None
    if name != "sslmode":
        return spelled | {"settings": settings | {name: value}}
    key = next((k for k, v in settings.items() if mode is not None and v == mode), None)
    return None if key is None else spelled | {"settings": settings | {key: value}}


def _in_place(dsn: str, mode: str | None, value: str) -> str | None:
    if mode is None or f"={mode}" not in dsn:
        return None
    written = quote(value) if "://" in dsn else value if ";" in dsn else f"'{value}'"
    return dsn.replace(f"={mode}", f"={written}", 1)


def _behind(dsn: str, name: str, value: str) -> str:
    if "://" in dsn:
        return f"{dsn}{'&' if '?' in dsn else '?'}{quote(name)}={quote(value, safe='/')}"
    if ";" in dsn or dsn.startswith(("pgsql:", "dbi:")):
        return f"{dsn};{name}={value}"
    return f"{dsn} {name.replace(' ', '_')}='{value}'"
