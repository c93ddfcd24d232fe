from django.apps import AppConfig


class ShopConfig(AppConfig):
    name = "mill.shop"
    label = "mill_shop"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from mill.shop import receivers  # noqa: F401 - connects itself to the signals
