"""Gift vouchers for Wagtail shops, on the Smart Gift API."""
