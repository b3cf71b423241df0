"""
The worker for libraries of Python that stand on another driver: SQLAlchemy, Django, Tortoise, aiopg and pgcli.

    python wrapper_clients.py NAME

Speaks JSON lines as python_clients.py does; it runs under the interpreter that has the library.
"""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
from importlib.metadata import version

QUESTION = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
SECONDS = 20


def libpq_runtime():
    import psycopg

    program = "import ctypes, os, psycopg\n" + OPENSSL
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout.strip()
    number = psycopg.pq.version()
    return {"libpq": f"{number // 10000}.{number % 10000}", "openssl": found, "psycopg": psycopg.__version__}


OPENSSL = """
psycopg.pq.version()
paths = {"/" + l.rstrip().partition("/")[2] for l in open("/proc/self/maps") if "/" in l}
folders = {os.path.dirname(p) for p in paths if os.path.basename(p).startswith("libpq")}
beside = [p for p in paths if os.path.basename(p).startswith("libcrypto") and os.path.dirname(p) in folders]
if beside:
    library = ctypes.CDLL(beside[0])
    library.OpenSSL_version.restype = ctypes.c_char_p
    print(library.OpenSSL_version(0).decode().split()[1])
"""


def ssl_runtime():
    return {"openssl": ssl.OPENSSL_VERSION.split()[1], "python": ".".join(map(str, sys.version_info[:3]))}


def context_of(spec):
    context = ssl.create_default_context(cafile=spec.get("cafile"))
    if spec.get("check_hostname") is False:
        context.check_hostname = False
    if "verify_mode" in spec:
        context.verify_mode = ssl.VerifyMode[spec["verify_mode"]]
    return context


class SqlAlchemy:
    """`create_engine()`, or for asyncpg its asynchronous twin."""

    def __init__(self, driver):
        self.driver = driver
        if driver in ("asyncpg", "pg8000"):
            runtime = {**ssl_runtime(), driver: version(driver)}
        elif driver == "psycopg":
            runtime = libpq_runtime()
        else:
            import psycopg2

            number = psycopg2.extensions.libpq_version()
            runtime = {"libpq": f"{number // 10000}.{number % 10000}", "psycopg2": psycopg2.__version__.split()[0]}
        self.loop = asyncio.new_event_loop()
        self.hello = {"driver": "sqlalchemy", "driver_version": version("sqlalchemy"), "runtime": runtime}

    def __call__(self, case):
        arguments = dict(case.get("settings") or {})
        name = "ssl" if self.driver == "asyncpg" else "ssl_context"
        if isinstance(arguments.get("ssl_context"), dict):
            arguments[name] = context_of(arguments.pop("ssl_context"))
        if self.driver == "asyncpg":
            return self.loop.run_until_complete(asyncio.wait_for(self.ask(case["dsn"], arguments), SECONDS))
        from sqlalchemy import create_engine, text
        from sqlalchemy.pool import NullPool

        engine = create_engine(case["dsn"], connect_args=arguments, poolclass=NullPool)
        with engine.connect() as connection:
            return bool(connection.execute(text(QUESTION)).scalar())

    async def ask(self, url, arguments):
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine
        from sqlalchemy.pool import NullPool

        engine = create_async_engine(url, connect_args=arguments, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                return bool((await connection.execute(text(QUESTION))).scalar())
        finally:
            await engine.dispose()


class Django:
    def __init__(self):
        import django
        from django.conf import settings

        settings.configure(DATABASES={}, USE_TZ=True)
        django.setup()
        self.hello = {"driver": "django", "driver_version": django.get_version(), "runtime": libpq_runtime()}

    def __call__(self, case):
        from django.db import ConnectionHandler

        entry = {"ENGINE": "django.db.backends.postgresql", **(case.get("settings") or {})}
        if case.get("dsn"):
            import dj_database_url

            entry = dj_database_url.parse(case["dsn"])
        connection = ConnectionHandler({"default": entry})["default"]
        try:
            with connection.cursor() as cursor:
                cursor.execute(QUESTION)
                return bool(cursor.fetchone()[0])
        finally:
            connection.close()


class Tortoise:
    def __init__(self):
        runtime = {**ssl_runtime(), "asyncpg": version("asyncpg")}
        self.hello = {"driver": "tortoise", "driver_version": version("tortoise-orm"), "runtime": runtime}
        self.loop = asyncio.new_event_loop()

    def __call__(self, case):
        return self.loop.run_until_complete(asyncio.wait_for(self.ask(case), SECONDS))

    async def ask(self, case):
        from tortoise.backends.asyncpg.client import AsyncpgDBClient
        from tortoise.backends.base.config_generator import expand_db_url

        credentials = expand_db_url(case["dsn"])["credentials"] if case.get("dsn") else dict(case["settings"])
        if isinstance(credentials.get("ssl"), dict):
            credentials["ssl"] = context_of(credentials["ssl"])
        client = AsyncpgDBClient(connection_name="default", **credentials)
        await client.create_connection(with_db=True)
        try:
            rows = await client.execute_query_dict(QUESTION)
            return rows[0]["ssl"]
        finally:
            await client.close()


class Aiopg:
    def __init__(self):
        import psycopg2

        number = psycopg2.extensions.libpq_version()
        runtime = {"libpq": f"{number // 10000}.{number % 10000}", "psycopg2": psycopg2.__version__.split()[0]}
        self.hello = {"driver": "aiopg", "driver_version": version("aiopg"), "runtime": runtime}
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)

    def __call__(self, case):
        # It never comes back where libpq opens a second connection.
        return self.loop.run_until_complete(asyncio.wait_for(self.ask(case), 3))

    async def ask(self, case):
        import aiopg

        async with aiopg.connect(case.get("dsn"), **(case.get("settings") or {})) as connection:
            return connection.raw.info.ssl_in_use


