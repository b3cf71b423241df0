"""Is this production? Told by the names of folders, files and sections, nearest first; None when nothing says so."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"(?:^|[^a-z])(?:{words})(?:$|[^a-z])"))
    for name, words in (
        (
            "ci",
            r"\.github/workflows|\.gitlab-ci|\.circleci|\.travis|jenkinsfile|azure-pipelines|bitbucket-pipelines|\.buildkite|cloudbuild|buildspec|ci|appveyor|\.drone",
        ),
        ("test", r"tests?|spec|specs|testing|e2e|fixtures?|__tests__|testdata|integration-tests?|it|mocks?"),
        ("example", r"examples?|samples?|demos?|templates?/\.env|tutorials?|playground|dist-example|quickstart"),
        ("prod", r"prod|production|prd|live|prod\d*"),
        ("staging", r"staging|stage|stg|uat|preprod|pre-prod|qa|sandbox|acceptance|nonprod"),
        ("dev", r"dev|development|local|localhost|devcontainer|\.devcontainer"),
    )
)
_TEST_FILE = re.compile(
    r"(_test\.go|\.test\.[jt]sx?|\.spec\.[jt]sx?|_spec\.rb|(^|/)test_[\w]+\.py|_test\.py|Tests?\.(java|kt|cs|php)|IT\.java|conftest\.py)$"
)
_CI_FILE = re.compile(
    r"(^|/)(\.github/workflows/|\.gitlab-ci|\.circleci/|\.travis\.|Jenkinsfile|azure-pipelines|bitbucket-pipelines|\.buildkite/|cloudbuild\.|buildspec\.|appveyor\.|\.drone\.|\.gitlab/ci/)"
)
_EXAMPLE_FILE = re.compile(r"\.(example|sample|template|dist|tmpl)$|\.env\.(example|sample|template|dist)|(^|/)example[\w.-]*$")


def word(text: str) -> str | None:
    """The environment that one name speaks of."""
    lowered = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", text).lower()
    return next((name for name, pattern in _WORDS if pattern.search(lowered)), None)


def of(path: str, labels: Iterable[str] = (), host: str = "") -> str | None:
    """The environment of a finding in *path*, under *labels* (innermost first), for *host*."""
    if _CI_FILE.search(path):
        return "ci"
    for label in labels:
        if label and len(label) < 60 and label != "spec":  # Kubernetes has one everywhere
            found = word(label)
            if found in ("prod", "staging", "dev", "test"):
                return found
    if _TEST_FILE.search(path):
        return "test"
    if _EXAMPLE_FILE.search(path):
        return "example"
    folder, _, name = path.rpartition("/")
    ci = _WORDS[0][1].search(path.lower())
    for part in (name, *reversed(folder.split("/"))):
        found = word(part)
        if found:
            return found
    if ci:
        return "ci"
    if host:
        if host.startswith(("localhost", "127.", "::1")):
            return "dev"
        found = word(host)
        if found in ("prod", "staging", "dev", "test"):
            return found
    return None
