"""
The text of one connection line → what it says. Applied once to each distinct line.

Sources: ``PerformAuthentication`` in ``src/backend/utils/init/postinit.c``, ``be_tls_open_server`` in
``src/backend/libpq/be-secure-openssl.c``, ``ClientAuthentication`` in ``src/backend/libpq/auth.c``, ``ProcessStartupPacket``;
PostgreSQL 11 to 18.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ._rollup import Event

LOCAL = "local"
LONGEST_CAUSE = 300

# The end of the line decides: whatever stands before it is the client's own text.
_TLS = re.compile(
    r" SSL enabled \(protocol=(?P<protocol>TLSv1(?:\.[0-3])?|SSLv3), cipher=(?P<cipher>[A-Z0-9_-]+), bits=[0-9]+"
    r"(?:, compression=(?:on|off))?\)\Z"
)
_GSS = re.compile(r" GSS \(authenticated=(?:yes|no), encrypted=(?P<encrypted>yes|no)(?:, [a-z_]+=[^,()]*)*\)\Z")
_NAMES = re.compile(r'user "(?P<user>[^"]*)"')
_DATABASE = re.compile(r'database "(?P<database>[^"]*)"')
_HOST = re.compile(r'for (?:replication connection from )?host "(?P<host>[^"]*)"')

ADDRESS_LENGTH = 255

BEFORE_LOGIN: tuple[str, ...] = (
    "no pg_hba.conf entry for ",
    "pg_hba.conf rejects ",
    "no such pg_hba.conf",
    "connection requires a valid client certificate",
    "role ",
    "sorry, too many clients already",
    "remaining connection slots are reserved",
    "number of requested standby connections exceeds",
    "too many connections for role",
    "the database system is ",
    "unsupported frontend protocol",
    "no PostgreSQL user name specified",
    "canceling authentication due to timeout",
    "expected password response",
    "invalid length of startup packet",
    "received direct SSL connection request",
    "channel binding",
)
AUTHENTICATION_FAILED = re.compile(r"\A[A-Za-z0-9()/ -]{1,40} authentication failed for user ")
ENCRYPTION: tuple[tuple[str, str], ...] = (
    (", no encryption", "plaintext"),
    (", SSL off", "plaintext"),
    (", SSL encryption", "tls"),
    (", SSL on", "tls"),
    (", GSS encryption", "gss"),
)


class Said(NamedTuple):
    """What one line says; ``address`` only where the text itself names it."""

    event: Event
    user: str = ""
    database: str = ""
    application: str = ""
    encryption: str = ""
    protocol: str = ""
    cipher: str = ""
    cause: str = ""
    address: str = ""
    needs_head: bool = False


def read(text: str) -> Said | None:
    """What *text*, a message without its severity, says of a connection; None when it is about something else."""
    for opening, parse in PARSERS:
        if text.startswith(opening):
            return parse(text[len(opening) :])
    return None


def read_fatal(text: str) -> Said | None:
    """What a FATAL message says of a login; None when it is about a session that was there already."""
    if not (text.startswith(BEFORE_LOGIN) or AUTHENTICATION_FAILED.match(text)):
        return None
    if text.startswith("role ") and not text.endswith((" does not exist", " is not permitted to log in")):
        return None
    user, database, host = _NAMES.search(text), _DATABASE.search(text), _HOST.search(text)
    encryption = next((way for words, way in ENCRYPTION if text.endswith(words)), "")
    # Names are the client's: they are told apart, and left out of the cause, so that equal causes are equal.
    cause = re.sub(r'"[^"]*"', "…", text)[:LONGEST_CAUSE]
    return Said(
        Event.REFUSED,
        user["user"] if user else "",
        database["database"] if database else "",
        encryption=encryption,
        cause=cause,
        address=LOCAL if host and host["host"] == "[local]" else host["host"] if host else "",
    )


def _authorized(text: str) -> Said:
    encryption, protocol, cipher = "plaintext", "", ""
    gss = _GSS.search(text) if " GSS (" in text else None
    if gss:
        text = text[: gss.start()]
        encryption = "gss" if gss["encrypted"] == "yes" else "plaintext"
    begin = text.rfind(" SSL enabled (")
    tls = _TLS.match(text, begin) if begin >= 0 else None
    if tls and (tls["protocol"] == "TLSv1.3") is tls["cipher"].startswith("TLS_"):
        text = text[:begin]
        encryption, protocol, cipher = "tls", tls["protocol"], tls["cipher"]
    text, _, application = text.partition(" application_name=")
    user, _, database = text.partition(" database=")
    return Said(Event.SESSION, user, database, application, encryption, protocol, cipher)


def _received(text: str) -> Said:
    host = text.split(" ", 1)[0]
    return Said(Event.RECEIVED, address=LOCAL if host == "[local]" else host[:ADDRESS_LENGTH])


def _failed(text: str) -> Said:
    return Said(Event.FAILED, encryption="tls", cause=text[:LONGEST_CAUSE])


def _cut(text: str) -> Said:
    return Said(Event.FAILED, cause=text[:LONGEST_CAUSE], needs_head=True)


PARSERS = (
    ("connection authorized: user=", _authorized),
    ("replication connection authorized: user=", _authorized),
    ("connection received: host=", _received),
    ("could not accept SSL connection: ", _failed),
    ("could not receive data from client: ", _cut),
)
