"""
Connect to every target, again and again, with one real driver, and write down what came of it.

    python connects.py '{"driver": …, "results": FILE, "pause": SECONDS, "targets": {NAME: DSN}}'

One JSON object a line goes to the results: ``server``, ``began`` (seconds since the epoch), ``outcome`` (``tls``, ``plaintext``,
``refused``) and ``error``. Ends when its standard input is closed. It imports nothing of reroot: it stands for somebody's
program.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

QUESTION = "select ssl from pg_stat_ssl, pg_sleep(0.05) where pid = pg_backend_pid()"
"""The short sleep makes a session long enough to be seen by somebody who looks now and then."""
Connect = Callable[[str], bool]


def psql(dsn: str) -> bool:
    done = subprocess.run(
        [os.environ.get("REROOT_PSQL", "psql"), "-XAtc", QUESTION, dsn], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise ConnectionError(done.stderr.strip())
    return done.stdout.strip() == "t"


def psycopg(dsn: str) -> bool:
    import psycopg as driver

    with driver.connect(dsn) as connection:
        row = connection.execute(QUESTION).fetchone()
        return bool(row and row[0])


def psycopg2(dsn: str) -> bool:
    import psycopg2 as driver

    connection = driver.connect(dsn)
    try:
        cursor = connection.cursor()
        cursor.execute(QUESTION)
        return bool(cursor.fetchone()[0])
    finally:
        connection.close()


def asyncpg(dsn: str) -> bool:
    import asyncio

    import asyncpg as driver

    async def ask() -> bool:
        connection = await driver.connect(dsn)
        try:
            return bool(await connection.fetchval(QUESTION))
        finally:
            await connection.close()

    return asyncio.run(ask())


def in_house(dsn: str) -> bool:
    """A program that speaks PostgreSQL's first messages itself: nobody has rules for its driver."""
    import socket
    import ssl
    import struct

    host, port, name, user, roots, *source = dsn.split()
    with socket.create_connection((host, int(port)), 10, (source[0], 0) if source else None) as raw:
        raw.sendall(struct.pack("!II", 8, 80877103))
        if raw.recv(1) != b"S":
            raise ConnectionError("no TLS")
        context = ssl.create_default_context(cafile=roots)
        with context.wrap_socket(raw, server_hostname=name) as tls:
            start = struct.pack("!I", 196608) + f"user\0{user}\0database\0postgres\0application_name\0in-house\0\0".encode()
            tls.sendall(struct.pack("!I", len(start) + 4) + start)
            if tls.recv(1) != b"R":
                raise ConnectionError("not let in")
            tls.sendall(struct.pack("!cI", b"X", 4))
    return True


DRIVERS: dict[str, Connect] = {"psql": psql, "psycopg": psycopg, "psycopg2": psycopg2, "asyncpg": asyncpg, "in-house": in_house}


def attempt(connect: Connect, dsn: str) -> dict[str, Any]:
    began = time.time()
    try:
        outcome, error = ("tls" if connect(dsn) else "plaintext"), ""
    except Exception as problem:
        outcome, error = "refused", f"{type(problem).__name__}: {str(problem).strip()}"
    return {"began": began, "outcome": outcome, "error": error.replace("\n", " ")[:400]}


def main() -> None:
    job = json.loads(sys.argv[1])
    connect = DRIVERS[job["driver"]]
    over = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=watch, daemon=True).start()
    with open(job["results"], "a", encoding="utf-8") as results:
        while not over.is_set():
            for server, dsn in job["targets"].items():
                results.write(json.dumps({"server": server, **attempt(connect, dsn)}) + "\n")
                results.flush()
            over.wait(job["pause"])


if __name__ == "__main__":
    main()
