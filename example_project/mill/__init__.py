"""The Old Mill: a small country hotel's shop, with wagtail-smartgift installed.

Read ``shop/checkout.py`` first: it is where an order meets the plugin.
"""
