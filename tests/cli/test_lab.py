"""`reroot lab aurora`: up in one command, found by the environment that it writes, gone afterwards."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.errors import InputError
from reroot.lab.postgres import clean_environment

COMMAND = [sys.executable, "-c", "from reroot.cli import main; main()"]


def settings(folder):
    lines = (folder / "environment").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_a_fleet_like_ones_own_is_rotated_by_hand_and_everything_is_gone_afterwards(tmp_path):
    shape = {"instances": [{"id": f"db-{n}", "region": "eu-west-1", "cluster": "db", "is_writer": n == 1} for n in (1, 2)]}
    (tmp_path / "fleet.json").write_text(json.dumps(shape))
    words = ["lab", "aurora", "--like", "fleet.json", "--light", "--out", "lab", "--pace", "0"]
    with subprocess.Popen([*COMMAND, *words], cwd=tmp_path, env=clean_environment({"PYTHONUNBUFFERED": "1"}), stdout=subprocess.PIPE, text=True) as running:  # fmt: skip
        assert running.stdout is not None
        said = [next(running.stdout) for _ in range(7)]
        assert said[0].startswith("2 instances in eu-west-1, each a light stage")
        ours = clean_environment(settings(tmp_path / "lab"))
        told = subprocess.run(
            [*COMMAND, "guide", "aurora", "--roots", "lab/roots", "--address", "127.0.0.1", "--write", "plans"],
            cwd=tmp_path, env=ours, capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert told.returncode == 1, told.stderr
        assert "2 instances, 2 not on `rds-ca-rsa2048-g1`" in told.stdout
        running.send_signal(signal.SIGINT)
        running.stdout.read()
        assert running.wait(60) == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read it"),
        ("nothing", "this is no JSON"),
        ("[]", "describes no fleet"),
        ('{"instances": []}', "no instance"),
    ],
    ids=["no file", "no json", "no fleet", "empty"],
)
def test_bad_input_is_told_before_anything_starts(tmp_path, monkeypatch, content, said):
    monkeypatch.chdir(tmp_path)
    if content is not None:
        (tmp_path / "fleet.json").write_text(content)
    done = CliRunner().invoke(reroot, ["lab", "aurora", "--like", "fleet.json"])
    assert isinstance(done.exception, InputError)
    assert said in done.exception.message
    assert not (tmp_path / "reroot-lab").exists()
