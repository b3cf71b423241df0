"""Does a certificate name the host a client asked for? One function per family of matchers, since none agree."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping

from ..model import Reason
from .certificate import Certificate

Matcher = Callable[[Certificate, str], bool]


def check(rules: str, leaf: Certificate, host: str) -> tuple[Reason, ...]:
    """Why *leaf* does not stand for *host* under the matcher *rules*; empty when it does."""
    if MATCHERS[rules](leaf, host):
        return ()
    names = (*leaf.dns_names, *leaf.ip_addresses) or ((f"CN={leaf.common_name}",) if leaf.common_name else ("none",))
    shown = ", ".join(f"`{name}`" for name in names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (Reason("host-name-mismatch", f"the server's certificate is for {shown}, not for `{host}`", SOURCES[rules]),)


def _ip(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _inet_aton(text: str) -> str | None:
    """An IPv4 or IPv6 address as libpq's is_ip_address() takes it (inet_aton's short and octal forms included)."""
    if ":" in text:
        return _ip(text)
    parts = text.split(".")
    if not 1 <= len(parts) <= 4 or not all(parts):
        return None
    try:
        numbers = [int(p, 16 if p[:2].lower() == "0x" else 8 if p[0] == "0" and len(p) > 1 else 10) for p in parts]
    except ValueError:
        return None
    if any(n > 255 for n in numbers[:-1]) or numbers[-1] >= 256 ** (5 - len(parts)):
        return None
    value = numbers[-1] + sum(n << (24 - 8 * i) for i, n in enumerate(numbers[:-1]))
    return str(ipaddress.IPv4Address(value))


# ── libpq ────────────────────────────────────────────────────────────────────────────────────────


def _libpq_wildcard(pattern: str, host: str) -> bool:
    """wildcard_certificate_match(): `*.` and then at least one character, for exactly one label."""
    if len(pattern) < 3 or not pattern.startswith("*.") or len(pattern) > len(host):
        return False
    tail = host[len(host) - len(pattern) + 1 :]
    return pattern[1:].lower() == tail.lower() and "." not in host[: len(host) - len(pattern) + 1]


def _libpq_name(pattern: str, host: str) -> bool:
    return "\0" not in pattern and (pattern.lower() == host.lower() or _libpq_wildcard(pattern, host))


def _first_common_name(leaf: Certificate) -> str:
    names = leaf.common_names
    return names[0] if names else ""


def libpq(leaf: Certificate, host: str) -> bool:
    """libpq 15 and later: the CN counts only when the SAN holds no name of the host's own kind."""
    address = _inet_aton(host)
    if any(_libpq_name(name, host) for name in leaf.dns_names):
        return True
    if address is not None and any(_ip(a) == address for a in leaf.ip_addresses):
        return True
    same_kind = leaf.dns_names if address is None else leaf.ip_addresses
    return not same_kind and _libpq_name(_first_common_name(leaf), host)


def libpq_14(leaf: Certificate, host: str) -> bool:
    """libpq up to 14: iPAddress entries are not looked at; the CN counts only when there is no dNSName."""
    if leaf.dns_names:
        return any(_libpq_name(name, host) for name in leaf.dns_names)
    return _libpq_name(_first_common_name(leaf), host)


# ── OpenSSL's X509_check_host ────────────────────────────────────────────────────────────────────


def _openssl_dns(pattern: str, host: str) -> bool:
    """do_check_string() with X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, as Python and most bindings set it."""
    pattern, host = pattern.lower(), host.lower()
    if pattern == host:
        return True
    if not pattern.startswith("*.") or pattern.count(".") < 2:
        return False
    label, dot, rest = host.partition(".")
    return bool(dot) and bool(label) and f".{rest}" == pattern[1:] and not label.startswith("xn--")


def openssl(leaf: Certificate, host: str) -> bool:
    """X509_check_host/ip: the CN counts only when the SAN holds no dNSName; an address is never looked for in names."""
    address = _ip(host)
    if address is not None:
        return address in leaf.ip_addresses
    if leaf.dns_names:
        return any(_openssl_dns(name, host) for name in leaf.dns_names)
    return any(_openssl_dns(name, host) for name in leaf.common_names)


# ── Java ─────────────────────────────────────────────────────────────────────────────────────────


def pgjdbc(leaf: Certificate, host: str) -> bool:
    """PGjdbcHostnameVerifier: any SAN of kind IP or DNS as text; the most specific CN when there is no dNSName."""
    wanted = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if any(_pgjdbc_pattern(name, wanted) for name in leaf.dns_names) or wanted in leaf.ip_addresses:
        return True
    if leaf.dns_names or not leaf.common_names:
        return False
    return _pgjdbc_pattern(max(leaf.common_names, key=_specificity), wanted)


def _specificity(pattern: str) -> tuple[int, int, bool]:
    """HOSTNAME_PATTERN_COMPARATOR: more labels, then longer, then without a star."""
    return (pattern.count("."), len(pattern), "*" not in pattern)


