"""
A light server for the probe's measurements: answers SSLRequest, shakes hands, waits for the client's close_notify. One thread.

    python bench/_stub.py CHAIN.pem KEY.pem --hosts 250 --ports 20 --port 15432

It listens on 127.0.0.1, 127.0.0.2 … and on as many ports as asked, says `ready` when it does, and ends with its standard input.
"""

from __future__ import annotations

import argparse
import resource
import select
import socket
import ssl
import sys
from contextlib import suppress

SSL_REQUEST = bytes.fromhex("0000000804d2162f")


def host(i: int) -> str:
    return f"127.0.{i // 250}.{i % 250 + 1}"


def serve(chain: str, key: str, hosts: int, ports: int, port: int) -> int:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    context.num_tickets = 0  # as PostgreSQL since 2024
    limit = hosts * ports + 4096
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    poll, listening, talks, handshakes = select.epoll(), {}, {}, 0
    for i in range(hosts):
        for p in range(port, port + ports):
            sock = socket.create_server((host(i), p), backlog=1024)
            sock.setblocking(False)
            listening[sock.fileno()] = sock
            poll.register(sock, select.EPOLLIN)
    poll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    print("ready", flush=True)
    while True:
        for fd, _ in poll.poll(-1, 512):
            if fd == sys.stdin.fileno():
                return handshakes
            if fd in listening:
                with suppress(BlockingIOError):
                    while True:
                        client, _ = listening[fd].accept()
                        client.setblocking(False)
                        talks[client.fileno()] = [client, None, None, None]
                        poll.register(client, select.EPOLLIN)
                continue
            talk = talks[fd]
            client, tls, incoming, outgoing = talk
            data = client.recv(16384)
            try:
                if not data:
                    raise EOFError
                if tls is None:
                    if data != SSL_REQUEST:
                        raise EOFError
                    client.send(b"S")
                    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                    talk[1:] = context.wrap_bio(incoming, outgoing, server_side=True), incoming, outgoing
                    continue
                incoming.write(data)
                with suppress(ssl.SSLWantReadError):
                    tls.do_handshake()
                    handshakes += 1
                    if not tls.read(64):  # close_notify: answer it as PostgreSQL does, by hanging up
                        raise EOFError
                if waiting := outgoing.read():
                    client.send(waiting)
            except (EOFError, OSError):
                del talks[fd]
                poll.unregister(fd)
                client.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chain")
    parser.add_argument("key")
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--ports", type=int, default=1)
    parser.add_argument("--port", type=int, default=15432)
    given = parser.parse_args()
    done = serve(given.chain, given.key, given.hosts, given.ports, given.port)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(f"{done} handshakes, {used.ru_utime + used.ru_stime:.2f} s of CPU", file=sys.stderr)
