"""People of the shop's staff, each with what they may do."""

from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission


@pytest.fixture
def staff(db, django_user_model, client):
    """Return a function that logs somebody in who has these permissions of ours."""

    def log_in(*codenames, name="miller"):
        user = django_user_model.objects.create_user(name, is_staff=True)
        wanted = Permission.objects.filter(
            codename__in=("access_admin", *codenames),
            content_type__app_label__in=["wagtailadmin", "wagtail_smartgift"],
        )
        assert wanted.count() == len(codenames) + 1
        user.user_permissions.set(wanted)
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def books(sandbox):
    """Return a function: what the shop has redeemed of a voucher, by the sandbox's books."""

    def redeemed(number):
        pence = sum(
            one.pence
            for one in sandbox.redemptions(number)
            if one.by == "api" and one.reversed_at is None
        )
        return Decimal(pence) / 100

    return redeemed
