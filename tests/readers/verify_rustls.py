"""sqlx over rustls, asked whether a chain verifies: run with the Python that has rsqlx.

Lines in: roots file, chain file, the leaf's key, by tabs. Out: ``true`` or what the server heard. The server says yes to TLS
as PostgreSQL does, and a client that is content sends its start-up packet.
"""

import asyncio
import os
import socket
import ssl
import sys
import threading

import rsqlx


def serve(listening: socket.socket, chain: str, key: str, heard: list[str]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    peer, _ = listening.accept()
    with peer:
        peer.recv(8)
        peer.sendall(b"S")
        try:
            with context.wrap_socket(peer, server_side=True) as secure:
                heard.append("true" if b"user" in secure.recv(1000) else "hung up")
        except OSError as error:
            heard.append(str(error))


async def connect(port: int, roots: str) -> None:
    address = f"postgresql://u@127.0.0.1:{port}/d?sslmode=verify-ca&sslrootcert={roots}"
    try:
        await rsqlx.connect(address, max_connections=1, acquire_timeout=3)
    except Exception:
        return


def verify(roots: str, chain: str, key: str) -> str:
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening, chain, key, heard))
        thread.start()
        asyncio.run(connect(listening.getsockname()[1], roots))
        thread.join()
    return heard[0]


if __name__ == "__main__":
    for line in sys.stdin:
        print(verify(*line.rstrip("\n").split("\t")), flush=True)
    os._exit(0)  # the wheel's own threads may abort an orderly end
