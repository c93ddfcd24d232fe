"""The JSON API: the same domain as the pages, over HTTP.

``api`` is a ``NinjaAPI`` of our own, mounted by ``wagtail_smartgift.urls``. A host
that has its own can mount the routers of ``storefront``, ``server`` and ``webhooks`` in
it, with ``mounting.install(api)`` for what does not travel with a router.
"""
