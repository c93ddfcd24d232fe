"""The four groups: what each may do, made again and again without taking anything away."""

import re
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import CommandError, call_command
from wagtail.models import GroupPagePermission

from tests.factories import make_index, make_site
from wagtail_smartgift.services import groups
from wagtail_smartgift.wagtail_hooks import PERMISSIONS


pytestmark = pytest.mark.django_db

REFERENCE = Path(__file__).parent.parent / "docs" / "reference" / "permissions.md"
NAMES = {
    "Gift vouchers: editors",
    "Gift vouchers: shop assistants",
    "Gift vouchers: finance",
    "Gift vouchers: administrators",
}


def run(*arguments):
    out = StringIO()
    call_command("smartgift_groups", *arguments, stdout=out)
    return out.getvalue()


def may(name):
    """Return the codenames that a group has."""
    return set(
        Group.objects.get(name=name).permissions.values_list("codename", flat=True)
    )


def pages_of(name):
    return {
        (row.page.pk, row.permission.codename)
        for row in GroupPagePermission.objects.filter(group__name=name)
    }


def test_the_groups_are_made_once():
    first = run()
    before = {name: may(name) for name in NAMES}
    again = run()

    assert (
        set(
            Group.objects.filter(name__startswith="Gift").values_list("name", flat=True)
        )
        == NAMES
    )
    assert "Gift vouchers: finance (new):" in first
    assert "+ wagtail_smartgift.settle_paymentsession" in first
    assert again.splitlines() == [
        f"{role.group}: as it should be" for role in groups.ROLES
    ]
    assert {name: may(name) for name in NAMES} == before
    assert all("access_admin" in codenames for codenames in before.values())


def test_each_may_do_its_part_and_no_more():
    run()

    assert may("Gift vouchers: editors") == {
        "access_admin",
        "view_voucherproduct",
        "sync_voucherproduct",
    }
    assistants = may("Gift vouchers: shop assistants")
    finance = may("Gift vouchers: finance")
    # Whoever decides how a case ended moves no vouchers.
    assert "move_redemption" in assistants - finance
    assert "settle_paymentsession" in finance - assistants
    administrators = may("Gift vouchers: administrators")
    assert administrators >= assistants | finance
    # All there is, but what is for machines.
    assert administrators == {
        *PERMISSIONS,
        "change_smartgiftsettings",
        "access_admin",
    } - {"use_server_api"}
    assert not any("use_server_api" in may(name) for name in NAMES)


def test_what_somebody_gave_beyond_it_stays():
    run()
    group = Group.objects.get(name="Gift vouchers: editors")
    extra = Permission.objects.get(codename="view_voucherorder")
    lost = Permission.objects.get(codename="sync_voucherproduct")
    group.permissions.add(extra)
    group.permissions.remove(lost)

    said = run()

    assert {"view_voucherorder", "sync_voucherproduct"} <= may(group.name)
    assert "+ wagtail_smartgift.sync_voucherproduct" in said
    assert "view_voucherorder" not in said


def test_a_reset_takes_it_away():
    run()
    group = Group.objects.get(name="Gift vouchers: editors")
    group.permissions.add(*Permission.objects.filter(codename__endswith="_user"))

    said = run("--reset", "--role", "editor")

    assert may(group.name) == {
        "access_admin",
        "view_voucherproduct",
        "sync_voucherproduct",
    }
    assert "- auth.delete_user" in said


def test_a_dry_run_changes_nothing():
    Group.objects.create(name="Gift vouchers: finance")

    said = run("--dry-run", "--reset")

    assert "Gift vouchers: editors (new):" in said
    assert "+ wagtail_smartgift.report_paymentsession" in said
    assert said.endswith("Nothing was changed.\n")
    assert set(
        Group.objects.filter(name__startswith="Gift").values_list("name", flat=True)
    ) == {"Gift vouchers: finance"}
    assert may("Gift vouchers: finance") == set()


def test_a_role_may_have_a_group_that_is_there():
    editors = Group.objects.get(name="Editors")
    before = may("Editors")

    run("--role", "editor", "--name", "editor=Editors")

    assert may("Editors") == before | {
        "access_admin",
        "view_voucherproduct",
        "sync_voucherproduct",
    }
    assert Group.objects.get(name="Editors") == editors
    assert not Group.objects.filter(name__startswith="Gift").exists()


def test_editors_get_the_voucher_pages_where_that_is_wanted():
    index = make_index(make_site())
    run()
    assert pages_of("Gift vouchers: editors") == set()

    said = run("--pages")

    assert pages_of("Gift vouchers: editors") == {
        (index.pk, "add_page"),
        (index.pk, "change_page"),
        (index.pk, "publish_page"),
    }
    assert "+ publish_page on “Gift vouchers”" in said
    assert pages_of("Gift vouchers: finance") == set()
    assert "page on" not in run("--pages")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--name", "editor"], "ROLE=NAME"),
        (["--name", "cook=Kitchen"], "ROLE=NAME"),
        (["--name", f"editor={'x' * 151}"], "ROLE=NAME"),
        (["--role", "cook"], "cook"),
        (
            ["--reset", "--name", "editor=Staff", "--name", "finance=Staff"],
            "'Staff' would be the group of two roles, editor and finance",
        ),
        (["--name", "editor=Staff", "--name", "finance=staff"], "two roles"),
        # The other role has it by its usual name, looked after this time or not.
        (["--name", "finance=Gift vouchers: administrators"], "two roles"),
        (
            ["--role", "finance", "--name", "finance=Gift vouchers: administrators"],
            "finance and administrator",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, why):
    with pytest.raises(CommandError, match=why):
        run(*arguments)
    assert not Group.objects.filter(name__startswith="Gift").exists()


def test_it_says_when_migrations_are_missing():
    Permission.objects.filter(codename="desk_redemption").delete()

    with pytest.raises(CommandError, match=r"desk_redemption.*migrate"):
        run()
    assert not Group.objects.filter(name__startswith="Gift").exists()


def test_the_reference_says_what_the_groups_are():
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in REFERENCE.read_text("utf-8").splitlines()
        if re.match(r"\| `\w+_\w+` \|", line)
    ]
    documented = {
        line[0].strip("`"): {
            role.name
            for role, cell in zip(groups.ROLES, line[2:], strict=True)
            if cell == "yes"
        }
        for line in lines
    }

    codenames = [*PERMISSIONS, "change_smartgiftsettings"]
    assert documented == {
        codename: {role.name for role in groups.ROLES if codename in role.permissions}
        for codename in codenames
    }
