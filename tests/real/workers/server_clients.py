"""
The worker for what connects from inside a PostgreSQL server: dblink, postgres_fdw and CREATE SUBSCRIPTION of one started for it.

    python server_clients.py dblink|postgres-fdw|subscription

Speaks JSON lines as python_clients.py does. The home folder and the environment are the server's, and hold nothing.
"""

import json
import os
import shutil
import subprocess
import sys

import psycopg
from psycopg import sql

from reroot.lab.postgres import Postgres, installations

LIBRARIES = """
import ctypes, sys
libpq = ctypes.CDLL("libpq.so.5")
crypto = ctypes.CDLL("libcrypto.so.3")
crypto.OpenSSL_version.restype = ctypes.c_char_p
print(libpq.PQlibVersion(), crypto.OpenSSL_version(0).decode().split()[1])
"""


def dblink(session, case):
    question = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
    return session.execute("select ssl from dblink(%s, %s) as t(ssl bool)", (case["dsn"], question)).fetchone()[0]


def postgres_fdw(session, case):
    options = dict(case["settings"])
    user = options.pop("user")
    listed = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in options.items())
    session.execute("drop server if exists other cascade")
    session.execute(sql.SQL("create server other foreign data wrapper postgres_fdw options ({})").format(listed))
    session.execute(sql.SQL("create user mapping for public server other options (user {})").format(sql.Literal(user)))
    remote = sql.SQL("create foreign table own_ssl (ssl bool) server other options (schema_name {}, table_name 'own_ssl')")
    session.execute(remote.format(sql.Literal(user)))
    return session.execute("select ssl from own_ssl").fetchone()[0]


def subscription(session, case):
    """It says that it connected, not how; so a server is asked that takes only one kind of login."""
    statement = sql.SQL("create subscription s connection {} publication p with (connect = true, create_slot = false, enabled = false)")
    session.execute(statement.format(sql.Literal(case["dsn"])))
    session.execute("alter subscription s set (slot_name = none)")
    session.execute("drop subscription s")
    return case["server"]["accepts"] == "hostssl"


ASK = {"dblink": dblink, "postgres-fdw": postgres_fdw, "subscription": subscription}


def runtime():
    told = subprocess.run(["/usr/bin/python3", "-c", LIBRARIES], capture_output=True, text=True).stdout.split()
    number = int(told[0])
    return {"libpq": f"{number // 10000}.{number % 10000}", "openssl": told[1]}


def main():
    name = sys.argv[1]
    # The environment of whoever runs this must not be the server's: a home that it may not enter is an error to libpq.
    os.environ["HOME"] = "/nonexistent"
    ask = ASK[name]
    debian = next(i for i in installations() if str(i.bin).startswith("/usr/lib/postgresql"))
    with Postgres(installation=debian, settings={"wal_level": "logical"}, name="outgoing") as server:
        # The lab lets its servers serve weak certificates; what goes out from this one must be as strict as Debian is.
        shutil.copyfile("/etc/ssl/openssl.cnf", server.folder / "openssl.cnf")
        server.restart()
        where = f"host={server.folder} port={server.port} user=postgres dbname=postgres"
        with psycopg.connect(where, autocommit=True) as session:
            if name != "subscription":
                session.execute(f"create extension {name.replace('-', '_')}")
            version = session.execute("show server_version").fetchone()[0].split()[0]
        print(json.dumps({"driver": name, "driver_version": version, "runtime": runtime()}), flush=True)
        for line in sys.stdin:
            case = json.loads(line)
            answer = {"id": case["id"], "outcome": "refused", "error": ""}
            try:
                # A server process holds a foreign server's connection as long as it lives itself.
                with psycopg.connect(where, autocommit=True) as session:
                    answer["outcome"] = "tls" if ask(session, case) else "plaintext"
            except psycopg.Error as error:
                answer["error"] = f"{type(error).__name__}: {error}".strip()
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
