"""The four groups that people who work with gift vouchers are put into.

What each may do is written here, and in ``docs/reference/permissions.md``. The groups
are Django's, made when somebody asks for them: what an administrator of the host has
given to one beyond that stays, unless it is asked for to be taken away.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from wagtail.models import GroupPagePermission

from wagtail_smartgift.models.pages import index_page_models


APP = "wagtail_smartgift"
#: Lets somebody into the Wagtail admin at all; Wagtail's own.
ENTER = "wagtailadmin.access_admin"
#: What an editor may do with pages below a voucher index.
PAGE_ACTIONS = ("add", "change", "publish")


@dataclass(frozen=True)
class Role:
    """Somebody's part, and what it takes."""

    name: str
    #: What its group is called unless somebody says otherwise. One name in every
    #: language: a group is found again by it.
    group: str
    #: Codenames of the plugin's permissions.
    permissions: tuple[str, ...]
    #: Whether it works on voucher pages.
    edits_pages: bool = False


_LOOKING = ("view_voucherproduct", "view_voucherorder", "view_paymentsession")

ROLES: tuple[Role, ...] = (
    Role(
        name="editor",
        group="Gift vouchers: editors",
        permissions=("view_voucherproduct", "sync_voucherproduct"),
        edits_pages=True,
    ),
    Role(
        name="assistant",
        group="Gift vouchers: shop assistants",
        permissions=(*_LOOKING, "desk_redemption", "move_redemption"),
    ),
    Role(
        name="finance",
        group="Gift vouchers: finance",
        # Whoever decides how a case ended moves no vouchers: two people see each.
        permissions=(
            *_LOOKING,
            "desk_redemption",
            "settle_paymentsession",
            "report_paymentsession",
        ),
    ),
    Role(
        name="administrator",
        group="Gift vouchers: administrators",
        # All but use_server_api, which is for machines.
        permissions=(
            *_LOOKING,
            "sync_voucherproduct",
            "desk_redemption",
            "move_redemption",
            "settle_paymentsession",
            "report_paymentsession",
            "privacy_voucherorder",
            "view_inboxmessage",
            "replay_inboxmessage",
            "view_webhookdelivery",
            "replay_webhookdelivery",
            "change_smartgiftsettings",
        ),
        edits_pages=True,
    ),
)


class MissingPermissions(Exception):
    """Some permissions are not in the database; ``str()`` names them."""


@dataclass
class Change:
    """What was done about one group, or would be."""

    role: Role
    group: str
    created: bool = False
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    #: ``change “Gift vouchers”``, for each permission on a page.
    pages: list[str] = field(default_factory=list)

    @property
    def is_nothing(self) -> bool:
        return not (self.created or self.added or self.removed or self.pages)


def ensure(
    *,
    roles: Collection[str] = (),
    names: Mapping[str, str] | None = None,
    reset: bool = False,
    pages: bool = False,
    dry_run: bool = False,
) -> list[Change]:
    """Make the groups what they should be; doing it again changes nothing.

    ``roles`` are those to look after (none: all four), ``names`` what their groups are
    called. ``reset`` takes every other model permission away from them. ``pages`` gives
    those who edit pages the voucher indexes and what is below. ``dry_run`` only tells.

    Raises:
        MissingPermissions: migrations have not been applied.
    """
    changes = []
    in_force = names_in_force(names or {})
    with transaction.atomic():
        for role in ROLES:
            if not roles or role.name in roles:
                name = in_force[role.name]
                changes.append(_ensure(role, name, reset=reset, pages=pages))
        if dry_run:
            transaction.set_rollback(True)
    return changes


def names_in_force(names: Mapping[str, str]) -> dict[str, str]:
    """Return what the group of each role is called, where some have other names."""
    return {role.name: names.get(role.name, role.group) for role in ROLES}


def _ensure(role: Role, name: str, *, reset: bool, pages: bool) -> Change:
    wanted = {_key(permission): permission for permission in permissions_of(role)}
    group, created = Group.objects.get_or_create(name=name)
    had = {
        _key(permission): permission
        for permission in group.permissions.select_related("content_type")
    }
    change = Change(role=role, group=name, created=created)
    change.added = sorted(wanted.keys() - had.keys())
    group.permissions.add(*(wanted[key] for key in change.added))
    if reset:
        change.removed = sorted(had.keys() - wanted.keys())
        group.permissions.remove(*(had[key] for key in change.removed))
    if pages and role.edits_pages:
        change.pages = list(_give_pages(group))
    return change


def permissions_of(role: Role) -> list[Permission]:
    """Return the permissions of a role as Django knows them.

    Raises:
        MissingPermissions
    """
    wanted = [ENTER, *(f"{APP}.{codename}" for codename in role.permissions)]
    labels = {name.partition(".")[0] for name in wanted}
    codenames = {name.partition(".")[2] for name in wanted}
    found = {
        _key(permission): permission
        for permission in Permission.objects.select_related("content_type").filter(
            content_type__app_label__in=labels, codename__in=codenames
        )
    }
    missing = [name for name in wanted if name not in found]
    if missing:
        raise MissingPermissions(", ".join(missing))
    return [found[name] for name in wanted]


def _key(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"


def _give_pages(group: Group) -> Iterable[str]:
    """Let a group work on every voucher index and what is below it."""
    # Whatever the host's pages are based on, permissions are about their base.
    base: Any = GroupPagePermission._meta.get_field("page").related_model
    permissions = Permission.objects.filter(
        content_type=ContentType.objects.get_for_model(base),
        codename__in=[f"{action}_{base._meta.model_name}" for action in PAGE_ACTIONS],
    )
    for model in index_page_models():
        for page in model.objects.order_by("path"):
            for permission in permissions:
                _row, new = GroupPagePermission.objects.get_or_create(
                    group=group, page_id=page.pk, permission=permission
                )
                if new:
                    yield f"{permission.codename} on “{page}”"
