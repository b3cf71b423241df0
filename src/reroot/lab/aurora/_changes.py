"""
The calls that change, with the traps of the real ones.

``ApplyImmediately`` applies whatever else is pending too. A change without it waits for the window. Without a restart, where
one is needed or was declined, the certificate waits for the next restart, planned or not. A new instance is born on the
account's default, not on its sibling's CA (``_births``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from ._answers import Given, Values
from ._births import BIRTHS
from ._settings import SETTINGS
from ._views import certificate_view, cluster_view, instance_view
from ._wire import Fault, fault
from .world import Instance, World, soon

Change = Callable[[World, str, Given], Values]
CA = "CACertificateIdentifier"
QUEUED = ("DBInstanceClass", "AllocatedStorage", "EngineVersion", "BackupRetentionPeriod", "MultiAZ", CA)
"""Modifications that can wait for the window; those in ``RESTARTS`` take the server down when they are applied."""
RESTARTS = frozenset({"DBInstanceClass", "EngineVersion"})


def modify_instance(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["DBInstanceIdentifier"])
    if one.cluster and world.clusters[region, one.cluster].multi_az and CA in given:
        raise Fault("InvalidParameterCombination", f"{one.id} is a member of a Multi-AZ DB cluster: modify the DB cluster.")
    _may_take(world, one, given.get(CA))
    asked = {k: given[k] for k in QUEUED if k in given}
    one.pending.update(asked)
    if given.get("ApplyImmediately"):
        _apply(world, one, restart=given.get("CertificateRotationRestart", True))
    elif asked:
        _in_the_window(world, one)
    answer = instance_view(world, one)
    world.note(one, lambda i: instance_view(world, i))
    return {"DBInstance": answer}


def modify_cluster(world: World, region: str, given: Given) -> Values:
    one = world.cluster(region, given["DBClusterIdentifier"])
    id = given.get(CA)
    if id and not one.multi_az:
        raise Fault("InvalidParameterCombination", "CACertificateIdentifier is valid for Multi-AZ DB clusters only.")
    for name in one.members:
        member = world.instances[region, name]
        try:
            _may_take(world, member, id)
        except Fault as error:
            # ModifyDBCluster does not declare CertificateNotFoundFault.
            raise Fault("InvalidParameterValue", error.message) from None
        if id:
            member.pending[CA] = id
            if given.get("ApplyImmediately"):
                _apply(world, member, restart=True)
            else:
                _in_the_window(world, member)
            world.note(member, lambda i: instance_view(world, i))
    return {"DBCluster": cluster_view(world, one)}


def _may_take(world: World, one: Instance, id: str | None) -> None:
    if one.status != "available":
        raise fault("InvalidDBInstanceStateFault", f"Database instance is not in available state: {one.id} is {one.status}.")
    if id is None:
        return
    world.authority(one.region, id)
    if id not in world.version_of(one).authorities:
        raise Fault("InvalidParameterCombination", f"{id} is not supported by {one.engine} {one.version}.")


def _apply(world: World, one: Instance, *, restart: bool) -> None:
    """Begin to apply everything that is pending; it takes its time."""
    changes = dict(one.pending)
    others = sorted(set(changes) - {CA})
    restart_free = world.version_of(one).restart_free
    down = bool(RESTARTS & set(changes)) or (CA in changes and restart and not restart_free)
    one.status = "modifying"
    world.happened(one.id, one.region, f"Applying modification to: {', '.join(sorted(changes)) or 'nothing'}")
    if others:
        world.happened(one.id, one.region, f"Pending modifications were applied too: {', '.join(others)}")
    if one.id not in world.faults.stuck:
        world.later(lambda: _finish(world, one, changes, down=down, waits=CA in changes and not restart))
    else:
        world.later(lambda: _finish(world, one, changes, down=down, waits=False, stuck=True))


def _finish(world: World, one: Instance, changes: Mapping[str, Any], *, down: bool, waits: bool, stuck: bool = False) -> None:
    wanted = changes.get(CA, "") or ""
    if down:
        with world.lock:
            one.status = "rebooting"
            world.note(one, lambda i: instance_view(world, i))
    serves = one.staged if down and one.staged and not wanted else wanted
    if waits and not down:
        one.staged, serves = wanted, ""
    if serves and one.id not in world.faults.says_done:
        world.show(one, serves, restart=down)
    elif down:
        world.show(one, one.serves, restart=True)
    with world.lock:
        if wanted and not one.staged:
            one.ca = wanted
        if down:
            if one.staged:
                one.ca = serves or one.staged
            one.staged = ""
            world.happened(one.id, one.region, "DB instance restarted")
        if "EngineVersion" in changes:
            one.version = changes["EngineVersion"]
        for name in changes:
            one.pending.pop(name, None)
        if not stuck:
            one.status = "available"
        if serves:
            world.happened(one.id, one.region, f"The server certificate was changed to {serves}")
        world.note(one, lambda i: instance_view(world, i))


def _in_the_window(world: World, one: Instance) -> None:
    """What is pending is applied when the next window opens, unless it was applied or taken back before, or the instance is gone."""

    def opens() -> None:
        with world.lock:
            if world.instances.get((one.region, one.id)) is one and one.pending and one.status == "available":
                open_window(world, one.region, one.id)

    world.course.later(world.until_window(one), opens, is_course=False)


def open_window(world: World, region: str, id: str) -> None:
    """The maintenance window of an instance has come: what is pending is applied."""
    with world.lock:
        _apply(world, world.instance(region, id), restart=True)


def reboot(world: World, region: str, given: Given) -> Values:
    one = world.instance(region, given["DBInstanceIdentifier"])
    _may_take(world, one, None)
    restart(world, one)
    return {"DBInstance": instance_view(world, one)}


def restart(world: World, one: Instance) -> None:
    """A restart, planned or not: a certificate that waited for one comes into force."""
    one.status = "rebooting"
    world.note(one, lambda i: instance_view(world, i))
    world.later(lambda: _finish(world, one, {}, down=True, waits=False))


def fail_over(world: World, region: str, given: Given) -> Values:
    """Another member becomes the writer; the one that was it restarts."""
    cluster = world.cluster(region, given["DBClusterIdentifier"])
    members = [world.instances[region, m] for m in cluster.members]
    readers = [m for m in members if not m.is_writer]
    wanted = given.get("TargetDBInstanceIdentifier")
    target = next((m for m in readers if wanted in (None, m.id)), None)
    if target is None:
        raise fault("InvalidDBClusterStateFault", f"There is no reader to fail over to in {cluster.id}.")
    for member in members:
        was, member.is_writer = member.is_writer, member is target
        if was:
            restart(world, member)
    world.happened(cluster.id, region, f"Completed failover to DB instance: {target.id}")
    return {"DBCluster": cluster_view(world, cluster)}


def modify_certificates(world: World, region: str, given: Given) -> Values:
    """The account's default for new instances, in this region only."""
    here = world.region(region)
    if given.get("RemoveCustomerOverride"):
        here.override, here.override_until = "", None
        return {}
    one = world.authority(region, given["CertificateIdentifier"])
    here.override = one.id
    here.override_until = one.root.certificate.not_valid_after_utc
    return {"Certificate": certificate_view(here, one)}


