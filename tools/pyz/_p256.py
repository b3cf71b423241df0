"""A key and a self-signed certificate with nothing but the standard library: for the control act, which nobody may trust anyway.

ECDSA over P-256 (FIPS 186-5), X.509 in DER by hand. The arithmetic is not constant in time: the key lives for minutes and opens
nothing.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import secrets
from datetime import UTC, datetime, timedelta

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
Point = tuple[int, int] | None

EC_KEY = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def times(k: int, point: Point) -> Point:
    found: Point = None
    while k:
        if k & 1:
            found = add(found, point)
        point, k = add(point, point), k >> 1
    return found


def sign(private: int, message: bytes) -> bytes:
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    while True:
        k = secrets.randbelow(N - 1) + 1
        point = times(k, G)
        assert point is not None
        r = point[0] % N
        s = pow(k, -1, N) * (digest + r * private) % N
        if r and s:
            return der(0x30, number(r) + number(s))


def der(tag: int, content: bytes) -> bytes:
    size = len(content)
    head = (
        bytes([size])
        if size < 128
        else bytes([0x80 | (size.bit_length() + 7) // 8]) + size.to_bytes((size.bit_length() + 7) // 8, "big")
    )
    return bytes([tag]) + head + content


def number(value: int) -> bytes:
    return der(2, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def moment(when: datetime) -> bytes:
    return der(0x17, when.strftime("%y%m%d%H%M%SZ").encode())


def control(hosts: list[str]) -> tuple[bytes, bytes]:
    """A self-signed certificate for *hosts* and its key, both PEM; valid for a day."""
    private = secrets.randbelow(N - 1) + 1
    point = times(private, G)
    assert point is not None
    public = b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
    now = datetime.now(UTC)
    title = f"reroot REHEARSAL {secrets.token_hex(8)}".encode()
    name = der(0x30, der(0x31, der(0x30, bytes.fromhex("0603550403") + der(0x0C, title))))
    names = b"".join(_general(host) for host in hosts)
    extensions = b"".join(
        (
            der(0x30, bytes.fromhex("0603551d11") + der(4, der(0x30, names))),
            der(0x30, bytes.fromhex("0603551d13") + b"\x01\x01\xff" + der(4, der(0x30, b""))),
            der(0x30, bytes.fromhex("0603551d25") + der(4, der(0x30, bytes.fromhex("06082b06010505070301")))),
        )
    )
    body = der(
        0x30,
        der(0xA0, number(2)) + number(secrets.randbits(120) | 1) + ECDSA_SHA256 + name
        + der(0x30, moment(now - timedelta(minutes=5)) + moment(now + timedelta(hours=23)))
        + name + der(0x30, EC_KEY + der(3, b"\0" + public)) + der(0xA3, der(0x30, extensions)),
    )  # fmt: skip
    certificate = der(0x30, body + ECDSA_SHA256 + der(3, b"\0" + sign(private, body)))
    inner = der(0x30, number(1) + der(4, private.to_bytes(32, "big")) + der(0xA1, der(3, b"\0" + public)))
    return pem("CERTIFICATE", certificate), pem("PRIVATE KEY", der(0x30, number(0) + EC_KEY + der(4, inner)))


def _general(host: str) -> bytes:
    try:
        return der(0x87, ipaddress.ip_address(host).packed)
    except ValueError:
        return der(0x82, host.encode("ascii"))


def pem(title: str, content: bytes) -> bytes:
    return f"-----BEGIN {title}-----\n".encode() + base64.encodebytes(content) + f"-----END {title}-----\n".encode()
