from django.db import migrations, models
from django.db.models import OuterRef, Subquery


BINDING = ("account", "account_base_url", "account_key_hash")


def fill_in_accounts(apps, schema_editor):
    """Give the events of before 0004 the account of what they are about.

    Events without one are told by nobody.
    """
    alias = schema_editor.connection.alias
    events = apps.get_model("wagtail_smartgift", "OutboxEvent").objects.using(alias)
    for relation, name in (("session", "PaymentSession"), ("order", "VoucherOrder")):
        about = (
            apps.get_model("wagtail_smartgift", name)
            .objects.using(alias)
            .filter(pk=OuterRef(f"{relation}_id"))
            .order_by()
        )
        events.filter(account="", **{f"{relation}__isnull": False}).update(
            **{column: Subquery(about.values(column)[:1]) for column in BINDING}
        )


class Migration(migrations.Migration):

    dependencies = [
        ('wagtail_smartgift', '0007_desk_permissions'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='inboxmessage',
            name='body_digest',
        ),
        migrations.AddField(
            model_name='inboxmessage',
            name='body_digest_encrypted',
            field=models.TextField(blank=True, default='', editable=False),
            preserve_default=False,
        ),
        migrations.RunPython(
            fill_in_accounts, migrations.RunPython.noop, elidable=True
        ),
    ]
