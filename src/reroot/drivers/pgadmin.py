"""pgAdmin 4: psycopg 3 with the server dialog's own names, and file names that must exist to count."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import FileState, Given, Settings
from . import _libpq, psycopg, psycopg2
from ._driver import Driver

# Top-level names of servers.json; those of the connection parameters are libpq's own.
NAMES: Mapping[str, str] = {
    "Host": "host",
    "HostAddr": "hostaddr",
    "Port": "port",
    "MaintenanceDB": "dbname",
    "Username": "user",
    "Service": "service",
    "SSLMode": "sslmode",
    "SSLRootCert": "sslrootcert",
    "SSLCert": "sslcert",
    "SSLKey": "sslkey",
    "SSLCrl": "sslcrl",
    "PassFile": "passfile",
    "Timeout": "connect_timeout",
}
FILES = frozenset({"passfile", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir"})
"""Parameters whose file must exist: get_complete_file_path() gives nothing for one that does not, and it is left out."""
OTHERS = frozenset(
    {
        "Name", "Group", "Role", "Comment", "Shared", "SharedUsername", "BGColor", "FGColor", "UseSSHTunnel", "TunnelHost",
        "TunnelPort", "TunnelUsername", "TunnelAuthentication", "TunnelIdentityFile", "TunnelKeepAlive", "KerberosAuthentication",
        "SSLCompression", "DBRestriction", "DBRestrictionType", "ConnectionParameters", "PasswordExecCommand",
        "PasswordExecExpiration", "Tags", "PostConnectionSQL",
    }
)  # fmt: skip


def read(given: Given) -> Settings:
    """An entry of servers.json, of which other names than its own are passed over, or libpq's own names. Parameters of the new form win over the old top-level ones."""
    parameters = given.options.get("ConnectionParameters")
    is_entry = any(name in NAMES or name in OTHERS for name in given.options)
    written = {n: v for n, v in given.options.items() if n in NAMES} if is_entry else given.options
    top = psycopg2.options(written, OTHERS, NAMES)
    found = {**top, **(parameters if isinstance(parameters, Mapping) else {})}
    kept = {name: value for name, value in found.items() if _counts(given, name, value)}
    return _libpq.effective(given, [*psycopg2.text_pairs(given), *_libpq.from_options(kept)])


def _counts(given: Given, name: str, value: object) -> bool:
    if name not in FILES:
        return True
    path = _libpq.text_of(value) if value is not None else ""
    if name == "sslrootcert" and path == "system":
        return True
    return bool(path) and given.files(path).state in {FileState.FOUND, FileState.UNREADABLE}


DRIVER = Driver(
    name="pgadmin",
    title="pgAdmin 4",
    source="https://www.pgadmin.org/docs/pgadmin4/latest/import_export_servers.html",
    versions="4 of 7.0 and later, on libpq 12 to 18",
    proven=("9.18",),
    possible=_libpq.possible,
    read=read,
    policy=psycopg.policy,
)
