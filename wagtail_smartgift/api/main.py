"""Our own ``NinjaAPI``, with everything in it."""

from ninja import NinjaAPI

from wagtail_smartgift.api import mounting, server, storefront, webhooks


api = NinjaAPI(
    title="Smart Gift vouchers",
    version="1",
    description="Sell gift vouchers and pay with them, from any storefront.",
    urls_namespace="wagtail_smartgift:api",
)
mounting.install(api)
api.add_router("", storefront.router)
api.add_router("server/", server.router)
api.add_router("webhooks/", webhooks.router)
