"""
The worker for every client that Python can drive: drivers of Python, libpq through ctypes, and programs started per case.

    python python_clients.py NAME [PATH]

Speaks JSON lines: first says who it is, then answers each case with ``tls``, ``plaintext`` or ``refused`` and the driver's
own words. Runs under the interpreter that has the driver, so it imports nothing of reroot.
"""

import asyncio
import atexit
import ctypes
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading

QUESTION = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
SECONDS = 20


def openssl_of():
    """The version of the OpenSSL that the loaded libpq is linked to: the one beside it, else the system's."""
    with open("/proc/self/maps") as maps:
        loaded = {"/" + line.rstrip("\n").partition("/")[2] for line in maps if "/" in line}
    folders = {os.path.dirname(path) for path in loaded if os.path.basename(path).startswith("libpq")}
    beside = sorted(p for p in loaded if os.path.basename(p).startswith("libcrypto") and os.path.dirname(p) in folders)
    return openssl_version(beside[0]) if beside else system_openssl()


def openssl_version(path):
    library = ctypes.CDLL(path)
    library.OpenSSL_version.restype = ctypes.c_char_p
    return library.OpenSSL_version(0).decode().split()[1]


def spell_libpq(number):
    return f"{number // 10000}.{number % 10000}"


def conninfo(settings):
    quoted = {k: str(v).replace("\\", "\\\\").replace("'", "\\'") for k, v in settings.items()}
    return " ".join(f"{k}='{v}'" for k, v in quoted.items())


class Refused(Exception):
    """The client did not get a connection; carries its words."""


# ── libpq and what is built on it ────────────────────────────────────────────────────────────────


class Libpq:
    """libpq itself, through ctypes."""

    def __init__(self, path):
        folder = os.path.dirname(os.path.realpath(path))
        # The OpenSSL beside it must be taken, not one that Python has loaded; RPATH of a bundled libpq sees to that.
        self.pq = ctypes.CDLL(path)
        self.pq.PQconnectdb.restype = ctypes.c_void_p
        self.pq.PQerrorMessage.restype = ctypes.c_char_p
        for name in ("PQstatus", "PQerrorMessage", "PQsslInUse", "PQfinish"):
            getattr(self.pq, name).argtypes = [ctypes.c_void_p]
        version = spell_libpq(self.pq.PQlibVersion())
        self.hello = {"driver": "libpq", "driver_version": version, "runtime": {"openssl": openssl_of()}}
        self.folder = folder

    def __call__(self, case):
        dsn = case.get("dsn") or conninfo(case["settings"])
        connection = self.pq.PQconnectdb(dsn.encode())
        try:
            if self.pq.PQstatus(connection) != 0:
                raise Refused(self.pq.PQerrorMessage(connection).decode("utf-8", "replace"))
            return bool(self.pq.PQsslInUse(connection))
        finally:
            self.pq.PQfinish(connection)


class Psycopg2:
    def __init__(self):
        import psycopg2

        self.module = psycopg2
        self.hello = {
            "driver": "psycopg2",
            "driver_version": psycopg2.__version__.split()[0],
            "runtime": {"libpq": spell_libpq(psycopg2.extensions.libpq_version()), "openssl": openssl_of(), "python": python()},
        }

    def __call__(self, case):
        connection = self.module.connect(case["dsn"]) if case.get("dsn") else self.module.connect(**case["settings"])
        try:
            return connection.info.ssl_in_use
        finally:
            connection.close()


class Psycopg:
    def __init__(self):
        import psycopg

        self.module = psycopg
        self.hello = {
            "driver": "psycopg",
            "driver_version": psycopg.__version__,
            "runtime": {"libpq": spell_libpq(psycopg.pq.version()), "openssl": openssl_of(), "python": python()},
        }

    def __call__(self, case):
        connection = self.module.connect(case["dsn"]) if case.get("dsn") else self.module.connect(**case["settings"])
        try:
            return connection.pgconn.ssl_in_use
        finally:
            connection.close()


# ── drivers with a TLS of their own ──────────────────────────────────────────────────────────────


def context_of(spec):
    """A Python ``ssl_context`` as the batch contract writes it."""
    if not isinstance(spec, dict):
        return spec
    context = ssl.create_default_context(cafile=spec.get("cafile"))
    if spec.get("check_hostname") is False:
        context.check_hostname = False
    if "verify_mode" in spec:
        context.verify_mode = ssl.VerifyMode[spec["verify_mode"]]
    return context


