"""
The real parsers of Python's drivers, for the comparison with reroot's: asks one JSON line, answers one.

    python python_parsers.py asyncpg|sqlalchemy

Runs under the interpreter that has the driver, so it imports nothing of reroot.
"""

import json
import os
import ssl
import sys


def asyncpg():
    from asyncpg import connect_utils

    function = connect_utils._parse_connect_dsn_and_args
    names = function.__code__.co_varnames[: function.__code__.co_kwonlyargcount]

    def parse(question):
        given = {name: question.get(name) for name in names}
        if "connect_timeout" in names:
            given["connect_timeout"] = 60
        given["dsn"] = question["text"]
        addresses, found = function(**given)
        mode = getattr(found, "sslmode", None)
        context = found.ssl if isinstance(found.ssl, ssl.SSLContext) else None
        return {
            "addresses": [os.path.dirname(a) if isinstance(a, str) else list(a) for a in addresses],
            "user": found.user,
            "database": found.database,
            "password": found.password,
            "unknown": found.server_settings or {},
            "mode": None if mode is None else mode.name,
            "tls": bool(found.ssl),
            "chain": found.ssl is True or (context is not None and context.verify_mode == ssl.CERT_REQUIRED),
            "names": found.ssl is True or (context is not None and context.check_hostname),
        }

    return parse


def sqlalchemy():
    from sqlalchemy.engine import make_url

    def parse(question):
        url = make_url(question["text"])
        try:
            arguments = url.get_dialect()().create_connect_args(url)[1]
        except Exception as error:
            arguments = {"error": type(error).__name__}
        return {
            "arguments": {k: list(v) if isinstance(v, tuple) else v for k, v in arguments.items()},
            "drivername": url.drivername,
            "username": url.username,
            "password": url.password,
            "host": url.host,
            "port": url.port,
            "database": url.database,
            "query": {k: list(v) if isinstance(v, tuple) else v for k, v in url.query.items()},
        }

    return parse


def main():
    parse = {"asyncpg": asyncpg, "sqlalchemy": sqlalchemy}[sys.argv[1]]()
    base = dict(os.environ)
    for line in sys.stdin:
        question = json.loads(line)
        os.environ.clear()
        os.environ.update(base)
        os.environ.update(question.get("env") or {})
        try:
            answer = parse(question)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


main()
