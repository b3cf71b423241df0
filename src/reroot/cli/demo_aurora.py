"""Watch the rotation of an Aurora fleet on this machine: 12 instances, 4 clusters, 2 regions, an RDS API stand-in."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from .demo import _keep, _part, _workplace


@click.command(name="demo-aurora")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reroot-demo-aurora"),
    show_default=True,
    help="Where report and inventories go.",
)
def COMMAND(out: Path) -> None:
    """From discovery to the retirement of the old roots, with clients running, in two minutes.

    A client that nobody knows of is not ready: the canary's log names it and the canary goes back. Then everybody is ready, and
    both regions are rotated. Needs boto3 (`pip install 'reroot[aws,demo]'`) and no AWS account: everything is on loopback.
    """
    from ..app import demo_aurora as story
    from ..app.demo import Tale

    began, kept = time.monotonic(), out.absolute()
    tale = Tale(lambda text: click.echo(text))
    with _workplace() as folder:
        tale.tell("starting 12 PostgreSQL servers as 4 Aurora clusters, an RDS API and 4 clients …")
        with story.scene(folder, tale) as scene, _environment(scene.fleet.api.environment()):
            _part(tale, "what AWS tells: each instance, and an inventory for each region, whose roots are its own")
            story.discover(scene, tale)
            _part(tale, "what the rotation does to each client, if it were done now")
            story.readiness(scene, tale)
            _part(tale, "a client that nobody declared is not ready: the canary's log names it, and the canary goes back")
            story.surprise_at_the_canary(scene, tale)
            for region in story.SHAPE:
                _part(tale, f"{region}: canary first, readers before the writer, the clients running")
                story.rotate(scene, tale, region)
            _part(tale, "where it ended: a handshake with every instance")
            story.proof(scene, tale)
            tale.tell(f"\ndone in {time.monotonic() - began:.0f} s: 12 instances on rds-ca-rsa2048-g1, the old roots retired")
            for path in scene.inventories.values():
                (folder / "reroot.toml").write_bytes(path.read_bytes())
                _keep(folder, kept, tale)
                (kept / "reroot.toml").rename(kept / path.name)
    click.echo(f"report and inventories: {out}/   next: `reroot guide aurora --help`, `reroot lab aurora`")


@contextmanager
def _environment(ours: Mapping[str, str]) -> Iterator[None]:
    """Of this process, for the time of the demo: no AWS account is asked, and none can be."""
    names = {*ours, *(name for name in os.environ if name.startswith("AWS_"))}
    before = {name: os.environ.pop(name, None) for name in names}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
