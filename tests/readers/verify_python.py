"""Python's ssl, asked by whole handshakes in memory whether a chain verifies in its default context: run with any Python.

Lines in: roots file, chain file (PEM, leaf first), the leaf's key, by tabs. Out: ``true`` or the error.
"""

import ssl
import sys


def verify(roots: str, chain: str, key: str) -> str:
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(chain, key)
    client_side = ssl.create_default_context(cafile=roots)
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(a, b, server_hostname="db.example.test")
    server = server_side.wrap_bio(b, a, server_side=True)
    for _ in range(6):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            except ssl.SSLError as error:
                return str(error)
    return "true"


if __name__ == "__main__":
    for line in sys.stdin:
        print(verify(*line.rstrip("\n").split("\t")))
