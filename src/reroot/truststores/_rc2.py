"""RC2 in CBC mode (RFC 2268): what keytool before Java 17 encrypts the certificates of a PKCS#12 file with, 40 bits strong."""

from __future__ import annotations

import struct

TABLE = bytes.fromhex(
    "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2"
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82"
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626"
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7"
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec"
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731"
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9"
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad"
)
SHIFTS = (1, 2, 3, 5)


def schedule(key: bytes) -> tuple[int, ...]:
    """64 words from a key whose effective strength is its length."""
    size = len(key)
    words = bytearray(key) + bytearray(128 - size)
    for i in range(size, 128):
        words[i] = TABLE[(words[i - 1] + words[i - size]) & 0xFF]
    words[128 - size] = TABLE[words[128 - size]]
    for i in range(127 - size, -1, -1):
        words[i] = TABLE[words[i + 1] ^ words[i + size]]
    return struct.unpack("<64H", words)


def _mix(block: tuple[int, ...], key: tuple[int, ...]) -> bytes:
    r = list(block)
    at = 0
    for turn in range(16):
        for i in range(4):
            mixed = r[i] + key[at] + (r[i - 1] & r[i - 2]) + (~r[i - 1] & r[i - 3]) & 0xFFFF
            r[i] = (mixed << SHIFTS[i] | mixed >> 16 - SHIFTS[i]) & 0xFFFF
            at += 1
        if turn in (4, 10):
            for i in range(4):
                r[i] = r[i] + key[r[i - 1] & 63] & 0xFFFF
    return struct.pack("<4H", *r)


def _unmix(block: tuple[int, ...], key: tuple[int, ...]) -> bytes:
    r = list(block)
    at = 63
    for turn in range(16):
        for i in (3, 2, 1, 0):
            turned = (r[i] >> SHIFTS[i] | r[i] << 16 - SHIFTS[i]) & 0xFFFF
            r[i] = turned - key[at] - (r[i - 1] & r[i - 2]) - (~r[i - 1] & r[i - 3]) & 0xFFFF
            at -= 1
        if turn in (4, 10):
            for i in (3, 2, 1, 0):
                r[i] = r[i] - key[r[i - 1] & 63] & 0xFFFF
    return struct.pack("<4H", *r)


def cbc(key: bytes, vector: bytes, data: bytes, encrypt: bool) -> bytes:
    """*data*, whole blocks of eight bytes, through RC2 in CBC mode."""
    words = schedule(key)
    made = bytearray()
    before = vector
    for at in range(0, len(data), 8):
        block = data[at : at + 8]
        if encrypt:
            before = _mix(struct.unpack("<4H", _xor(block, before)), words)
            made += before
        else:
            made += _xor(_unmix(struct.unpack("<4H", block), words), before)
            before = block
    return bytes(made)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(8, "big")
