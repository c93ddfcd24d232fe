"""The desk: what editors and staff find of the plugin in the Wagtail admin.

One module for each thing that there is a list or a page of; ``group`` puts them into
one menu. What they share (who may come in, safe exports, timelines) is in ``base`` and
``timeline``. Nothing here shows more of a voucher number than its last characters.
"""
