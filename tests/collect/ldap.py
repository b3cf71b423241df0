"""
The least LDAP server that PostgreSQL's `ldap` method can ask: a stand-in for whoever takes a password of any length.

It takes a simple bind and lets *judge* say yes or no; what was given is kept. RFC 4511, 4.2.
"""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Callable
from types import TracebackType


class Door:
    def __init__(self, judge: Callable[[str, str], bool]) -> None:
        self.judge = judge
        self.asked: list[tuple[str, str]] = []
        door = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data = b""
                while more := self.request.recv(65536):
                    data += more
                    whole = _element(data, 0)
                    if whole is None:
                        continue
                    _, begin, end = whole
                    number = _element(data, begin)
                    assert number is not None
                    request = _element(data, number[2])
                    if request is None or request[0] != 0x60:
                        return  # it unbinds
                    version = _element(data, request[1])
                    name = _element(data, version[2])
                    password = _element(data, name[2])
                    given = (data[name[1] : name[2]].decode(), data[password[1] : password[2]].decode())
                    door.asked.append(given)
                    code = 0 if door.judge(*given) else 49
                    said = data[begin : number[2]] + bytes([0x61, 7, 10, 1, code, 4, 0, 4, 0])
                    self.request.sendall(bytes([0x30, len(said)]) + said)
                    data = data[end:]

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def __enter__(self) -> Door:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _element(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Tag, begin and end of the contents of a BER element; None when it is not whole yet."""
    if len(data) < at + 2:
        return None
    tag, length, begin = data[at], data[at + 1], at + 2
    if length & 0x80:
        size = length & 0x7F
        length, begin = int.from_bytes(data[begin : begin + size]), begin + size
    return (tag, begin, begin + length) if len(data) >= begin + length else None
