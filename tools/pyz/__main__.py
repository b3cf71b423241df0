"""
reroot-probe: one file and nothing but Python 3.11, to be carried to where an application runs.

    python3 reroot-probe.pyz probe HOST[:PORT]... [--roots FILE]   what servers serve, and which trust store of this machine takes it
    python3 reroot-probe.pyz rehearse --next FILE --server HOST[:PORT] -- COMMAND...
    ssh host python3 - probe db1 < reroot-probe.pyz                         the same without leaving a file there

Rehearsing without dependencies needs the next chain with its key in FILE, and leads by PGHOSTADDR, Java's hosts file or namespaces.
Prints JSON. Exit code 1: something stands in the way; 4: something could not be told.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import ssl
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reroot.collect._conversation import Answer, Seen, context, converse
from reroot.errors import RerootError
from reroot.rehearsal import Act, Proof
from reroot.wire import ACCEPTED, ssl_request


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="reroot-probe", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="verb", required=True)
    probe = commands.add_parser("probe")
    probe.add_argument("servers", nargs="+", metavar="HOST[:PORT]")
    probe.add_argument("--roots", action="append", default=[], metavar="FILE")
    probe.add_argument("--timeout", type=float, default=5.0)
    rehearse = commands.add_parser("rehearse")
    rehearse.add_argument("--next", required=True, metavar="FILE", help="chain and key, PEM")
    rehearse.add_argument("--server", required=True, action="append", metavar="HOST[:PORT]")
    rehearse.add_argument("--way", default="")
    rehearse.add_argument("command", nargs="+")
    given = parser.parse_args()
    try:
        found, code = _probe(given) if given.verb == "probe" else _rehearse(given)
    except RerootError as error:
        print(f"error: {error.message}\n\nhint: {error.hint}" if error.hint else f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    print(json.dumps(found, indent=2))
    return code


def place(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or (":" in host.strip("[]") and not host.startswith("[")):
        return text.strip("[]"), 5432
    return host.strip("[]"), int(port)


# ── probe ────────────────────────────────────────────────────────────────────────────────────────


def stores(more: list[str]) -> dict[str, dict[str, str]]:
    """The trust stores that programs of this machine may use, by the name that they are known by."""
    paths = ssl.get_default_verify_paths()
    own = os.path.expanduser("~/.postgresql/root.crt")
    found = {f"system ({paths.openssl_cafile})": {}} if (paths.cafile or paths.capath) else {}
    for name in (os.environ.get("PGSSLROOTCERT", ""), own, *more):
        if name and name != "system" and os.path.exists(name):
            found[name] = {"cafile": name}
    return found


def _probe(given: argparse.Namespace) -> tuple[dict[str, Any], int]:
    rows = []
    for text in given.servers:
        host, port = place(text)
        seen = shake(host, port, given.timeout, context())
        row = {"server": f"{host}:{port}", "answer": seen.answer.value, "tls": seen.protocol, "why": seen.why, "hint": seen.hint}
        row["chain"] = [ssl.DER_cert_to_PEM_cert(der) for der in seen.chain]
        row["stores"] = (
            {name: verified(host, port, given.timeout, how) for name, how in stores(given.roots).items()} if seen.chain else {}
        )
        rows.append(row)
    answered = all(row["chain"] or row["answer"] == Answer.NO_TLS.value for row in rows)
    taken = all(row["chain"] and "" in row["stores"].values() for row in rows)
    return {"schema": "reroot/pyz-probe/1", "complete": answered, "servers": rows}, 0 if taken else 1 if answered else 4


def verified(host: str, port: int, timeout: float, how: dict[str, str]) -> str:
    """``""`` when a checking handshake succeeds with this store and this host name, else OpenSSL's words."""
    try:
        checking = ssl.create_default_context(**how)  # type: ignore[arg-type]
    except (OSError, ssl.SSLError) as error:
        return f"cannot be read: {error}"
    try:
        with socket.create_connection((host, port), timeout) as sock:
            sock.sendall(ssl_request())
            if sock.recv(1) != ACCEPTED:
                return "no TLS"
            with checking.wrap_socket(sock, server_hostname=host):
                return ""
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except OSError as error:
        return str(error.strerror or error)


def shake(host: str, port: int, timeout: float, how: ssl.SSLContext) -> Seen:
    try:
        sock = socket.create_connection((host, port), timeout)
    except OSError as error:
        return Seen(Answer.UNREACHABLE, why=f"no connection: {error.strerror or error}", hint="check the name and the route")
    with sock:
        talk = converse(how, host, direct=False)
        try:
            out = next(talk)
            while True:
                if out:
                    sock.sendall(out)
                out = talk.send(sock.recv(16384))
        except StopIteration as end:
            seen: Seen = end.value
            if seen.farewell:
                sock.sendall(seen.farewell)
            return seen
        except OSError as error:
            return Seen(Answer.HANDSHAKE_FAILED, why=f"the connection broke: {error}")


# ── rehearse ─────────────────────────────────────────────────────────────────────────────────────


@dataclass(eq=False)
class PemScene:
    """What an act presents, from PEM."""

    act: Act
    chain_pem: bytes
    key_pem: bytes
    proof: Proof = Proof.GIVEN
    hold: float = 0.0
    old_tls: bool = False
    through: None = None
    prepared: dict[str, Any] = field(default_factory=dict)


def _rehearse(given: argparse.Namespace) -> tuple[dict[str, Any], int]:
    from _p256 import control

    from reroot.collect.rehearse.command import Place, rehearse

    places = [Place(*place(text)) for text in given.server]
    both = Path(given.next).read_bytes()
    acts: list[Any] = [PemScene(Act.CONTROL, *control([p.host for p in places])), PemScene(Act.NEXT, both, both)]
    seen = rehearse(given.command, places, acts, way=given.way)
    c = seen.conclusion
    found = {
        "schema": "reroot/pyz-rehearsal/1",
        "complete": c.trust.value != "cannot-tell",
        "led_by": seen.way.name,
        "trust": c.trust.value,
        "falls_back_to_plaintext": c.falls_back,
        "reasons": [reason.text for reason in c.reasons],
        "hint": c.hint,
    }
    return found, {"trusts": 0, "cannot-tell": 4}.get(c.trust.value, 1)


if __name__ == "__main__":
    sys.exit(main())
