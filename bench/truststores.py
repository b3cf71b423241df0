"""
Putting the 115 Amazon RDS certificates into Java stores: AWS's sample way (one keytool a certificate) beside ``reroot trust add``.

    python bench/truststores.py [--stores 10000] [--skip-keytool]

Same machine, same run. The sample way is run once a type, since it takes most of a minute; ours is the median of nine. The page's script
then asks keytool once more for each entry, for its dates; that is timed as well, and both ratios are printed, of wall and of CPU.
Then: a batch of stores in one process, and PEM files on this disk with every fsync in place.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from reroot import authorities, truststores
from reroot.collect import trustfiles
from reroot.model import Secret
from reroot.truststores import Change, pem

PASSWORD = Secret("changeit")
ROOTS = [root.certificate for root in authorities.families()["aws"].roots]
REROOT = [str(Path(sys.executable).with_name("reroot"))]
SAMPLE = r"""
cd "$3" || exit 1
awk '/BEGIN CERTIFICATE/ { n++ } { print > sprintf("cert-%04d.pem", n) }' "$1"
for cert in cert-*.pem; do
  grep -q BEGIN "$cert" || continue
  name=$(openssl x509 -in "$cert" -noout -subject -nameopt multiline | sed -n 's/ *commonName *= //p')
  keytool -importcert -noprompt -alias "$name" -file "$cert" -keystore "$2" -storepass changeit -storetype "$4" >/dev/null 2>&1
done
keytool -list -keystore "$2" -storepass changeit 2>/dev/null | grep -c trustedCertEntry
"""
"""The shape of the script on AWS's page "Using SSL/TLS to encrypt a connection to a DB instance", Linux: its imports."""
LISTING = r"""
keytool -list -v -keystore "$1" -storepass changeit 2>/dev/null | sed -n 's/^Alias name: //p' | while read -r name; do
  keytool -list -v -keystore "$1" -storepass changeit -alias "$name" 2>/dev/null | grep Valid
done
"""
"""… and what it does then: each entry with its dates."""


def timed(run: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def cpu() -> float:
    """Seconds of CPU that finished children have used."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def median(run: Callable[[], object], before: Callable[[], object] = lambda: None, times: int = 9) -> float:
    taken = []
    for _ in range(times):
        before()
        taken.append(timed(run)[0])
    return statistics.median(taken)


def command(folder: Path, bundle: Path, format: str, kind: str, sample: bool) -> None:
    store, password = folder / f"ours.{format}", folder / "password"
    password.write_text("changeit\n")
    create, write = truststores.find(format).create, truststores.find(format).write
    assert create is not None
    assert write is not None
    one = create(ROOTS[:1], PASSWORD)
    add = [*REROOT, "trust", "add", str(store), "--root", str(bundle), "--password-file", str(password), "--execute", "-q"]
    ours = median(lambda: subprocess.run(add, check=True), lambda: store.write_bytes(one))
    assert len(truststores.read(store.read_bytes(), PASSWORD).certificates) == len(ROOTS)
    content = store.read_bytes()
    again = median(lambda: subprocess.run(add, check=True))
    assert store.read_bytes() == content
    batch = median(lambda: write(one, Change(add=tuple(ROOTS)), PASSWORD), times=50)
    print(f"{kind}: reroot trust add {ours * 1000:.0f} ms a command, second run {again * 1000:.0f} ms and no change")
    print(f"{kind}: {batch * 1000:.2f} ms a store in one process")
    if not sample:
        return
    work = folder / f"sample-{format}"
    work.mkdir()
    before = cpu()
    theirs, ran = timed(
        lambda: subprocess.run(
            ["sh", "-c", SAMPLE, "sh", str(bundle), str(folder / f"theirs.{format}"), str(work), kind],
            capture_output=True,
            text=True,
        )
    )
    assert isinstance(ran, subprocess.CompletedProcess)
    their_cpu = cpu() - before
    print(f"{kind}: the sample way's imports {theirs:.1f} s, {their_cpu:.1f} s of CPU, {ran.stdout.strip()} entries")
    listing, _ = timed(lambda: subprocess.run(["sh", "-c", LISTING, "sh", str(folder / f"theirs.{format}")], capture_output=True))
    before = cpu()
    ours_again = median(lambda: subprocess.run(add, check=True), lambda: store.write_bytes(one))
    our_cpu = (cpu() - before) / 9
    print(f"{kind}: reroot trust add right after {ours_again * 1000:.0f} ms, {our_cpu * 1000:.0f} ms of CPU")
    print(
        f"{kind}: imports alone {theirs / ours:.0f} and {theirs / ours_again:.0f} times, in CPU {their_cpu / our_cpu:.0f}; {theirs / batch:.0f} in a batch"
    )
    whole = theirs + listing
    print(
        f"{kind}: the whole script, with its list of {listing:.1f} s: {whole:.1f} s, {whole / ours:.0f} and {whole / ours_again:.0f} times"
    )


def files(folder: Path, count: int) -> None:
    old = pem.create(ROOTS[:3])
    paths = []
    for number in range(count):
        paths.append(str(folder / f"{number:05}.pem"))
        Path(paths[-1]).write_bytes(old)
    os.sync()
    journal = trustfiles.Journal(folder / "state")

    def one(path: str, book: trustfiles.Journal) -> trustfiles.Change:
        return trustfiles.add_root(path, ROOTS[-3:], execute=True, journal=book)

    taken, results = timed(lambda: trustfiles.many(paths, one, execute=True, journal=journal))
    assert isinstance(results, list)
    assert all(change is not None and change.executed for _, change, _ in results)
    print(f"{count} PEM files changed in {taken:.1f} s, {taken / count * 1000:.2f} ms each, every fsync in place")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stores", type=int, default=10_000)
    parser.add_argument("--skip-keytool", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd() / ".cache" if (Path.cwd() / ".cache").is_dir() else None) as name:
        folder = Path(name)
        os.environ["REROOT_STATE"] = str(folder / "state")
        bundle = folder / "bundle.pem"
        bundle.write_bytes(b"".join(pem.encode(root) for root in ROOTS))
        for format, kind in (("jks", "JKS"), ("pkcs12", "PKCS12")):
            command(folder, bundle, format, kind, not options.skip_keytool)
        files(folder, options.stores)


if __name__ == "__main__":
    main()
