"""Trust store files of every shape that people really have: PEM bundles whole, odd and damaged, from a small private PKI."""

from __future__ import annotations

import base64
import datetime as dt
import functools
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

BEGIN, END = b"-----BEGIN ", b"-----END "
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Authority:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def authority(
    name: str,
    *,
    issuer: Authority | None = None,
    ca: bool = True,
    expired: bool = False,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    serial: int | None = None,
) -> Authority:
    """A certificate with its key; its own root unless an *issuer* is given."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test"), x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = NOW - dt.timedelta(days=4000)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(NOW - dt.timedelta(days=400) if expired else NOW + dt.timedelta(days=4000))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Authority(certificate, key)


@dataclass(frozen=True)
class Workshop:
    """The certificates that the shapes are made of."""

    a: Authority
    b: Authority
    twin: Authority
    expired: Authority
    intermediate: Authority
    leaf: Authority
    rsa: Authority
    rekeyed: Authority


@functools.cache
def workshop() -> Workshop:
    a = authority("Root A")
    return Workshop(
        a=a,
        b=authority("Root B"),
        twin=authority("Root A"),
        expired=authority("Root Expired", expired=True),
        intermediate=authority("Intermediate", issuer=a),
        leaf=authority("db.example.test", issuer=a, ca=False),
        rsa=authority("Root RSA", key=rsa.generate_private_key(65537, 2048)),
        rekeyed=authority("Root A", key=a.key),
    )


def armour(label: str, der: bytes, *, end: bytes = b"\n", width: int = 64, head: bytes = b"") -> bytes:
    """DER as a PEM block."""
    text = base64.b64encode(der)
    lines = [text[i : i + width] for i in range(0, len(text), width)] or [b""]
    return (
        BEGIN
        + label.encode()
        + b"-----"
        + end
        + head
        + b"".join(line + end for line in lines)
        + END
        + label.encode()
        + b"-----"
        + end
    )


def crl(of: Authority) -> bytes:
    built = x509.CertificateRevocationListBuilder().issuer_name(of.certificate.subject)
    built = built.last_update(NOW).next_update(NOW + dt.timedelta(days=30))
    return built.sign(of.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def private_key(of: Authority, *, style: str = "pkcs8", password: bytes | None = None) -> bytes:
    layout = serialization.PrivateFormat.PKCS8 if style == "pkcs8" else serialization.PrivateFormat.TraditionalOpenSSL
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return of.key.private_bytes(serialization.Encoding.PEM, layout, lock)


def _length(n: int) -> bytes:
    if n < 128:
        return bytes([n])
    body = n.to_bytes((n.bit_length() + 7) // 8, "big")
    return bytes([128 + len(body)]) + body


def tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes([tag]) + _length(len(body)) + body


SERVER_AUTH = bytes.fromhex("06082b06010505070301")
CLIENT_AUTH = bytes.fromhex("06082b06010505070302")


def pem_shapes() -> dict[str, bytes]:
    """Name of the shape → file content."""
    w = workshop()
    a, b, r = w.a.pem, w.b.pem, w.rsa.pem
    body = a.split(b"\n")
    flipped = bytearray(w.a.der)
    flipped[1] ^= 0x01
    signature = bytearray(w.a.der)
    signature[-3] ^= 0x10
    middle = bytearray(w.a.der)
    middle[len(middle) // 2] ^= 0x40
    long_text = b"# " + b"x" * 300 + b"\n"
    shapes = {
        "one root": a,
        "two roots": a + b,
        "three roots": a + b + r,
        "ten roots": b"".join(authority(f"Root {n}").pem for n in range(10)),
        "empty file": b"",
        "one space": b" ",
        "only a line end": b"\n",
        "only text": b"this is not a certificate\n",
        "long text": long_text * 3,
        "no final line end": (a + b).rstrip(b"\n"),
        "blank lines between": a + b"\n\n\n" + b,
        "blank lines before": b"\n\n" + a + b,
        "blank lines after": a + b + b"\n\n",
        "comments between": b"# old\n" + a + b"# new\n" + b,
        "comment with dashes": b"# ----- old -----\n" + a + b"----------\n" + b,
        "openssl text between": b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + a + b"subject=/CN=x\nissuer=/CN=y\n" + b,
        "long comment line": long_text + a + long_text + b,
        "CRLF": (a + b).replace(b"\n", b"\r\n"),
        "CR only": (a + b).replace(b"\n", b"\r"),
        "mixed line ends": a.replace(b"\n", b"\r\n") + b,
        "byte order mark": b"\xef\xbb\xbf" + a + b,
        "byte order mark, one root": b"\xef\xbb\xbf" + a,
        "byte order mark before a comment": b"\xef\xbb\xbf# roots\n" + a + b,
        "byte order mark between": a + b"\xef\xbb\xbf" + b,
        "byte order mark before a line end": b"\xef\xbb\xbf\n" + a + b,
        "UTF-16": (a + b).decode().encode("utf-16"),
        "UTF-16 without mark": (a + b).decode().encode("utf-16-le"),
        "no line end between blocks": a.rstrip(b"\n") + b,
        "no line end after begin": a.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----", 1) + b,
        "no line end before end": a.replace(b"\n-----END", b"-----END") + b,
        "space before begin": b" " + a + b,
        "indented": b"".join(b"    " + line + b"\n" for line in a.splitlines()) + b,
        "indented body only": b"\n".join([body[0], *(b"  " + line for line in body[1:-2]), *body[-2:]]) + b,
        "tab before begin": a + b"\t" + b,
        "space after begin": a.replace(b"CERTIFICATE-----\n", b"CERTIFICATE----- \n", 1) + b,
        "space after end": a.rstrip(b"\n") + b"  \n" + b,
        "spaces after body lines": b"\n".join([body[0], *(line + b"  " for line in body[1:-2]), *body[-2:]]) + b,
        "text after end": a.rstrip(b"\n") + b" # old root\n" + b,
        "text before begin": b"old: " + a + b,
        "blank line in the body": b"\n".join([*body[:3], b"", *body[3:]]) + b,
        "blank line after begin": b"\n".join([body[0], b"", *body[1:]]) + b,
        "blank line before end": b"\n".join([*body[:-2], b"", *body[-2:]]) + b,
        "one long line": armour("CERTIFICATE", w.a.der, width=10**6) + b,
        "76 columns": armour("CERTIFICATE", w.a.der, width=76) + b,
        "short lines": armour("CERTIFICATE", w.a.der, width=16) + b,
        "200 columns": armour("CERTIFICATE", w.a.der, width=200) + b,
        "252 columns": armour("CERTIFICATE", w.a.der, width=252) + b,
        "256 columns": armour("CERTIFICATE", w.a.der, width=256) + b,
        "one long line, large": armour("CERTIFICATE", w.rsa.der, width=10**6) + b,
        "damaged first": armour("CERTIFICATE", bytes(flipped)) + b,
        "damaged last": b + armour("CERTIFICATE", bytes(flipped)),
        "damaged between": b + armour("CERTIFICATE", bytes(flipped)) + r,
        "damaged alone": armour("CERTIFICATE", bytes(flipped)),
        "signature bit flipped": armour("CERTIFICATE", bytes(signature)) + b,
        "middle bit flipped": armour("CERTIFICATE", bytes(middle)) + b,
        "truncated DER": armour("CERTIFICATE", w.a.der[:-20]) + b,
        "truncated DER last": b + armour("CERTIFICATE", w.a.der[:-20]),
        "trailing bytes in DER": armour("CERTIFICATE", w.a.der + b"\0\0\0") + b,
        "trailing sequence in DER": armour("CERTIFICATE", w.a.der + b"\x30\x00") + b,
        "two certificates in one block": armour("CERTIFICATE", w.a.der + w.b.der),
        "empty block first": BEGIN + b"CERTIFICATE-----\n" + END + b"CERTIFICATE-----\n" + b,
        "empty block last": b + BEGIN + b"CERTIFICATE-----\n" + END + b"CERTIFICATE-----\n",
        "empty block only": BEGIN + b"CERTIFICATE-----\n" + END + b"CERTIFICATE-----\n",
        "zero bytes in block": armour("CERTIFICATE", b"\0" * 48) + b,
        "bad character in body": a.replace(body[2], b"!" + body[2][1:]) + b,
        "bad character in body, last": b + a.replace(body[2], b"!" + body[2][1:]),
        "minus in body": a.replace(body[2], b"-" + body[2][1:]) + b,
        "url-safe alphabet": a.replace(b"+", b"-").replace(b"/", b"_") + b,
        "comment in body": b"\n".join([*body[:3], b"# comment", *body[3:]]) + b,
        "missing padding": armour("CERTIFICATE", w.a.der + b"x" * ((1 - len(w.a.der)) % 3)).replace(b"=", b"") + b,
        "too much padding": a.replace(b"\n-----END", b"====\n-----END") + b,
        "one character missing": a.replace(body[2], body[2][1:]) + b,
        "padding in the middle": a.replace(body[2], body[2][:-2] + b"==") + b,
        "end missing, next block follows": a.split(b"-----END")[0] + b,
        "end missing at the end of file": b + a.split(b"-----END")[0],
        "end cut": b + a.rstrip(b"\n")[:-3],
        "begin missing": a.split(b"\n", 1)[1] + b,
        "begin missing alone": a.split(b"\n", 1)[1],
        "labels differ": a.replace(END + b"CERTIFICATE", END + b"CERTIFICATES") + b,
        "labels differ, last": b + a.replace(END + b"CERTIFICATE", END + b"CERTIFICATES"),
        "lower-case label": a.replace(b"CERTIFICATE", b"certificate") + b,
        "lower-case begin": a.replace(b"BEGIN", b"begin") + b,
        "four dashes": a.replace(b"-----BEGIN", b"----BEGIN") + b,
        "six dashes": a.replace(b"-----BEGIN", b"------BEGIN") + b,
        "X509 label": a.replace(b"CERTIFICATE", b"X509 CERTIFICATE") + b,
        "X.509 label": a.replace(b"CERTIFICATE", b"X.509 CERTIFICATE") + b,
        "trusted label, no settings": armour("TRUSTED CERTIFICATE", w.a.der) + b,
        "trusted for servers": armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0x30, SERVER_AUTH))) + b,
        "rejected for servers": armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0xA0, SERVER_AUTH))) + b,
        "trusted for clients only": armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0x30, CLIENT_AUTH))) + b,
        "trusted with a name": armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0x0C, b"old root"))) + b,
        "plain label with trust settings": armour("CERTIFICATE", w.a.der + tlv(0x30, tlv(0x30, SERVER_AUTH))) + b,
        "key before": private_key(w.leaf) + w.leaf.pem + a,
        "key after": w.leaf.pem + a + private_key(w.leaf),
        "key between": a + private_key(w.leaf) + b,
        "old style key after": a + b + private_key(w.leaf, style="old"),
        "old style key first": private_key(w.leaf, style="old") + a + b,
        "RSA key after": a + private_key(w.rsa, style="old"),
        "encrypted key after": a + b + private_key(w.leaf, password=b"secret"),
        "encrypted key first": private_key(w.leaf, password=b"secret") + a + b,
        "old style encrypted key after": a + private_key(w.rsa, style="old", password=b"secret") + b,
        "damaged key after": a + armour("PRIVATE KEY", b"\x30\x03\x02\x01\x00") + b,
        "damaged RSA key after": a + armour("RSA PRIVATE KEY", b"\x30\x03\x02\x01\x00") + b,
        "key text not base64": a + BEGIN + b"PRIVATE KEY-----\n!!!!\n" + END + b"PRIVATE KEY-----\n" + b,
        "EC parameters first": armour("EC PARAMETERS", bytes.fromhex("06082a8648ce3d030107")) + a + b,
        "DH parameters between": a + armour("DH PARAMETERS", b"\x30\x06\x02\x01\x17\x02\x01\x05") + b,
        "public key between": a + armour("PUBLIC KEY", b"\x30\x00") + b,
        "unknown label between": a + armour("SOMETHING ELSE", b"hello") + b,
        "unknown label, not base64": a + BEGIN + b"SOMETHING ELSE-----\n!!!!\n" + END + b"SOMETHING ELSE-----\n" + b,
        "request beside": a + armour("CERTIFICATE REQUEST", b"\x30\x00") + b,
        "CRL after": a + crl(w.a) + b,
        "CRL first": crl(w.a) + a + b,
        "CRL only": crl(w.a),
        "damaged CRL": a + armour("X509 CRL", b"\x30\x03\x02\x01\x00") + b,
        "PKCS7 in PEM label CERTIFICATE": armour("CERTIFICATE", pkcs7(w.a.der, w.b.der)),
        "PKCS7 in PEM": armour("PKCS7", pkcs7(w.a.der, w.b.der)),
        "PKCS7 in PEM after a root": a + armour("PKCS7", pkcs7(w.b.der)),
        "headers in block": armour("CERTIFICATE", w.a.der, head=b"X-Name: old\n\n") + b,
        "headers without blank line": armour("CERTIFICATE", w.a.der, head=b"X-Name: old\n") + b,
        "proc-type header": armour("CERTIFICATE", w.a.der, head=b"Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n") + b,
        "bag attributes": b"Bag Attributes\n    friendlyName: old\nsubject=CN = x\n\n" + a + b,
        "duplicates": a + b + a,
        "duplicates side by side": a + a,
        "twin of the same subject": a + w.twin.pem,
        "same key, new certificate": a + w.rekeyed.pem,
        "expired first": w.expired.pem + a,
        "expired only": w.expired.pem,
        "intermediate as anchor": w.intermediate.pem,
        "intermediate and root": w.intermediate.pem + a,
        "leaf as anchor": w.leaf.pem,
        "NUL between": a + b"\0" + b,
        "NUL line between": a + b"\0\n" + b,
        "NUL after": a + b + b"\0",
        "NUL in a comment": a + b"# x\0y\n" + b,
        "NUL in the body": a.replace(body[2], body[2][:10] + b"\0" + body[2][10:]) + b,
        "high bytes in a comment": b"# r\xe9sum\xe9 \xff\n" + a + b,
        "high bytes at the end of begin": a.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\xa0\n", 1) + b,
        "form feed between": a + b"\x0c\n" + b,
        "vertical tab in the body": a.replace(body[2], b"\x0b" + body[2]) + b,
        "CR CR LF": (a + b).replace(b"\n", b"\r\r\n"),
        "escaped line ends": a.replace(b"\n", b"\\n") + b"\n" + b,
        "quoted": b'"' + a.rstrip(b"\n") + b'"\n' + b,
        "DER": w.a.der,
        "DER, two": w.a.der + w.b.der,
        "DER then PEM": w.a.der + b,
        "DER with a final line end": w.a.der + b"\n",
        "PEM then DER": a + w.b.der,
        "PKCS7 in DER": pkcs7(w.a.der, w.b.der),
        "PKCS7 in DER, empty": pkcs7(),
        "base64 without armour": base64.b64encode(w.a.der),
        "rejected, then plain": armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0xA0, SERVER_AUTH))) + a + b,
        "plain, then rejected": a + b + armour("TRUSTED CERTIFICATE", w.a.der + tlv(0x30, tlv(0xA0, SERVER_AUTH))),
        "end line twice, no line end": a + END + b"CERTIFICATE-----",
        "begin line at the end, no line end": a + BEGIN + b"CERTIFICATE-----",
        "header and one long line, last": a + armour("CERTIFICATE", w.b.der, width=10**6, head=b"a: b\n\n"),
        "PEM behind the first byte of DER": b"0\x82\n" + a.replace(b"CERTIFICATE-----\n", b"CERTIFICATE-----\0\n", 1),
        "HTML": b"<html><body>404 Not Found</body></html>\n",
    }
    return shapes


def pkcs7(*ders: bytes) -> bytes:
    """A degenerate signedData that carries certificates."""
    signed = bytes.fromhex("06092a864886f70d010702")
    data = bytes.fromhex("06092a864886f70d010701")
    body = tlv(0x30, b"\x02\x01\x01", tlv(0x31), tlv(0x30, data), tlv(0xA0, *ders), tlv(0x31))
    return tlv(0x30, signed, tlv(0xA0, body))
