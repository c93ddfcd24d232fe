"""Where a picture is made that a page shows and that is not there yet.

Wagtail's own view: it makes nothing but what a page of this site has signed, once, and
leads to the file.
"""

from django.contrib.auth.decorators import login_not_required
from django.views.decorators.cache import cache_control
from wagtail.images.views.serve import ServeView


#: Seconds that a cache may know where the file is. It moves when an editor replaces it.
KEPT = 60

make_picture = login_not_required(
    cache_control(max_age=KEPT)(ServeView.as_view(action="redirect"))
)
