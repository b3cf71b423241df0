"""
An RDS API stand-in that behaves like the real one, over real PostgreSQL servers or light stages.

    world.py        what there is: regions, clusters, instances; how a change runs its course
    _answers.py     the calls that look
    _changes.py     the calls that change
    _faults.py      what can be made to go wrong
    server.py       HTTP: boto3, the AWS command line and whatever else speaks RDS's protocol
    fleet.py        a fleet by its description, up and running
"""

from __future__ import annotations
