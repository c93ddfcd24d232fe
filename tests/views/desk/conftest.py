"""People of the shop's staff, each with what they may do."""

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
