"""
The trust store of a Java runtime: javax.net.ssl.trustStore where it is set, else the runtime's own cacerts.

Options reach a runtime by its command line, or by JAVA_TOOL_OPTIONS and JDK_JAVA_OPTIONS; here they are taken from those
variables, from settings of the same names, and from the client's runtime. JSSE Reference Guide, "Customizing the Default
Keystores and Truststores"; OpenJDK sun/security/ssl/TrustStoreManager.java.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from ..model import FileState, Given, RootsFrom, RootSource, Secret

VARIABLES = ("JDK_JAVA_OPTIONS", "JAVA_TOOL_OPTIONS")
PREFIX = "javax.net.ssl."

# Where distributions keep the runtime's own roots, in the order in which they are looked for.
CACERTS = (
    "/etc/ssl/certs/java/cacerts",  # Debian, Ubuntu
    "/etc/pki/java/cacerts",  # Fedora, RHEL
)


def options(given: Given) -> dict[str, str]:
    """The system properties that are known of the runtime; what is named closest to the client wins."""
    found = dict(_from_variables(given))
    found |= {name: str(value) for name, value in given.options.items() if name.startswith(PREFIX) and value is not None}
    return found | {name: value for name, value in given.runtime.items() if name.startswith(PREFIX)}


def _from_variables(given: Given) -> Iterator[tuple[str, str]]:
    for variable in reversed(VARIABLES):
        for word in _words(given.env.get(variable, "")):
            name, equals, value = word.removeprefix("-D").partition("=")
            if word.startswith("-D") and equals:
                yield name, value


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def roots(given: Given) -> RootSource:
    """What the runtime trusts. No path when neither a trust store is set nor its cacerts are found."""
    known = options(given)
    password = known.get(f"{PREFIX}trustStorePassword")
    kind = known.get(f"{PREFIX}trustStoreType")
    store = known.get(f"{PREFIX}trustStore", "")
    return RootSource(
        RootsFrom.SETTING if store else RootsFrom.CACERTS,
        store or _cacerts(given),
        "java",
        store_type=kind,
        password=None if password is None else Secret(password),
    )


def _cacerts(given: Given) -> str:
    home = given.env.get("JAVA_HOME", "")
    places = [given.runtime.get("cacerts", "")]
    if home:
        places += [f"{home}/lib/security/jssecacerts", f"{home}/lib/security/cacerts", f"{home}/jre/lib/security/cacerts"]
    places += CACERTS
    return next((place for place in places if place and given.files(place).state is not FileState.MISSING), "")