def _pgjdbc_pattern(pattern: str, host: str) -> bool:
    """verifyHostName(): one star, at the very start, for one label; the pattern needs a dot."""
    pattern, host = pattern.lower(), host.lower()
    if "*" not in pattern:
        return pattern == host
    if pattern.rindex("*") > 0 or "." not in pattern or len(host) < len(pattern) - 1:
        return False
    offset = len(host) - len(pattern) + 1
    return "." not in host[:offset] and host.endswith(pattern[1:])


# ── Go ───────────────────────────────────────────────────────────────────────────────────────────


def go(leaf: Certificate, host: str) -> bool:
    """crypto/x509 VerifyHostname: the SAN alone; ``[…]`` around an address; odd names match as they are, without wildcards.

    A bare ``*`` stands for nothing; up to 1.22 (``go_1_22``) it stood for any name of one label.
    """
    candidate = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = _ip(candidate)
    if address is not None:
        return address in leaf.ip_addresses
    wanted = host.lower()
    return any(_go_name(name.lower(), wanted) for name in leaf.dns_names)


def go_1_22(leaf: Certificate, host: str) -> bool:
    lone = host.removesuffix(".")
    return go(leaf, host) or ("*" in leaf.dns_names and _ip(host) is None and "." not in lone and _go_valid(lone, False))


def _go_name(pattern: str, host: str) -> bool:
    if _go_valid(host.removesuffix("."), False) and _go_valid(pattern, True):
        return _go_pattern(pattern, host.removesuffix("."))
    return pattern == host and pattern not in ("", ".", "*")


def _go_valid(name: str, is_pattern: bool) -> bool:
    """validHostname(): letters, digits, underscores, and hyphens that are not first."""
    if name in ("", "*"):
        return False
    return all(
        (is_pattern and number == 0 and part == "*")
        or (part and not part.startswith("-") and all(c.isascii() and (c.isalnum() or c in "-_") for c in part))
        for number, part in enumerate(name.split("."))
    )


def _go_pattern(pattern: str, host: str) -> bool:
    wanted, parts = host.split("."), pattern.split(".")
    if len(wanted) != len(parts):
        return False
    return all(p == w or (i == 0 and p == "*") for i, (p, w) in enumerate(zip(parts, wanted, strict=True)))


# ── Node ─────────────────────────────────────────────────────────────────────────────────────────


def node(leaf: Certificate, host: str) -> bool:
    """tls.checkServerIdentity: the CN counts where there is no dNSName, whatever else the SAN holds; a trailing dot is dropped."""
    wanted = host.lower().removesuffix(".")
    address = _ip(wanted)
    if address is not None:
        return address in leaf.ip_addresses
    if leaf.dns_names:
        return any(_node_pattern(name, wanted) for name in leaf.dns_names)
    return any(_node_pattern(name, wanted) for name in leaf.common_names)


def _node_pattern(pattern: str, host: str) -> bool:
    parts, wanted = pattern.lower().removesuffix(".").split("."), host.split(".")
    if len(parts) != len(wanted) or "" in parts or not all(p.isascii() for p in parts):
        return False
    if parts[1:] != wanted[1:]:
        return False
    head, name = parts[0], wanted[0]
    if "*" not in head or "xn--" in head:
        return head == name
    before, _, after = head.partition("*")
    if "*" in after or len(parts) <= 2:
        return False
    return len(name) >= len(before) + len(after) and name.startswith(before) and name.endswith(after)


# ── rustls ───────────────────────────────────────────────────────────────────────────────────────


def webpki(leaf: Certificate, host: str) -> bool:
    """rustls-webpki: the SAN alone; a name that ends with a dot stands for nothing there, and a host may."""
    address = _ip(host)
    if address is not None:
        return address in leaf.ip_addresses
    wanted = host.lower().removesuffix(".")
    return any(_webpki_pattern(name.lower(), wanted) for name in leaf.dns_names)


def _webpki_pattern(pattern: str, host: str) -> bool:
    if not pattern.startswith("*."):
        return pattern == host
    label, dot, rest = host.partition(".")
    return bool(label) and bool(dot) and "." in rest and pattern[2:] == rest


# ── Java's rules for HTTPS ───────────────────────────────────────────────────────────────────────


def java_https(leaf: Certificate, host: str) -> bool:
    """The JDK's HostnameChecker for TLS: the CN counts only when the SAN holds no dNSName."""
    address = _ip(host)
    if address is not None:
        return address in leaf.ip_addresses
    names = leaf.dns_names or leaf.common_names[-1:]
    return any(_java_pattern(name.lower(), host.lower()) for name in names)


