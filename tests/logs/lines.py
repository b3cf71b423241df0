"""Lines as servers write them, each layout by its own builder."""

from __future__ import annotations

import json

from reroot.logs import RDS, Event, rollup

DEBIAN = "%m [%p] %q%u@%d "
TLS13 = "SSL enabled (protocol=TLSv1.3, cipher=TLS_AES_256_GCM_SHA384, bits=256)"
TLS12_11 = "SSL enabled (protocol=TLSv1.2, cipher=ECDHE-RSA-AES256-GCM-SHA384, bits=256, compression=off)"
AT = "2026-11-23 10:15:00 UTC"

FORGED = f"connection authorized: user=admin database=fake application_name=x {TLS13}"
KNOWN = f"connection authorized: user=app database=orders {TLS13}"
CAME = "connection received: host=10.0.0.7 port=51000"


def rds(
    message: str, severity: str = "LOG", host: str = "10.0.0.7(51000)", who: str = "[unknown]@[unknown]", pid: int = 70
) -> bytes:
    return f"{AT}:{host}:{who}:[{pid}]:{severity}:  {message}\n".encode()


def one(chunk: bytes, how: str = RDS) -> tuple[object, ...]:
    """The only row that is no arrival, without server, hour and what is empty."""
    found = rollup(chunk, how).settled()
    (row,) = (r for r in found.rows if r.event != Event.RECEIVED.value)
    return row[2:]


def debian(pid: int, message: str, severity: str = "LOG", who: str = "[unknown]@[unknown]", at: str = "10:15:00") -> bytes:
    return f"2026-11-23 {at}.123 UTC [{pid}] {who} {severity}:  {message}\n".encode()


def csv(
    message: str, user: str = '"app"', severity: str = "LOG,00000", host: str = '"10.0.0.7:51000"', application: str = ""
) -> bytes:
    quoted = message.replace('"', '""')
    return (
        f'2026-11-23 10:15:00.123 UTC,{user},"orders",70,{host},6560.46,2,"authentication",2026-11-23 10:14:59 UTC,3/2,0,{severity},'
        f'"{quoted}",,,,,,,,,"{application}","client backend",,0\n'
    ).encode()


def json_line(message: str, **more: object) -> bytes:
    line = {
        "timestamp": "2026-11-23 10:15:00.123 UTC", "user": "app", "dbname": "orders", "pid": 70, "remote_host": "10.0.0.7",
        "remote_port": 5, "session_id": "6560.46", "line_num": 2, "ps": "authentication", "session_start": "2026-11-23 10:14:59 UTC",
        "vxid": "3/2", "txid": 0, "error_severity": "LOG", "message": message, "backend_type": "client backend", "query_id": 0,
    }  # fmt: skip
    return (json.dumps(line | more, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