class Pgcli:
    """`pgcli --list` connects, lists the databases and says nothing of TLS: its connection is asked on the way.

    Each case runs in a child of this process: pgcli takes 0.6 s to be imported, and leaves by sys.exit().
    """

    def __init__(self):
        self.hello = {"driver": "pgcli", "driver_version": version("pgcli"), "runtime": libpq_runtime()}
        import pgcli.main  # noqa: F401

    def __call__(self, case):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            pgcli_child(case["dsn"], writing)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            said = pipe.read()
        os.waitpid(child, 0)
        if "TLS=" not in said:
            raise RuntimeError(said.strip()[-300:] or "no connection")
        return "TLS=True" in said


def pgcli_child(dsn, writing):
    signal.alarm(SECONDS)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number in (1, 2):
        os.dup2(writing, number)
    from pgcli.main import cli
    from pgcli.pgexecute import PGExecute

    connect = PGExecute.connect

    def watched(self, *arguments, **options):
        connect(self, *arguments, **options)
        print(f"TLS={self.conn.pgconn.ssl_in_use}", flush=True)

    PGExecute.connect = watched
    sys.argv = ["pgcli", "--no-password", "--list", dsn]
    try:
        cli()
    except BaseException as error:
        os.write(writing, str(error).encode())
    os._exit(0)


WORKERS = {
    "sqlalchemy-psycopg2": lambda: SqlAlchemy("psycopg2"),
    "sqlalchemy-psycopg": lambda: SqlAlchemy("psycopg"),
    "sqlalchemy-asyncpg": lambda: SqlAlchemy("asyncpg"),
    "sqlalchemy-pg8000": lambda: SqlAlchemy("pg8000"),
    "django": Django,
    "tortoise": Tortoise,
    "aiopg": Aiopg,
    "pgcli": Pgcli,
}


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    worker = WORKERS[sys.argv[1]]()
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
        except BaseException as error:
            answer = {"outcome": "refused", "error": f"{type(error).__name__}: {error}".strip()[:600]}
        answer["id"] = case["id"]
        print(json.dumps(answer), file=answers)
    answers.flush()
    os._exit(0)


main()
