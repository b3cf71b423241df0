"""The worker for Rust's drivers, as PyPI ships them. One JSON object a line, in and out, as python_clients.py does.

    python rust_clients.py sqlx-cli PATH-OF-sqlx    sqlx over native-tls: a migration that says whether it runs over TLS
    python rust_clients.py rsqlx                    sqlx over rustls
    python rust_clients.py quaint                   quaint (Prisma's engine to version 6) over native-tls, in pysqlx-core
"""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import version
from urllib.parse import quote

QUESTION = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
SECONDS = 20


class Refused(Exception):
    pass


def openssl():
    told = subprocess.run(["openssl", "version"], capture_output=True, text=True).stdout.split()
    return told[1] if len(told) > 1 else ""


class SqlxCli:
    MIGRATION = f"do $$ begin raise exception 'ssl is %', ({QUESTION}); end $$;"

    def __init__(self, path):
        self.path = path
        told = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.split()[1]
        self.hello = {"driver": "sqlx", "driver_version": told, "runtime": {"tls": "native-tls", "openssl": openssl()}}
        self.folder = tempfile.mkdtemp(prefix="reroot-sqlx-")
        with open(os.path.join(self.folder, "1_ask.sql"), "w") as file:
            file.write(self.MIGRATION)

    def __call__(self, case):
        url = case["dsn"] + ("&" if "?" in case["dsn"] else "?") + quote("options[search_path]") + "=pg_temp"
        command = [self.path, "migrate", "run", "--connect-timeout", "3", "--source", self.folder, "-D", url]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        told = re.search(r"ssl is ([tf])", done.stderr + done.stdout)
        if not told:
            raise Refused(done.stderr)
        return told[1] == "t"


class Rsqlx:
    def __init__(self):
        import rsqlx

        self.module = rsqlx
        runtime = {"tls": "rustls", "rustls": "0.23.40"}
        self.hello = {"driver": "sqlx", "driver_version": version("rsqlx"), "runtime": runtime}

    def __call__(self, case):
        return asyncio.run(asyncio.wait_for(self.ask(case["dsn"]), SECONDS))

    async def ask(self, dsn):
        pool = await self.module.connect(dsn, max_connections=1, acquire_timeout=3)
        try:
            return (await pool.fetch(QUESTION))[0]["ssl"]
        finally:
            await pool.close()


class Quaint:
    def __init__(self):
        import pysqlx_core

        self.module = pysqlx_core
        self.hello = {"driver": "prisma", "driver_version": "5.0.0", "runtime": {"engine": "rust", "openssl": "1.1.1"}}

    def __call__(self, case):
        return asyncio.run(asyncio.wait_for(self.ask(case["dsn"]), SECONDS))

    async def ask(self, dsn):
        connection = await self.module.new(uri=dsn)
        statement = self.module.PySQLxStatement(provider="postgresql", sql=QUESTION)
        return (await connection.query_typed(statement)).get_all()[0]["ssl"]


WORKERS = {"sqlx-cli": SqlxCli, "rsqlx": Rsqlx, "quaint": Quaint}


def main():
    # A driver that prints must not disturb the conversation.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = WORKERS[sys.argv[1]](*sys.argv[2:])
    print(json.dumps(worker.hello), file=answers)
    base = dict(os.environ)
    for line in sys.stdin:
        case = json.loads(line)
        os.environ.clear()
        os.environ.update(base)
        os.environ["HOME"] = case["home"]
        os.environ.update(case.get("env") or {})
        try:
            answer = {"outcome": "tls" if worker(case) else "plaintext", "error": ""}
        except Refused as error:
            answer = {"outcome": "refused", "error": str(error).strip()}
        except Exception as error:
            answer = {"outcome": "refused", "error": f"{type(error).__name__}: {error}".strip()}
        answer["id"] = case["id"]
        print(json.dumps(answer), file=answers)
    answers.flush()
    os._exit(0)


main()
