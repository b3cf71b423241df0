"""
The page to watch a listening stage by: what each client has shown so far. It changes nothing, and has no script in it.

Bound to loopback only, since it speaks no TLS: whoever watches from elsewhere comes by ``ssh -L``. Other users of this machine do not
know the token in its address. The Host header is looked at, so that no web page elsewhere can have a browser read it.
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Thread
from typing import Any, Self
from urllib.parse import urlsplit

from ...errors import InputError, ReachError
from ...reports.text import visible

EVERY = 2
"""Seconds after which a browser looks again."""
READERS = 16
"""Readers served at once; whoever comes beside them is hung up on."""
SLOWEST = 5.0
"""Seconds that a reader gets to say what it wants."""
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { margin: 2rem auto; max-width: 78rem; padding: 0 1rem }
h1 { font-size: 1.3rem; margin: 0 } p { margin: .3rem 0 }
table { border-collapse: collapse; margin-top: 1.2rem; width: 100% }
th { font-weight: 600; text-align: left } th, td { border-bottom: 1px solid #8884; padding: .35rem .6rem; vertical-align: top }
td:first-child { white-space: nowrap } .quiet { opacity: .7 } code { font: .92em ui-monospace, monospace }
"""
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
MARKS = {"trusts": "●", "rejects": "✕", "verifies-nothing": "○", "never-asks-for-tls": "–", "cannot-tell": "?"}

Data = Mapping[str, Any]


class Page:
    """Serves *read*'s answer at ``address`` while the block lasts."""

    def __init__(self, host: str, port: int, title: str, read: Callable[[], Data]) -> None:
        if not _is_loopback(host):
            raise InputError(
                f"the page may be read on this machine only, not at `{host}`",
                hint="`--page 127.0.0.1:8432`, and from elsewhere `ssh -L 8432:127.0.0.1:8432`",
            )
        self.token = secrets.token_urlsafe(24)
        try:
            self._server = _Server((host, port), self.token, title, read)
        except OSError as error:
            raise ReachError(f"the page cannot be served at `{host}:{port}`: {error.strerror}", hint="is the port free?") from None
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="reroot page", daemon=True)

    @property
    def address(self) -> str:
        return f"http://{self._server.name}/{self.token}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, where: tuple[str, int], token: str, title: str, read: Callable[[], Data]) -> None:
        if ":" in where[0]:
            self.address_family = socket.AF_INET6
        super().__init__(where, _Reader)
        host, port = where[0], self.server_address[1]
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.names = {self.name, f"localhost:{port}"}
        self.token, self.title, self.read = token, title, read
        self._seats = BoundedSemaphore(READERS)

    def server_bind(self) -> None:
        """Without the look-up of the machine's own name, which may wait for a network."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._seats.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._seats.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader that hangs up half way is nobody's affair."""


class _Reader(BaseHTTPRequestHandler):
    timeout = SLOWEST
    server: _Server
    server_version, sys_version = "reroot", ""

    def do_GET(self) -> None:
        if self.headers.get("Host", "") not in self.server.names:
            self._say(403, "text/plain", b"not by this name\n")
            return
        token, _, rest = urlsplit(self.path).path.removeprefix("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.server.token.encode()):
            self._say(403, "text/plain", b"the address of this page has a token in it, that the stage has told\n")
        elif rest == "":
            self._say(200, "text/html", page(self.server.title, self.server.read()).encode("utf-8", "replace"))
        elif rest == "data.json":
            self._say(200, "application/json", json.dumps(self.server.read()).encode())
        else:
            self._say(404, "text/plain", b"there is the page, and data.json\n")

    do_HEAD = do_GET

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if kind == "text/html":
            self.send_header("Refresh", str(EVERY))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """What is read here is logged nowhere: the address has the token in it."""


# ── the page ─────────────────────────────────────────────────────────────────────────────────────


def page(title: str, data: Data) -> str:
    """HTML of what a watch has seen; every text in it may come from a stranger."""
    clients: Sequence[Data] = data["clients"]
    counts = f"{len(clients)} client{'s' * (len(clients) != 1)}, {data['turned_away']} turned away"
    head = "".join(f"<th>{_safe(word)}</th>" for word in ("", "client", "as", "came", "last", "why", "did"))
    rows = "".join(map(_row, clients)) or '<tr><td colspan="7" class="quiet">nobody has come yet</td></tr>'
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(title)}</title><style>{STYLE}</style></head>\n'
        f'<body><h1>{_safe(title)}</h1><p class="quiet">{_safe(counts)}; looks again every {EVERY} seconds</p>\n'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></body></html>\n"
    )


def _row(client: Data) -> str:
    trust = str(client["trust"])
    name = f" asking for {client['server_name']}" if client["server_name"] else ""
    reasons = [str(r["text"]) for r in client["reasons"] if r["code"] != "reaction"]
    if client["hint"]:
        reasons.append(f"hint: {client['hint']}")
    cells = (
        _safe(f"{MARKS.get(trust, '?')} {trust}"),
        f"<code>{_safe(client['address'])}</code>{_safe(name)}",
        _safe(", ".join(client["users"])),
        _safe(client["connections"]),
        _safe(str(client["last"] or "")[11:19]),
        _lines(reasons),
        _lines((*client["said"], *(f"at the real server: {word}" for word in client["through"]))),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _lines(texts: Iterable[object]) -> str:
    return "<br>".join(map(_safe, texts))


def _safe(text: object) -> str:
    return escape(visible(str(text)))