def python():
    return ".".join(map(str, sys.version_info[:3]))


def stdlib_openssl():
    return ssl.OPENSSL_VERSION.split()[1]


class Asyncpg:
    def __init__(self, loop=asyncio.new_event_loop, extra=None):
        import asyncpg

        self.module = asyncpg
        self.loop = loop()
        self.hello = {
            "driver": "asyncpg",
            "driver_version": asyncpg.__version__,
            "runtime": {"openssl": stdlib_openssl(), "python": python(), **(extra or {})},
        }

    def __call__(self, case):
        return self.loop.run_until_complete(asyncio.wait_for(self.connect(case), SECONDS))

    async def connect(self, case):
        settings = dict(case.get("settings") or {})
        if "ssl_context" in settings:
            settings["ssl"] = context_of(settings.pop("ssl_context"))
        connection = await self.module.connect(case.get("dsn"), **settings)
        try:
            return await connection.fetchval(QUESTION)
        finally:
            connection.terminate()


def asyncpg_uvloop():
    import uvloop

    return Asyncpg(uvloop.new_event_loop, {"uvloop": uvloop.__version__})


class Pg8000:
    def __init__(self):
        from importlib.metadata import version

        import pg8000.native

        self.connection = pg8000.native.Connection
        self.hello = {
            "driver": "pg8000",
            "driver_version": version("pg8000"),
            "runtime": {"openssl": stdlib_openssl(), "python": python()},
        }

    def __call__(self, case):
        settings = dict(case["settings"])
        if "ssl_context" in settings:
            settings["ssl_context"] = context_of(settings["ssl_context"])
        connection = self.connection(timeout=SECONDS, **settings)
        try:
            return connection.run(QUESTION)[0][0]
        finally:
            connection.close()


class Adbc:
    """Its libpq is linked in, so the versions are read from the library's own texts."""

    def __init__(self):
        import adbc_driver_postgresql
        from adbc_driver_postgresql import dbapi

        self.connect = dbapi.connect
        with open(adbc_driver_postgresql._driver_path(), "rb") as library:
            content = library.read()
        openssl = re.search(rb"OpenSSL (\d+\.\d+\.\d+) ", content)
        self.hello = {
            "driver": "adbc",
            "driver_version": adbc_driver_postgresql.__version__,
            "runtime": {"libpq": "18" if b"scram_client_key" in content else "17", "openssl": openssl[1].decode()},
        }

    def __call__(self, case):
        connection = self.connect(case.get("dsn") or conninfo(case["settings"]))
        try:
            with connection.cursor() as cursor:
                cursor.execute(QUESTION)
                return cursor.fetchone()[0]
        finally:
            connection.close()


class Psqlpy:
    def __init__(self):
        from importlib.metadata import version

        import psqlpy

        self.module = psqlpy
        self.loop = asyncio.new_event_loop()
        self.hello = {"driver": "psqlpy", "driver_version": version("psqlpy"), "runtime": {"python": python()}}

    def __call__(self, case):
        return self.loop.run_until_complete(asyncio.wait_for(self.connect(case), SECONDS))

    async def connect(self, case):
        settings = dict(case.get("settings") or {})
        if "ssl_mode" in settings:
            spelled = "".join(part.capitalize() for part in settings["ssl_mode"].split("-"))
            settings["ssl_mode"] = getattr(self.module.SslMode, spelled)
        connection = await self.module.connect(dsn=case.get("dsn"), **settings)
        try:
            return (await connection.execute(QUESTION)).result()[0]["ssl"]
        finally:
            connection.close()


class Odbc:
    def __init__(self):
        import pyodbc

        pyodbc.pooling = False
        self.module = pyodbc
        told = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "odbc-postgresql"], capture_output=True, text=True).stdout
        version = re.search(r"(\d\d\.\d\d\.\d+)", told)
        self.hello = {
            "driver": "psqlodbc",
            "driver_version": version[1] if version else "",
            "runtime": {"libpq": system_libpq(), "openssl": system_openssl()},
        }

    def __call__(self, case):
        connection = self.module.connect(case["dsn"], timeout=SECONDS)
        try:
            return str(connection.execute(QUESTION).fetchone()[0]).lower() in ("1", "t", "true")
        finally:
            connection.close()


def system_libpq():
    try:
        return spell_libpq(ctypes.CDLL("libpq.so.5").PQlibVersion())
    except OSError:
        return ""


