"""Smart Gift's JSON, in and out: the only place that knows its field names.

The docs exist in several generations that disagree, so what comes in is read with
tolerance: money as string or number, under ``data`` or not, keys and statuses that
nobody has heard of, fields that only some generations have. What an answer cannot do
without (a balance, an id, a token) is required all the same: an answer that lacks it
is not understood, and ``ValueError`` says where without saying what.

``fields`` reads single values, ``answers`` are the models, ``reading`` finds them in
whole answers, and ``writing`` makes the bodies of requests.
"""
