"""The context that Dagster resolves a request in, with the permissions of the visitor's role.

Belongs here: what Dagster asks the context about the person. Does not belong here: finding the person.
Uses private API of Dagster: its version is locked, and `tests/web` walks every mutation and route.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster._core.storage.tags import REPORTING_USER_TAG, USER_TAG
from dagster._core.workspace.context import IWorkspaceProcessContext, WorkspaceRequestContext
from dagster._core.workspace.permissions import PermissionResult
from starlette.requests import HTTPConnection

from blotout_orchestration.web.access import Access
from blotout_orchestration.web.guard import visitor_of
from blotout_orchestration.web.roles import Role, location_permissions_of, permissions_of
from blotout_orchestration.web.sessions import Visitor


class RoleRequestContext(WorkspaceRequestContext):
    """A request context whose permissions are those of a role."""

    visitor: Visitor
    access: Access

    @property
    def permissions(self) -> Mapping[str, PermissionResult]:
        """What the visitor may do anywhere."""
        return permissions_of(self.visitor.role)

    def permissions_for_location(self, *, location_name: str) -> Mapping[str, PermissionResult]:
        """What the visitor may do in a code location: the same in all of them."""
        return location_permissions_of(self.visitor.role)

    def get_viewer_tags(self) -> dict[str, str]:
        """Tags of the backfills that the visitor starts, and of their runs."""
        return {USER_TAG: self.visitor.name}

    def get_reporting_user_tags(self) -> dict[str, str]:
        """Tags of events that the visitor reports without a run."""
        return {REPORTING_USER_TAG: self.visitor.name}


def request_context(
    process: IWorkspaceProcessContext[WorkspaceRequestContext], connection: HTTPConnection, access: Access
) -> RoleRequestContext:
    """The context of a request that the guard has let through. Raises PermissionError for any other."""
    visitor = visitor_of(connection.scope)
    if visitor is None:
        raise PermissionError("a request context without a visitor")
    plain = process.create_request_context(connection)
    context = RoleRequestContext(
        instance=plain.instance,
        current_workspace=plain.get_current_workspace(),
        process_context=process,
        version=plain.version,
        source=connection,
        read_only=plain.read_only or visitor.role is Role.VIEWER,
    )
    context.visitor, context.access = visitor, access
    return context
