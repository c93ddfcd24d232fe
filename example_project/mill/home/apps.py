from django.apps import AppConfig


class HomeConfig(AppConfig):
    name = "mill.home"
    label = "mill_home"
    default_auto_field = "django.db.models.BigAutoField"
