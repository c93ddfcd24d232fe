"""A search whose server is away."""

from wagtail.search.backends.base import BaseSearchBackend


class SearchBackend(BaseSearchBackend):
    def __init__(self, params):
        super().__init__(params)

    def add_bulk(self, model, obj_list):
        raise ConnectionError("nobody there")
