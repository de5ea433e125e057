"""Roles: what a viewer, a launcher and an editor may do.

Belongs here: the table of permissions and of GraphQL mutations. Does not belong here: who has which role.
What is not in a table is for editors, so that a new mutation or permission of Dagster is closed at first.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from dagster._core.workspace.permissions import (
    EDITOR_PERMISSIONS,
    LOCATION_SCOPED_PERMISSIONS,
    PermissionResult,
    Permissions,
)


class Role(StrEnum):
    """Who may do what; each role may do all that the one before it may."""

    VIEWER = "viewer"
    LAUNCHER = "launcher"
    EDITOR = "editor"

    def covers(self, other: Role) -> bool:
        """Whether this role may do everything that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


LAUNCHER_PERMISSIONS: Final = frozenset(
    {
        Permissions.LAUNCH_PIPELINE_EXECUTION,
        Permissions.LAUNCH_PIPELINE_REEXECUTION,
        Permissions.TERMINATE_PIPELINE_EXECUTION,
        Permissions.LAUNCH_PARTITION_BACKFILL,
        Permissions.CANCEL_PARTITION_BACKFILL,
    }
)
LAUNCHER_MUTATIONS: Final = frozenset(
    {
        "launchPipelineExecution",
        "launchRun",
        "launchMultipleRuns",
        "launchPipelineReexecution",
        "launchRunReexecution",
        "terminatePipelineExecution",
        "terminateRun",
        "terminateRuns",
        "launchPartitionBackfill",
        "resumePartitionBackfill",
        "reexecutePartitionBackfill",
        "cancelPartitionBackfill",
    }
)


def role_of_mutation(field: str) -> Role:
    """The least role that may ask for a field of the GraphQL type Mutation."""
    return Role.LAUNCHER if field in LAUNCHER_MUTATIONS else Role.EDITOR


def permissions_of(role: Role) -> Mapping[str, PermissionResult]:
    """Every permission of Dagster and whether the role has it; the UI greys its buttons by this map."""
    reason = f"Not for the role {role}."

    def allowed(permission: str) -> bool:
        if role is Role.EDITOR:
            return EDITOR_PERMISSIONS.get(permission, False)
        return role is Role.LAUNCHER and permission in LAUNCHER_PERMISSIONS

    return {
        permission: PermissionResult(enabled=True, disabled_reason=None)
        if allowed(permission)
        else PermissionResult(enabled=False, disabled_reason=reason)
        for permission in Permissions
    }


def location_permissions_of(role: Role) -> Mapping[str, PermissionResult]:
    """The permissions that Dagster asks for within one code location."""
    return {
        name: result for name, result in permissions_of(role).items() if name in LOCATION_SCOPED_PERMISSIONS
    }
