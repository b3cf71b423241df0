"""Where results go: files whole or not at all, devices as they are, formats by name."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from click.testing import CliRunner

from reroot.cli import reroot
from reroot.cli._output import write_whole
from reroot.errors import InputError
from reroot.reports.text import counted


def run(*words: str):
    return CliRunner().invoke(reroot, ["explain", "RR104", *words])


def test_results_go_to_as_many_places_as_are_named(tmp_path):
    done = run("-o", "text", "-o", f"json={tmp_path / 'a.json'}", "-o", f"text={tmp_path / 'a.txt'}")
    assert done.exit_code == 0
    assert "RR104" in done.output
    assert json.loads((tmp_path / "a.json").read_text())["schema"] == "reroot/rule/1"
    assert (tmp_path / "a.txt").read_text() == done.output
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.txt"], "no temporary is left"


def test_json_is_short_for_its_format():
    assert run("--json").output == run("-o", "json").output


def test_quiet_prints_nothing():
    assert run("-q").output == ""


@pytest.mark.parametrize(
    ("word", "message"),
    [pytest.param("nosuch", "is not a format", id="format"), pytest.param("json=", "names no file", id="file")],
)
def test_a_wrong_output_is_told_with_what_there_is(word, message):
    done = run("-o", word)
    assert message in str(done.exception) or message in done.output


def test_a_file_that_cannot_be_written_is_an_error_and_leaves_nothing(tmp_path):
    with pytest.raises(InputError, match="cannot write"):
        write_whole(tmp_path / "none" / "a.txt", "x")
    assert not list(tmp_path.iterdir())


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_whole(path, "result")
        assert os.read(reading, 100) == b"result"
    finally:
        os.close(reading)
    assert stat.S_ISFIFO(path.stat().st_mode)


def test_help_comes_at_once_for_every_command():
    runner = CliRunner()
    names = reroot.list_commands(None)
    assert {"explain", "scan", "trust", "probe", "observe", "plan", "rotate", "rollback", "status", "demo"} <= set(names)
    for name in names:
        done = runner.invoke(reroot, [name, "--help"])
        assert done.exit_code == 0, name
        assert "Usage:" in done.output


def started(*words: str, out: object) -> subprocess.CompletedProcess[str]:
    """The program itself: what becomes of an error of the machine is decided in its ``main``."""
    command = [sys.executable, "-c", "from reroot.cli import main; main()", *words]
    return subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, check=False)  # type: ignore[call-overload]


@pytest.mark.parametrize("words", [("drivers",), ("explain", "RR104"), ("emit", "iam")], ids=" ".join)
def test_a_full_disk_is_told_in_a_sentence(words):
    with open("/dev/full", "wb") as full:
        done = started(*words, out=full)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: cannot use the result: No space left on device")


def test_a_result_that_nobody_can_get_is_no_fault():
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" -c "from reroot.cli import main; main()" drivers >&-', sys.executable],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "words",
    [("demo", "--out", "{}/out"), ("lab", "aurora", "--light", "--out", "{}/out")],
    ids=["demo", "lab"],
)
def test_a_place_that_cannot_be_written_to_is_told_before_anything_is_started(words, tmp_path):
    (tmp_path / "file").touch()
    done = started(*(word.format(tmp_path / "file") for word in words), out=subprocess.PIPE)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: cannot use `")
    assert "hint: a file stands where a folder is wanted" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(("number", "said"), [(0, "0 servers"), (1, "1 server"), (2, "2 servers")])
def test_one_is_not_many(number, said):
    assert counted(number, "server") == said
