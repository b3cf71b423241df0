"""
A Spark standalone cluster on loopback, a master and two workers, and the job that reads a log on it. Used by `logs.py` and by a test.

Run as a program with the interpreter that has pyspark: python bench/_spark.py LOG [PIECE_BYTES] prints one JSON line.
"""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = ROOT / ".cache/spark/bin/python"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The URL of a master with two workers of one core each; all of them end with it."""
    home = next((PYTHON.parent.parent / "lib").glob("python3*/site-packages/pyspark"))
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    env = {
        **os.environ,
        "SPARK_HOME": str(home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_WORKER_DIR": str(folder),
        "PYSPARK_PYTHON": str(PYTHON),
    }
    start = [str(home / "bin/spark-class")]
    master = [*start, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", str(port), "--webui-port", "0"]
    worker = [
        *start,
        "org.apache.spark.deploy.worker.Worker",
        "--host",
        "127.0.0.1",
        "-c",
        "1",
        "-m",
        "600m",
        "--webui-port",
        "0",
        url,
    ]
    log = (folder / "spark.log").open("wb")
    running = [subprocess.Popen(words, env=env, stdout=log, stderr=log) for words in (master, worker, worker)]
    try:
        _wait_for(folder / "spark.log", b"Registering worker", 2)
        yield url
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)
        log.close()


def _wait_for(file: Path, words: bytes, times: int) -> None:
    until = time.monotonic() + 90
    while file.read_bytes().count(words) < times:
        if time.monotonic() > until:
            raise TimeoutError(file.read_text()[-2000:])
        time.sleep(0.1)


def cpu_below(pid: int) -> float:
    """CPU seconds of all processes that this one started, and theirs: master, workers, executors, the driver and its Java."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        parents[int(stat.parent.name)] = int(fields[1])
        spent[int(stat.parent.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def is_below(one: int) -> bool:
        while one in parents and one != pid:
            one = parents[one]
        return one == pid

    return sum(seconds for one, seconds in spent.items() if one != pid and is_below(one))


def job(master: str, path: str, size: int) -> None:
    sys.path.insert(0, str(ROOT / "src"))
    from pyspark.sql import SparkSession

    from reroot.collect.ingest import find
    from reroot.collect.ingest._spark import ingest_on_spark

    build = SparkSession.builder.master(master).config("spark.driver.host", "127.0.0.1").config("spark.ui.enabled", "false")
    session = build.config("spark.executor.memory", "512m").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    ingest_on_spark(session, find([path]), size=size)
    begin, spent = time.perf_counter(), cpu_below(os.getppid())
    found = ingest_on_spark(session, find([path]), size=size)
    wall, cpu = time.perf_counter() - begin, cpu_below(os.getppid()) - spent
    rows = sorted([*map(str, row), *tally] for row, tally in found.rollup.settled().rows.items())
    executors = session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    print(
        json.dumps(
            {
                "rows": rows,
                "wall": wall,
                "cpu": cpu,
                "pieces": len(found.reads),
                "complete": found.is_complete,
                "executors": len(list(executors)) - 1,
            }
        )
    )
    session.stop()


def run(path: Path, size: int, folder: Path) -> dict[str, object]:
    """The job on a cluster of its own, as a child; its answer."""
    with cluster(folder) as url:
        env = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYSPARK_PYTHON": str(PYTHON)}
        done = subprocess.run(
            [str(PYTHON), __file__, url, str(path), str(size)], capture_output=True, env=env, timeout=300, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr.decode()[-3000:])
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def beside(path: Path) -> None:
    """Spark's wall time beside the process pool's, and whether they say the same."""
    import tempfile

    sys.path.insert(0, str(ROOT / "src"))
    from reroot.collect.ingest import find, ingest

    begin, spent = time.perf_counter(), sum(os.times()[:4])
    pool = ingest(find([str(path)]), processes=2)
    wall, pools = time.perf_counter() - begin, sum(os.times()[:4]) - spent
    expected = sorted([*map(str, row), *tally] for row, tally in pool.rollup.settled().rows.items())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as folder:
        answer = run(path, path.stat().st_size // 4, Path(folder))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    same = "the same rollup" if answer["rows"] == expected else "ANOTHER ROLLUP"
    size = path.stat().st_size / 1e9
    print(
        f"{path.name}: {same} ({len(expected)} rows); for each GB: pool of 2 {pools / size:.2f} s CPU, {wall / size:.2f} s wall; "
        f"Spark, {answer['executors']} executors, {answer['pieces']} pieces, warm {float(str(answer['cpu'])) / size:.2f} s CPU, "
        f"{float(str(answer['wall'])) / size:.2f} s wall; cluster, driver and two jobs from start to end: {cpu:.0f} s CPU"
    )


if __name__ == "__main__":
    job(sys.argv[1], sys.argv[2], int(sys.argv[3]))