def system_openssl():
    try:
        return openssl_version("libcrypto.so.3")
    except OSError:
        return ""


# ── programs ─────────────────────────────────────────────────────────────────────────────────────


class Psql:
    def __init__(self, path):
        self.path = path
        self.extra = {}
        libraries = os.path.join(os.path.dirname(os.path.dirname(path)), "lib")
        if os.path.exists(os.path.join(libraries, "libpq.so.5")):
            self.extra["LD_LIBRARY_PATH"] = libraries
        told = subprocess.run([path, "-V"], capture_output=True, text=True, env=os.environ | self.extra).stdout
        version = re.search(r"\d+\.\d+", told)[0]
        linked = subprocess.run(["ldd", path], capture_output=True, text=True, env=os.environ | self.extra).stdout
        crypto = re.search(r"libcrypto\S* => (\S+)", linked)
        runtime = {"libpq": version}
        if crypto:
            runtime["openssl"] = openssl_version(crypto[1])
        self.hello = {"driver": "psql", "driver_version": version, "runtime": runtime}

    def __call__(self, case):
        dsn = case.get("dsn") or conninfo(case["settings"])
        command = [self.path, "-XAtw", "-c", QUESTION, dsn]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | self.extra, timeout=SECONDS)
        if done.returncode:
            raise Refused(done.stderr)
        return done.stdout.strip() == "t"


class Dbmate:
    """lib/pq of today, inside a program; a migration that fails tells what the connection is."""

    MIGRATION = """-- migrate:up
do $$ begin raise exception 'ssl is %', (select ssl from pg_stat_ssl where pid = pg_backend_pid()); end $$;
-- migrate:down
"""

    def __init__(self, path):
        self.path = path
        with open(path, "rb") as file:
            program = file.read()
        self.hello = {
            "driver": "lib-pq",
            "driver_version": re.search(rb"github\.com/lib/pq\tv([\d.]+)", program)[1].decode(),
            "runtime": {"go": re.search(rb"go(1\.\d+(\.\d+)?)", program)[1].decode()},
        }
        self.folder = tempfile.mkdtemp(prefix="reroot-dbmate-")
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        with open(os.path.join(self.folder, "20270101000000_ask.sql"), "w") as file:
            file.write(self.MIGRATION)

    def __call__(self, case):
        command = [self.path, "--no-dump-schema", "-d", self.folder, "-u", case["dsn"], "migrate"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
        told = re.search(r"ssl is ([tf])", done.stderr + done.stdout)
        if not told:
            raise Refused(done.stderr)
        return told[1] == "t"


class Pgbouncer:
    """PgBouncer as a client of the server: started for each case; what it logs about its server is the answer."""

    CONFIGURATION = """[databases]
lab = host={host} port={port} dbname={dbname} user={user}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
server_login_retry = 1
query_wait_timeout = 10
ignore_startup_parameters = extra_float_digits
{tls}
"""
    FAILED = re.compile(r"WARNING (TLS.*)|(server login failed.*)|closing because: ((?!client|unclean|admin).*)|(FATAL.*)")

    def __init__(self, path):
        import psycopg2

        self.path = path
        self.module = psycopg2
        told = subprocess.run([path, "--version"], capture_output=True, text=True).stdout
        openssl = re.search(r"OpenSSL (\S+)", told)
        self.hello = {
            "driver": "pgbouncer",
            "driver_version": re.search(r"\d+\.\d+(\.\d+)?", told)[0],
            "runtime": {"openssl": openssl[1] if openssl else ""},
        }

    def __call__(self, case):
        settings = dict(case["settings"])
        place = {key: settings.pop(key) for key in ("host", "port", "dbname", "user")}
        with tempfile.TemporaryDirectory(prefix="reroot-pgbouncer-") as folder:
            os.chmod(folder, 0o777)
            tls = "\n".join(f"{key} = {value}" for key, value in settings.items())
            configuration = os.path.join(folder, "pgbouncer.ini")
            with open(configuration, "w") as file:
                file.write(self.CONFIGURATION.format(folder=folder, tls=tls, **place))
            # It refuses to be root.
            who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
            command = [self.path, configuration]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **who)
            try:
                return self.watch(process, folder)
            finally:
                process.kill()
                process.wait()
                process.stdout.close()

    def watch(self, process, folder):
        answer = []
        last = ""
        for line in process.stdout:
            last = line
            if "process up" in line:
                threading.Thread(target=self.ask, args=(folder, answer, process), daemon=True).start()
            found = self.FAILED.search(line)
            if found and not answer:
                raise Refused(next(filter(None, found.groups())))
        if answer and isinstance(answer[0], bool):
            return answer[0]
        raise Refused(str(answer[0]) if answer else last)

    def ask(self, folder, answer, process):
        try:
            connection = self.module.connect(host=folder, port=6432, user="lab", dbname="lab")
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(QUESTION)
                answer.append(cursor.fetchone()[0])
            connection.close()
        except Exception as error:
            answer.append(error)
        process.terminate()


