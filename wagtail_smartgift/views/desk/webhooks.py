"""Webhooks in and out, under one item of the menu; each list leads to the other."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path
from django.utils.translation import gettext_lazy

from wagtail_smartgift.views.desk.base import GuardedMenuItem, GuardedViewSet
from wagtail_smartgift.views.desk.deliveries import DeliveryViewSet
from wagtail_smartgift.views.desk.inbox import InboxViewSet


LISTS: tuple[type[GuardedViewSet], ...] = (DeliveryViewSet, InboxViewSet)


def lists_for(user: Any) -> list[type[GuardedViewSet]]:
    """Return the lists that ``user`` may see."""
    return [one for one in LISTS if one.lets_in(user)]


def first_list(request: HttpRequest) -> HttpResponse:
    """Lead to the first list that the user may see."""
    allowed = lists_for(request.user)
    if not allowed:
        raise PermissionDenied
    return redirect(f"{allowed[0].name}:index")


class WebhooksMenuItem(GuardedMenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(lists_for(request.user))


class WebhooksViewSet(GuardedViewSet):
    name = "smartgift_webhooks"
    url_prefix = "smartgift/webhooks"
    icon = "globe"
    menu_label = gettext_lazy("Webhooks")
    policy = DeliveryViewSet.policy
    guarded_item_class = WebhooksMenuItem

    def get_urlpatterns(self) -> list[Any]:
        return [path("", first_list, name="index")]
