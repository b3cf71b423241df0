"""
The worker for pgAdmin: its own server manager makes the connection string, and its own psycopg connects.

    python pgadmin_client.py

Runs under the interpreter of pgAdmin's environment; the web server is not started. Speaks the same JSON lines as
python_clients.py.
"""

import json
import os
import shutil
import sys
import tempfile
from importlib.util import find_spec

QUESTION = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"


FILES = {
    "SQLITE_PATH": "pgadmin4.db",
    "LOG_FILE": "log",
    "SESSION_DB_PATH": "sessions",
    "STORAGE_DIR": "storage",
    "AZURE_CREDENTIAL_CACHE_DIR": "azure",
    "KERBEROS_CCACHE_DIR": "kerberos",
}


def application(folder):
    """pgAdmin's Flask application in desktop mode, its data in *folder*."""
    package = next(iter(find_spec("pgadmin4").submodule_search_locations))
    sys.path.insert(0, package)
    import config

    config.SERVER_MODE = False
    config.DATA_DIR = folder
    for name, file in FILES.items():
        setattr(config, name, os.path.join(folder, file))
    config.MASTER_PASSWORD_REQUIRED = False
    config.UPGRADE_CHECK_ENABLED = False
    from pgadmin import create_app

    app = create_app()
    app.PGADMIN_RUNTIME = True  # what pgAdmin4.py sets when it runs as a desktop program
    return app, config


def manager(case):
    """A server manager as pgAdmin makes it for an entry of servers.json."""
    from pgadmin.utils.driver.psycopg3.server_manager import ServerManager

    settings = case["settings"]
    made = ServerManager.__new__(ServerManager)
    made.host, made.port, made.service = settings.get("Host"), settings.get("Port"), settings.get("Service")
    made.use_ssh_tunnel, made.local_bind_port, made.local_bind_host = False, None, None
    made.connection_params = dict(settings.get("ConnectionParameters") or {})
    made.display_connection_string = ""
    return made


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    folder = tempfile.mkdtemp(prefix="reroot-pgadmin-")
    try:
        app, config = application(folder)
        import psycopg

        version = psycopg.pq.version()
        runtime = {"libpq": f"{version // 10000}.{version % 10000}", "python": sys.version.split()[0]}
        hello = {"driver": "pgadmin", "driver_version": f"{config.APP_RELEASE}.{config.APP_REVISION}", "runtime": runtime}
        answers.write(json.dumps(hello) + "\n")
        kept = dict(os.environ)
        for line in sys.stdin:
            case = json.loads(line)
            os.environ.clear()
            os.environ.update({**kept, "HOME": case["home"], **(case.get("env") or {})})
            answers.write(json.dumps({"id": case["id"], **attempt(app, psycopg, case)}) + "\n")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def attempt(app, psycopg, case):
    try:
        with app.test_request_context():
            settings = case["settings"]
            text = manager(case).create_connection_string(settings.get("MaintenanceDB"), settings.get("Username"))
        with psycopg.connect(text) as connection:
            return {"outcome": "tls" if connection.execute(QUESTION).fetchone()[0] else "plaintext", "error": ""}
    except Exception as error:
        return {"outcome": "refused", "error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
