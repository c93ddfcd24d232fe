from django.db import migrations, models

import wagtail_smartgift.models.sales


class Migration(migrations.Migration):

    dependencies = [
        ('wagtail_smartgift', '0011_editor'),
    ]

    operations = [
        migrations.AddField(
            model_name='voucherorder',
            name='currency',
            field=models.CharField(default=wagtail_smartgift.models.sales.shop_currency, editable=False, max_length=3, verbose_name='currency'),
        ),
    ]
