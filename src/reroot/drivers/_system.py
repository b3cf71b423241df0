"""The trust store of the client's system, as OpenSSL finds it: SSL_CERT_FILE and SSL_CERT_DIR, else where it was built to look."""

from __future__ import annotations

from ..model import FileState, Given, RootsFrom, RootSource

# The bundles of the common distributions, in the order in which they are looked for.
BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/ssl/cert.pem",  # Alpine, macOS, the BSDs
)


def system_roots(given: Given, reader: str = "openssl") -> RootSource:
    """The system's roots; no path when none of the usual bundles exists on the client's machine."""
    named = given.env.get("SSL_CERT_FILE")
    if named:
        return RootSource(RootsFrom.SYSTEM, named, reader)
    if "system" in given.runtime:
        return RootSource(RootsFrom.SYSTEM, given.runtime["system"], reader)
    found = next((path for path in BUNDLES if given.files(path).state is FileState.FOUND), "")
    return RootSource(RootsFrom.SYSTEM, found, reader)