def apply_maintenance(world: World, region: str, given: Given) -> Values:
    """``immediate`` cannot be taken back; ``next-maintenance`` can, by ``undo-opt-in``."""
    resource, how = given["ResourceIdentifier"], given["OptInType"]
    details = world.maintenance.get((region, resource))
    if details is None or details["Action"] != given["ApplyAction"]:
        raise fault("ResourceNotFoundFault", f"No pending maintenance action {given['ApplyAction']} for {resource}")
    if how == "undo-opt-in":
        if details.get("OptInStatus") == "immediate":
            raise Fault("InvalidParameterCombination", "An immediate opt-in cannot be undone.")
        details.pop("OptInStatus", None)
        details.pop("CurrentApplyDate", None)
    else:
        details["OptInStatus"] = how
        details["CurrentApplyDate"] = datetime.now(UTC) if how == "immediate" else soon(86400)
    if how == "immediate" and given["ApplyAction"] == "ca-certificate-rotation":
        one = world.instance(region, resource.rpartition(":")[2])
        one.pending[CA] = world.region(region).born
        _apply(world, one, restart=True)
    return {
        "ResourcePendingMaintenanceActions": {
            "ResourceIdentifier": resource,
            "PendingMaintenanceActionDetails": [details],
        }
    }


CHANGES: Mapping[str, Change] = {
    "ModifyDBInstance": modify_instance,
    "ModifyDBCluster": modify_cluster,
    "RebootDBInstance": reboot,
    "FailoverDBCluster": fail_over,
    "ModifyCertificates": modify_certificates,
    "ApplyPendingMaintenanceAction": apply_maintenance,
    **BIRTHS,
    **SETTINGS,
}
