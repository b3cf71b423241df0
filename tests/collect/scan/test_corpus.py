"""Recall, precision and policies over the corpus: what a careful reader would want, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from reroot.collect.scan._finding import Finding
from reroot.collect.scan._scan import Scan, scan

from ._corpus import Tree, Wanted, trees

CORPORA = {"scan": trees("scan"), "strangers": trees("strangers")}
TREES = [tree for corpus in CORPORA.values() for tree in corpus]


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scan]:
    found = {}
    for tree in TREES:
        root = tmp_path_factory.mktemp(tree.name)
        tree.unpack(root)
        found[tree.name] = scan([str(root)], gitignore=False, processes=1)
    return found


def meets(wanted: Wanted, finding: Finding) -> bool:
    overlaps = finding.line <= wanted.last and wanted.first <= max(finding.line, finding.line_end)
    return finding.path == wanted.path and wanted.kind in (finding.kind, "any") and overlaps


def said(finding: Finding) -> dict[str, str | None]:
    policy = finding.policy
    return {
        "mode": finding.mode,
        "roots": finding.roots,
        "driver": finding.driver,
        "wrapper": finding.wrapper,
        "env": finding.environment,
        "rule": finding.rule,
        "decidable": "yes" if finding.decidable else "no",
        "policy": f"{policy['ask']}/{policy['check']}" if policy else None,
    }


@pytest.mark.parametrize("corpus", CORPORA)
def test_the_corpus_is_as_large_as_it_claims(corpus: str) -> None:
    assert sum(len(tree.files) for tree in CORPORA[corpus]) >= 150
    assert sum(wanted.hurts for tree in CORPORA[corpus] for wanted in tree.wanted) >= 100


@pytest.mark.parametrize("corpus", CORPORA)
def test_nearly_every_finding_that_would_hurt_is_found(corpus: str, scans: dict[str, Scan]) -> None:
    hurting = [(tree, wanted) for tree in CORPORA[corpus] for wanted in tree.wanted if wanted.hurts]
    missed = [str(wanted) for tree, wanted in hurting if not any(meets(wanted, f) for f in scans[tree.name].findings)]
    assert len(missed) <= 0.05 * len(hurting), missed


@pytest.mark.parametrize("corpus", CORPORA)
def test_nearly_nothing_else_is_said(corpus: str, scans: dict[str, Scan]) -> None:
    said_aloud = [(tree, f) for tree in CORPORA[corpus] for f in scans[tree.name].findings if f.level != "note"]
    extra = [f"{f.path}:{f.line} {f.text}" for tree, f in said_aloud if not any(meets(wanted, f) for wanted in tree.wanted)]
    assert len(extra) <= 0.05 * len(said_aloud), extra


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
def test_what_is_wanted_of_a_finding_is_said(tree: Tree, scans: dict[str, Scan]) -> None:
    wrong = []
    for wanted in tree.wanted:
        found = [f for f in scans[tree.name].findings if meets(wanted, f)]
        if found and not any(wanted.keys.items() <= said(f).items() for f in found):
            wrong.append((str(wanted), [{k: said(f)[k] for k in wanted.keys} for f in found]))
    assert wrong == []


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: tree.name)
def test_files_without_anything_of_ours_stay_silent(tree: Tree, scans: dict[str, Scan]) -> None:
    quiet = set(tree.files) - {wanted.path for wanted in tree.wanted}
    loud = {f.path: f.text for f in scans[tree.name].findings if f.path in quiet and f.level != "note"}
    assert loud == {}


def test_no_password_of_the_corpus_is_in_any_finding(scans: dict[str, Scan], tmp_path: Path) -> None:
    for result in scans.values():
        assert not any(secret in repr(f) for f in result.findings for secret in ("s3cret", ":pw@", "Password=pw"))
