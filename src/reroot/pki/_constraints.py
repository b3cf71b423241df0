"""Name constraints (RFC 5280, 4.2.1.10), for the kinds of name that a server certificate carries."""

from __future__ import annotations

import ipaddress

from cryptography import x509

from .certificate import Certificate


def violated(constraints: x509.NameConstraints, certificate: Certificate, *, common_names: bool) -> str:
    """The first name of *certificate* that *constraints* do not allow, in words; ``""`` when all are allowed.

    With *common_names*, those count as host names where the SAN holds none.
    """
    for name in certificate.dns_names or (certificate.common_names if common_names else ()):
        if not _allowed(constraints, x509.DNSName, lambda base, name=name: _dns_within(name, str(base))):
            return f"the name `{name}`"
    for address in certificate.ip_addresses:
        if not _allowed(constraints, x509.IPAddress, lambda base, address=address: _ip_within(address, base)):
            return f"the address `{address}`"
    if certificate.parsed.subject.rdns and not _allowed(
        constraints, x509.DirectoryName, lambda base: isinstance(base, x509.Name) and _within(certificate.parsed.subject, base)
    ):
        return f"the subject `{certificate.title}`"
    return ""


def _allowed(constraints: x509.NameConstraints, kind: type[x509.GeneralName], within: object) -> bool:
    assert callable(within)
    excluded = [g.value for g in constraints.excluded_subtrees or () if isinstance(g, kind)]
    permitted = [g.value for g in constraints.permitted_subtrees or () if isinstance(g, kind)]
    if any(within(base) for base in excluded):
        return False
    return not permitted or any(within(base) for base in permitted)


def _dns_within(name: str, base: str) -> bool:
    name, base = name.lower().removeprefix("*."), base.lower().removeprefix(".")
    return not base or name == base or name.endswith(f".{base}")


def _ip_within(address: str, base: object) -> bool:
    return isinstance(base, ipaddress.IPv4Network | ipaddress.IPv6Network) and ipaddress.ip_address(address) in base


def _within(subject: x509.Name, base: x509.Name) -> bool:
    return subject.rdns[: len(base.rdns)] == base.rdns
