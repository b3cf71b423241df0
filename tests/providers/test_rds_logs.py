"""Whom an instance's log names as having refused its certificate."""

from __future__ import annotations

from datetime import UTC, datetime

from reroot.providers._rdslogs import named

LINE = "2026-11-23 {at} UTC:{who}({port}):[unknown]@[unknown]:[{port}]:LOG:  could not accept SSL connection: {why}\n"
SINCE = datetime(2026, 11, 23, 10, 30, tzinfo=UTC)


def log(*lines):
    return "".join(LINE.format(at=at, who=who, port=5000 + n, why=why) for n, (at, who, why) in enumerate(lines)).encode()


def test_one_alert_after_the_cut_over_names_its_address():
    found = named(
        log(("10:31:00", "10.0.0.9", "tlsv1 alert unknown ca"), ("10:29:00", "10.0.0.8", "tlsv1 alert unknown ca")), SINCE
    )
    assert found == ("10.0.0.9 refused the certificate: tlsv1 alert unknown ca",)


def test_hanging_up_counts_when_it_is_new_repeated_and_not_ours():
    ends = "EOF detected"
    often = [(f"10:3{n}:00", who, ends) for n in range(1, 4) for who in ("10.0.0.1", "10.0.0.2", "10.0.0.3")]
    lines = [*often, ("10:10:00", "10.0.0.2", ends), ("10:35:00", "10.0.0.4", ends)]
    assert named(log(*sorted(lines)), SINCE, ours="10.0.0.3") == (f"10.0.0.1 refused the certificate: {ends}",)


def test_a_log_of_which_nothing_can_be_read_names_nobody():
    assert named(b"\xff\xfe not a log", SINCE) == ()
