"""The roots a policy leads to: the files it names, read with the eyes of its reader."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace

from cryptography import x509

from .model import File, Files, FileState, Reason, RootsFrom, RootSource, TrustPolicy
from .pki import Certificate
from .readers import effective

CRL_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----\s+([A-Za-z0-9+/=\s]+?)-----END X509 CRL-----")


@dataclass(frozen=True, slots=True)
class Roots:
    """What a client trusts, and what stood in the way of finding out.

    ``failure`` is the client's own: its TLS attempts fail on it. ``unknown`` is ours: it cannot be told what is trusted.
    ``notes`` say what a person should know of the trust store. ``public`` says that roots built into the runtime, which no file
    tells, are trusted beside these.
    """

    certificates: tuple[Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    checks_revocation: bool = False
    failure: Reason | None = None
    unknown: Reason | None = None
    notes: tuple[Reason, ...] = ()
    public: bool = False


def collect(policy: TrustPolicy, files: Files) -> Roots:
    """The roots of *policy* on the machine whose *files* are asked for. Never raises: what fails is a value."""
    if not policy.reads_roots or policy.roots.origin is RootsFrom.NONE:
        return Roots()
    if policy.roots.origin is RootsFrom.CODE:
        return Roots(
            unknown=Reason("roots-in-code", "the roots are chosen by code, which settings cannot tell: rehearse this client")
        )
    roots = _with_default(_from(policy.roots, policy, files), policy.roots, policy, files)
    return roots if roots.failure is not None or policy.roots.inline is not None else _with_crls(roots, policy, files)


def _from(source: RootSource, policy: TrustPolicy, files: Files) -> Roots:
    if source.inline is not None:
        return _read(source, policy, source.inline, "the settings")
    if not source.path:
        return Roots(public=True) if source.origin is RootsFrom.BUNDLED else _without_file(source)
    file = files(source.path)
    if file.state is FileState.FOUND:
        return _read(source, policy, file.content or b"", source.path)
    if source.origin is RootsFrom.SYSTEM and file.state is FileState.FOLDER:
        return _folder(source, policy, files, file)
    if source.origin is RootsFrom.SYSTEM and file.state is FileState.MISSING:
        text = f"the system's trust store `{source.path}` does not exist: nothing is trusted"
        return Roots(notes=(Reason("no-system-roots", text),))
    return Roots(failure=_unreadable(file))


def _folder(source: RootSource, policy: TrustPolicy, files: Files, folder: File) -> Roots:
    """Every file of a folder, whatever its name; what does not load is passed over."""
    found: dict[Certificate, None] = {}
    for name in folder.entries:
        file = files(f"{source.path}/{name}")
        if file.state is FileState.FOUND:
            found.update(dict.fromkeys(_read(source, policy, file.content or b"", file.path).certificates))
    return Roots(tuple(found))


def _with_default(roots: Roots, source: RootSource, policy: TrustPolicy, files: Files) -> Roots:
    """With ``adds``: the stack's default roots beside the client's own."""
    if not source.adds or source.default is None or roots.failure is not None:
        return roots
    default = _with_default(_from(source.default, policy, files), source.default, policy, files)
    return replace(
        roots,
        certificates=tuple(dict.fromkeys((*roots.certificates, *default.certificates))),
        failure=default.failure,
        unknown=roots.unknown or default.unknown,
        notes=(*roots.notes, *default.notes),
        public=roots.public or default.public,
    )


def _without_file(source: RootSource) -> Roots:
    where = {
        RootsFrom.SYSTEM: "the system's trust store was not found",
        RootsFrom.CACERTS: "the Java runtime's cacerts were not found",
    }
    return Roots(unknown=Reason("roots-unknown", where.get(source.origin, "the trust store was not found")))


def _unreadable(file: File) -> Reason:
    why = {FileState.MISSING: "does not exist", FileState.FOLDER: "is a folder"}.get(file.state, file.why or "cannot be read")
    return Reason("unreadable-trust-store", f'the root certificate file "{file.path}" {why}')


def _read(source: RootSource, policy: TrustPolicy, content: bytes, where: str) -> Roots:
    password = source.password.reveal() if source.password else None
    anchors = effective(source.reader, policy.stack.version, content, store_type=source.store_type, password=password)
    notes = tuple(Reason(problem.code, f"`{where}`: {problem.text}") for problem in anchors.problems)
    if not anchors.loads:
        return Roots(
            failure=Reason("unreadable-trust-store", f'could not read root certificate file "{where}": {anchors.error}'),
            notes=notes,
        )
    return Roots(anchors.certificates, notes=notes)


def _with_crls(roots: Roots, policy: TrustPolicy, files: Files) -> Roots:
    """Revocation lists as X509_STORE_load_locations() takes them: a file that does not load is passed over in silence."""
    lists: list[bytes] = []
    for path in policy.crls:
        file = files(path)
        if file.state is not FileState.FOUND or not effective("openssl", policy.stack.version, file.content or b"").loads:
            return roots  # one call loads file and folder: when the file fails, neither counts
        lists += _revocation_lists(file.content or b"")
    if not policy.crls and not policy.crl_folder:
        return roots
    if policy.crl_folder:
        folder = files(policy.crl_folder)
        for name in folder.entries:
            if re.fullmatch(r"[0-9a-f]{8}\.r\d+", name):
                lists += _revocation_lists(files(f"{policy.crl_folder}/{name}").content or b"")
    if roots.failure is None and policy.roots.path:
        # A list that stands in the trust store itself was loaded with it, and counts once revocation is checked.
        lists += _revocation_lists(files(policy.roots.path).content or b"")
    return replace(roots, crls=tuple(lists), checks_revocation=True)


def _revocation_lists(content: bytes) -> list[bytes]:
    found = []
    for body in CRL_BLOCK.findall(content):
        try:
            der = base64.b64decode(body)
            x509.load_der_x509_crl(der)
        except ValueError:
            continue
        found.append(der)
    return found
