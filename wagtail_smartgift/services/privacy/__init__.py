"""All that is known of one customer, by their e-mail address: to hand out, or to erase.

What is found is the business of ``finding``; what is done about it is written down by
``entries``, without the address.
"""

from wagtail_smartgift.services.privacy.entries import ERASE_ACTION, EXPORT_ACTION
from wagtail_smartgift.services.privacy.erasing import Erased, erase
from wagtail_smartgift.services.privacy.exporting import export
from wagtail_smartgift.services.privacy.finding import Found, NoAddress, find


__all__ = [
    "ERASE_ACTION",
    "EXPORT_ACTION",
    "Erased",
    "Found",
    "NoAddress",
    "erase",
    "export",
    "find",
]
