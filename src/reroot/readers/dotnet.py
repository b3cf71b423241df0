""".NET: X509Certificate2Collection.ImportFromPemFile, as Npgsql from 6 reads a root file, and Import for PKCS#12."""

from __future__ import annotations

from ..pki.certificate import Certificate
from ..truststores import _pbe, _pfx, pem
from ._reader import Anchors, Problem, Question, Reader, failed, loaded, openssl_takes

UNPROVEN = Problem("unproven", "these rules were read in the source and not run beside .NET")


def anchors(question: Question) -> Anchors:
    """PEM: every CERTIFICATE block, other blocks are skipped; PKCS12: every certificate, with or without Java's attribute."""
    kind = (question.store_type or "PEM").upper()
    if kind == "PKCS12":
        return _pkcs12(question.content, question.password)
    if kind != "PEM":
        return failed(f".NET loads PEM or PKCS12 here, not `{question.store_type}`", "wrong-type")
    found: list[Certificate] = []
    for block in pem.blocks(question.content):
        if block.label != "CERTIFICATE" or block.damage.startswith(
            ("has no end", "begins as", "holds characters", "is not whole")
        ):
            continue
        if block.der is None or block.settings or not openssl_takes(block.der):
            return failed("The certificate contents do not contain a PEM with a CERTIFICATE label, or the content is malformed")
        found.append(Certificate(block.der))
    return loaded(found, (UNPROVEN,))


def _pkcs12(content: bytes, password: str | None) -> Anchors:
    try:
        pfx = _pfx.parse(content)
        if not _pfx.verifies(pfx, password or ""):
            return failed("The specified network password is not correct.", "wrong-password")
        contents = [_pfx.opened(safe, password or "") for safe in pfx.safes]
        found = [bag.certificate for plain in contents if plain is not None for bag in _pfx.bags(plain)]
    except _pbe.WrongPassword:
        return failed("The specified network password is not correct.", "wrong-password")
    except ValueError as error:
        return failed(str(error))
    return loaded([Certificate(der) for der in found if der is not None], (UNPROVEN,))


READER = Reader(
    title=".NET: X509Certificate2Collection, as Npgsql uses it",
    read=anchors,
    source="dotnet/runtime X509Certificate2Collection.cs, PemEncoding.cs; npgsql NpgsqlConnector.cs",
    stack="dotnet",
    takes=("PEM", "PKCS12"),
)