def _java_pattern(pattern: str, host: str) -> bool:
    """matchAllWildcards(): label by label, a star for any part of one; a pattern needs two labels after its last star."""
    parts, labels = pattern.split("."), host.split(".")
    if len(parts) != len(labels):
        return False
    if "*" in pattern and pattern.rpartition("*")[2].count(".") < 2:
        return False
    return all(re.fullmatch(".*".join(map(re.escape, p.split("*"))), label) for p, label in zip(parts, labels, strict=True))


def httpclient(leaf: Certificate, host: str) -> bool:
    """Apache HttpClient's DefaultHostnameVerifier, which R2DBC carries: the CN counts only without any SAN."""
    address = _ip(host)
    if address is not None:
        return address in leaf.ip_addresses
    has_san = bool(leaf.dns_names or leaf.ip_addresses or leaf.has_uri_names)
    names = leaf.dns_names if has_san else leaf.common_names[-1:]
    return any(_httpclient_pattern(name.lower(), host.lower()) for name in names)


def _httpclient_pattern(pattern: str, host: str) -> bool:
    head, star, tail = pattern.partition("*")
    if not star:
        return pattern == host
    rest = host[len(head) : len(host) - len(tail)] if len(host) >= len(head) + len(tail) else "."
    return pattern.count(".") >= 2 and host.startswith(head) and host.endswith(tail) and "." not in rest and "." not in head


# ── libtls, as PgBouncer carries it ──────────────────────────────────────────────────────────────


def libtls(leaf: Certificate, host: str) -> bool:
    """tls_check_name(): the SAN, and where nothing of it fits, the first CN, whatever the SAN holds."""
    address = _ip(host)
    if address is not None:
        return address in leaf.ip_addresses or _first_common_name(leaf) == host
    return any(_libtls_pattern(name, host) for name in (*leaf.dns_names, _first_common_name(leaf)))


def _libtls_pattern(pattern: str, host: str) -> bool:
    """tls_match_name(): `*.` and two labels at least, for exactly one label."""
    pattern, host = pattern.lower(), host.lower()
    if pattern and pattern == host:
        return True
    label, dot, rest = host.partition(".")
    domain = pattern.removeprefix("*.")
    if not pattern.startswith("*.") or domain.startswith(".") or not label or not dot or not rest:
        return False
    head, inner, tail = domain.partition(".")
    return bool(head) and bool(inner) and not tail.startswith(".") and domain == rest


# ── Erlang ───────────────────────────────────────────────────────────────────────────────────────


def erlang(leaf: Certificate, host: str) -> bool:
    """pkix_verify_hostname with the match of ``https``, given the host as a name: an address is looked for nowhere."""
    if _ip(host) is not None:
        return False
    if leaf.dns_names:
        return any(_openssl_dns(name, host) for name in leaf.dns_names)
    return not leaf.ip_addresses and not leaf.has_uri_names and any(cn.lower() == host.lower() for cn in leaf.common_names)


# ── .NET ─────────────────────────────────────────────────────────────────────────────────────────


def dotnet(leaf: Certificate, host: str) -> bool:
    """CryptoNative_CheckX509Hostname and …IpAddress: a final dot is dropped; an address may also stand in a CN, whatever the SAN holds."""
    if _ip(host) is not None:
        return openssl(leaf, host) or host in leaf.common_names
    return openssl(leaf, host.removesuffix("."))


MATCHERS: Mapping[str, Matcher] = {
    "libpq": libpq,
    "libpq-14": libpq_14,
    "openssl": openssl,
    "pgjdbc": pgjdbc,
    "go": go,
    "go-1.22": go_1_22,
    "node": node,
    "webpki": webpki,
    "erlang": erlang,
    "libtls": libtls,
    "java-https": java_https,
    "httpclient": httpclient,
    "dotnet": dotnet,
}
SOURCES: Mapping[str, str] = {
    "libpq": "PostgreSQL src/interfaces/libpq/fe-secure-openssl.c pgtls_verify_peer_name_matches_certificate_guts()",
    "libpq-14": "PostgreSQL 14 src/interfaces/libpq/fe-secure-openssl.c",
    "openssl": "OpenSSL crypto/x509/v3_utl.c do_x509_check()",
    "pgjdbc": "pgjdbc org/postgresql/ssl/PGjdbcHostnameVerifier.java",
    "go": "Go crypto/x509/verify.go VerifyHostname",
    "go-1.22": "Go 1.22 crypto/x509/verify.go validHostname; run with 1.19.8, 1.21.13 and 1.22.10",
    "node": "Node.js lib/tls.js checkServerIdentity",
    "webpki": "rustls-webpki src/subject_name",
    "dotnet": "dotnet/runtime openssl.c CryptoNative_CheckX509Hostname; run with .NET 8.0.4",
    "erlang": "OTP lib/public_key/src/public_key.erl pkix_verify_hostname; run with OTP 25",
    "java-https": "OpenJDK sun/security/util/HostnameChecker.java; source only",
    "httpclient": "Apache HttpClient DefaultHostnameVerifier.java; source only",
    "libtls": "libusual usual/tls/tls_verify.c tls_check_name()",
}
