"""Key store files of every shape, made by their owners' tools (keytool, openssl, cryptography) and by hand."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from .shapes import Authority, workshop

PASSWORD = "changeit"
WHITENER = b"Mighty Aphrodite"
SCRUBBED = {
    k: v for k, v in os.environ.items() if not k.startswith(("SSL_CERT", "NODE_EXTRA", "REQUESTS_CA", "CURL_CA", "AWS_CA", "PG"))
}


def jks(
    entries: list[tuple[str, bytes]],
    *,
    password: str = PASSWORD,
    magic: int = 0xFEEDFEED,
    version: int = 2,
    kind: bytes = b"X.509",
    count: int | None = None,
) -> bytes:
    """A JKS or JCEKS file of trusted entries, laid out by hand."""
    body = struct.pack(">III", magic, version, len(entries) if count is None else count)
    for alias, der in entries:
        name = alias.encode()
        body += struct.pack(">IH", 2, len(name)) + name + struct.pack(">q", 1_700_000_000_000)
        body += (struct.pack(">H", len(kind)) + kind if version == 2 else b"") + struct.pack(">I", len(der)) + der
    return body + hashlib.sha1(password.encode("utf-16-be") + WHITENER + body).digest()


def p12_builder(rounds: int = 1000, *, legacy: bool = False) -> object:
    made = serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds)
    if legacy:
        made = made.key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1())
    else:
        made = made.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).hmac_hash(hashes.SHA256())
    return made.build(PASSWORD.encode())


def java_p12(roots: list[tuple[str | None, Authority]], lock: object) -> bytes:
    held = [pkcs12.PKCS12Certificate(root.certificate, alias.encode() if alias else None) for alias, root in roots]
    return pkcs12.serialize_java_truststore(held, lock)  # type: ignore[arg-type]


def run(*command: str, **options: object) -> None:
    subprocess.run(command, check=True, capture_output=True, env=SCRUBBED, **options)  # type: ignore[call-overload]


def keytool_imports(target: Path, kind: str, roots: list[tuple[str, bytes]], *extra: str, password: str = PASSWORD) -> None:
    """One keytool run per certificate, as the AWS sample script does it."""
    for alias, pem in roots:
        source = target.with_suffix(f".{hashlib.sha1(pem).hexdigest()[:8]}.in")
        source.write_bytes(pem)
        flags = () if "NONE" in " ".join(extra) else ("-storepass", password)
        run(
            "keytool",
            "-importcert",
            "-noprompt",
            "-alias",
            alias,
            "-file",
            str(source),
            "-keystore",
            str(target),
            "-storetype",
            kind,
            *flags,
            *extra,
        )
        source.unlink()


def by_hand() -> dict[str, bytes]:
    """Shapes that no tool needs to be started for."""
    w = workshop()
    a, b = w.a.der, w.b.der
    none = serialization.NoEncryption()
    best = serialization.BestAvailableEncryption(PASSWORD.encode())
    modern, legacy = p12_builder(), p12_builder(legacy=True)
    two = [("one", w.a), ("two", w.b)]
    good = jks([("a", a), ("b", b)])
    flipped = bytearray(good)
    flipped[len(flipped) // 2] ^= 1
    p12 = java_p12(two, modern)  # type: ignore[arg-type]
    wrong = bytearray(p12)
    wrong[-40] ^= 1
    return {
        "jks two": good,
        "jks empty": jks([]),
        "jks version 1": jks([("a", a), ("b", b)], version=1),
        "jks version 3": jks([("a", a)], version=3),
        "jks other password": jks([("a", a)], password="other"),
        "jks empty password": jks([("a", a)], password=""),
        "jks unicode password": jks([("a", a)], password="pässwörd€"),
        "jks capital alias": jks([("Root", a), ("b", b)]),
        "jks capital and small alias": jks([("Root", a), ("root", b)]),
        "jks same alias twice": jks([("a", a), ("a", b)]),
        "jks same certificate twice": jks([("a", a), ("b", a)]),
        "jks empty alias": jks([("", a)]),
        "jks unicode alias": jks([("wurzel-ä", a)]),
        "jks strange type": jks([("a", a)], kind=b"PGP"),
        "jks lower-case type": jks([("a", a)], kind=b"x.509"),
        "jks PEM inside": jks([("a", w.a.pem)]),
        "jks bytes behind the certificate": jks([("a", a + b"\0\0")]),
        "jks certificate cut": jks([("a", a[:-9]), ("b", b)]),
        "jks certificate empty": jks([("a", b"")]),
        "jks count too high": jks([("a", a)], count=2),
        "jks count bomb": jks([("a", a)], count=0x7FFFFFFF),
        "jks count negative": jks([("a", a)], count=0xFFFFFFFF),
        "jks count too low": jks([("a", a), ("b", b)], count=1),
        "jks flipped": bytes(flipped),
        "jks cut in the digest": good[:-5],
        "jks without digest": good[:-20],
        "jks cut in an entry": good[: len(good) // 2],
        "jks bytes at the end": good + b"\0" * 7,
        "jks header only": good[:12],
        "jks magic only": good[:4],
        "jks expired": jks([("e", w.expired.der)]),
        "jks twin": jks([("a", a), ("t", w.twin.der)]),
        "jks intermediate": jks([("i", w.intermediate.der), ("l", w.leaf.der)]),
        "jks many": jks([(f"r{n}", w.a.der if n % 2 else w.b.der) for n in range(300)]),
        "jceks two": jks([("a", a), ("b", b)], magic=0xCECECECE),
        "jceks capital alias": jks([("Root", a)], magic=0xCECECECE),
        "jceks version 1": jks([("a", a)], magic=0xCECECECE, version=1),
        "jceks cut": jks([("a", a)], magic=0xCECECECE)[:-22],
        "p12 java modern": p12,
        "p12 java legacy": java_p12(two, legacy),  # type: ignore[arg-type]
        "p12 java best": java_p12(two, best),  # type: ignore[arg-type]
        "p12 java plain": java_p12(two, none),  # type: ignore[arg-type]
        "p12 java same alias": java_p12([("one", w.a), ("one", w.b)], modern),  # type: ignore[arg-type]
        "p12 java alias by case": java_p12([("One", w.a), ("one", w.b)], modern),  # type: ignore[arg-type]
        "p12 java no alias": java_p12([(None, w.a), (None, w.b)], modern),  # type: ignore[arg-type]
        "p12 java number alias": java_p12([("1", w.a), (None, w.b)], modern),  # type: ignore[arg-type]
        "p12 java duplicate": java_p12([("one", w.a), ("two", w.a)], modern),  # type: ignore[arg-type]
        "p12 java expired": java_p12([("e", w.expired)], modern),  # type: ignore[arg-type]
        "p12 java twin": java_p12([("a", w.a), ("t", w.twin)], modern),  # type: ignore[arg-type]
        "p12 java mac flipped": bytes(wrong),
        "p12 java cut": p12[:-9],
        "p12 java bytes at the end": p12 + b"\0\0",
        "p12 plain certificates": pkcs12.serialize_key_and_certificates(
            None, None, None, [w.a.certificate, w.b.certificate], modern
        ),  # type: ignore[arg-type]
        "p12 plain certificates, legacy": pkcs12.serialize_key_and_certificates(None, None, None, [w.a.certificate], legacy),  # type: ignore[arg-type]
        "p12 plain certificates, open": pkcs12.serialize_key_and_certificates(None, None, None, [w.a.certificate], none),
        "p12 key and chain": pkcs12.serialize_key_and_certificates(
            b"db", w.leaf.key, w.leaf.certificate, [w.a.certificate], modern
        ),  # type: ignore[arg-type]
        "p12 key without name": pkcs12.serialize_key_and_certificates(
            None, w.leaf.key, w.leaf.certificate, [w.a.certificate], modern
        ),  # type: ignore[arg-type]
        "p12 key, open": pkcs12.serialize_key_and_certificates(b"db", w.leaf.key, w.leaf.certificate, [w.a.certificate], none),
        "p12 key alone": pkcs12.serialize_key_and_certificates(b"db", w.leaf.key, None, None, modern),  # type: ignore[arg-type]
        "p12 key, legacy": pkcs12.serialize_key_and_certificates(
            b"db", w.leaf.key, w.leaf.certificate, [w.a.certificate], legacy
        ),  # type: ignore[arg-type]
        "empty file": b"",
        "zeros": b"\0" * 64,
        "sequence": b"\x30\x03\x02\x01\x03",
        "pem": w.a.pem,
        "der": a,
        "text": b"hello\n",
    }


def by_tools(folder: Path) -> dict[str, bytes]:
    """Shapes that keytool and openssl write; some seconds, since each keytool is a JVM."""
    w = workshop()
    a, b = ("Root A", w.a.pem), ("root-b", w.b.pem)
    key = folder / "leaf.key"
    key.write_bytes(
        w.leaf.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / "leaf.pem").write_bytes(w.leaf.pem)
    (folder / "ca.pem").write_bytes(w.a.pem + w.b.pem)
    open_p12 = ("-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE")
    password = ("-passout", f"pass:{PASSWORD}")

    def tool(name: str) -> Path:
        return folder / name.replace(" ", "-")

    jobs: dict[str, object] = {
        "keytool jks": lambda p: keytool_imports(p, "JKS", [a, b]),
        "keytool jceks": lambda p: keytool_imports(p, "JCEKS", [a, b]),
        "keytool p12": lambda p: keytool_imports(p, "PKCS12", [a, b]),
        "keytool p12 legacy": lambda p: keytool_imports(p, "PKCS12", [a, b], "-J-Dkeystore.pkcs12.legacy"),
        "keytool p12 open": lambda p: keytool_imports(p, "PKCS12", [a], *open_p12),
        "keytool p12 open certs with mac": lambda p: keytool_imports(
            p, "PKCS12", [a], "-J-Dkeystore.pkcs12.certProtectionAlgorithm=none"
        ),
        "keytool jks with key": lambda p: (_genkey(p, "JKS"), keytool_imports(p, "JKS", [a])),
        "keytool jceks with key": lambda p: (_genkey(p, "JCEKS"), keytool_imports(p, "JCEKS", [a])),
        "keytool p12 with key": lambda p: (_genkey(p, "PKCS12"), keytool_imports(p, "PKCS12", [a])),
        "keytool jceks with secret": lambda p: (_secret(p, "JCEKS"), keytool_imports(p, "JCEKS", [a, b])),
        "keytool p12 with secret": lambda p: (_secret(p, "PKCS12"), keytool_imports(p, "PKCS12", [a, b])),
        "keytool bundle at once": lambda p: keytool_imports(p, "JKS", [("bundle", w.a.pem + w.b.pem)]),
        "openssl certs only": lambda p: run(
            "openssl", "pkcs12", "-export", "-nokeys", "-in", str(folder / "ca.pem"), "-out", str(p), *password
        ),
        "openssl jdktrust": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-out",
            str(p),
            *password,
            "-certpbe",
            "NONE",
        ),
        "openssl with key": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-inkey",
            str(key),
            "-in",
            str(folder / "leaf.pem"),
            "-certfile",
            str(folder / "ca.pem"),
            "-name",
            "db",
            "-out",
            str(p),
            *password,
        ),
        "openssl legacy": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-legacy",
            "-inkey",
            str(key),
            "-in",
            str(folder / "leaf.pem"),
            "-certfile",
            str(folder / "ca.pem"),
            "-out",
            str(p),
            *password,
        ),
        "openssl legacy, RC2": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-legacy",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-certpbe",
            "PBE-SHA1-RC2-40",
            "-out",
            str(p),
            *password,
        ),
        "openssl RC2-128": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-legacy",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-certpbe",
            "PBE-SHA1-RC2-128",
            "-out",
            str(p),
            *password,
        ),
        "openssl 2-key 3des": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-legacy",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-certpbe",
            "PBE-SHA1-2DES",
            "-out",
            str(p),
            *password,
        ),
        "openssl no mac": lambda p: run(
            "openssl", "pkcs12", "-export", "-nomac", "-nokeys", "-in", str(folder / "ca.pem"), "-out", str(p), *password
        ),
        "openssl sha512 mac": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-macalg",
            "sha512",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-out",
            str(p),
            *password,
        ),
        "openssl aes128": lambda p: run(
            "openssl",
            "pkcs12",
            "-export",
            "-certpbe",
            "AES-128-CBC",
            "-nokeys",
            "-in",
            str(folder / "ca.pem"),
            "-out",
            str(p),
            *password,
        ),
        "openssl empty password": lambda p: run(
            "openssl", "pkcs12", "-export", "-nokeys", "-in", str(folder / "ca.pem"), "-out", str(p), "-passout", "pass:"
        ),
        "openssl caname": lambda p: run(
            "openssl", "pkcs12", "-export", "-nokeys", "-in", str(folder / "ca.pem"), "-caname", "one", "-out", str(p), *password
        ),
    }

    def make(item: tuple[str, object]) -> tuple[str, bytes]:
        path = tool(item[0])
        item[1](path)  # type: ignore[operator]
        return item[0], path.read_bytes()

    with ThreadPoolExecutor(3) as pool:
        return dict(pool.map(make, jobs.items()))


def _genkey(path: Path, kind: str) -> None:
    run(
        "keytool",
        "-genkeypair",
        "-alias",
        "own",
        "-keyalg",
        "EC",
        "-dname",
        "CN=own",
        "-keystore",
        str(path),
        "-storetype",
        kind,
        "-storepass",
        PASSWORD,
        "-keypass",
        PASSWORD,
    )


def _secret(path: Path, kind: str) -> None:
    run(
        "keytool",
        "-genseckey",
        "-alias",
        "hidden",
        "-keyalg",
        "AES",
        "-keysize",
        "128",
        "-keystore",
        str(path),
        "-storetype",
        kind,
        "-storepass",
        PASSWORD,
        "-keypass",
        PASSWORD,
    )