class Pgpool:
    """Pgpool-II as a client of its backend: started for each case, and asked through its socket."""

    CONFIGURATION = """
backend_clustering_mode = 'raw'
listen_addresses = ''
port = 9999
socket_dir = '{folder}'
pcp_socket_dir = '{folder}'
pcp_port = 9998
pcp_listen_addresses = ''
wd_ipc_socket_dir = '{folder}'
pid_file_name = '{folder}/pid'
logdir = '{folder}'
num_init_children = 1
max_pool = 1
connection_cache = off
memory_cache_enabled = off
sr_check_period = 0
health_check_period = 0
failover_on_backend_error = off
load_balance_mode = off
use_watchdog = off
backend_weight0 = 1
backend_flag0 = 'DISALLOW_TO_FAILOVER'
ssl_key = '{folder}/server.key'
ssl_cert = '{folder}/server.crt'
{rest}
"""

    def __init__(self, path):
        import psycopg2

        self.path = path
        self.module = psycopg2
        told = subprocess.run([path, "--version"], capture_output=True, text=True)
        self.hello = {
            "driver": "pgpool",
            "driver_version": re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr)[0],
            "runtime": {"openssl": linked_openssl(path)},
        }

    def __call__(self, case):
        with tempfile.TemporaryDirectory(prefix="reroot-pgpool-") as folder:
            os.chmod(folder, 0o777)
            pair = ["-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt", "-subj", "/CN=pgpool"]
            make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *pair]
            subprocess.run(make, check=True, capture_output=True)
            rest = "\n".join(f"{key} = '{value}'" for key, value in case["settings"].items())
            files = {"pgpool.conf": self.CONFIGURATION.format(folder=folder, rest=rest), "pcp.conf": "", "pool_hba.conf": ""}
            for name, text in files.items():
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            for name in os.listdir(folder):
                os.chmod(os.path.join(folder, name), 0o644)
            who = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
            if who:
                os.chown(f"{folder}/server.key", 65534, 65534)
            os.chmod(f"{folder}/server.key", 0o600)
            command = [self.path, "-n", "-f", f"{folder}/pgpool.conf", "-F", f"{folder}/pcp.conf", "-a", f"{folder}/pool_hba.conf"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **who)
            try:
                return self.ask(process, folder, case["server"]["accepts"])
            finally:
                process.terminate()
                process.communicate()

    def ask(self, process, folder, accepts):
        lines = []
        for line in process.stdout:
            lines.append(line.strip())
            if "successfully started" in line:
                break
        else:
            raise Refused(lines[-1] if lines else "it did not start")
        user = {"hostssl": "u_hostssl", "hostnossl": "u_hostnossl"}.get(accepts, "u_host")
        connection = self.module.connect(host=folder, port=9999, user=user, dbname="postgres", connect_timeout=15)
        try:
            with connection.cursor() as cursor:
                cursor.execute(QUESTION)
                return cursor.fetchone()[0]
        finally:
            connection.close()


def linked_openssl(path):
    """The version of the OpenSSL that a program is linked with."""
    linked = subprocess.run(["ldd", path], capture_output=True, text=True).stdout
    library = ctypes.CDLL(re.search(r"(/\S*libcrypto\S*)", linked)[1])
    library.OpenSSL_version.restype = ctypes.c_char_p
    return library.OpenSSL_version(0).decode().split()[1]


WORKERS = {
    "libpq": Libpq,
    "psycopg2": Psycopg2,
    "psycopg": Psycopg,
    "asyncpg": Asyncpg,
    "asyncpg-uvloop": asyncpg_uvloop,
    "pg8000": Pg8000,
    "adbc": Adbc,
    "psqlpy": Psqlpy,
    "psqlodbc": Odbc,
    "psql": Psql,
    "dbmate": Dbmate,
    "pgbouncer": Pgbouncer,
    "pgpool": Pgpool,
}


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
    os._exit(0)  # psqlpy's threads do not survive Python's own way out


main()
