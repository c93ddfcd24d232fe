"""The shop for any WSGI server: ``gunicorn --chdir example_project wsgi``.

Static files are served from here whatever DEBUG says, by Django's own handler, so
that the example needs no web server and no further package. A real site leaves
them to its web server or to WhiteNoise. No Smart Gift server is started here: a
worker process is no place for one.
"""

import os
import sys
from pathlib import Path


# Some servers import this file by its path or from the repository's root.
sys.path.insert(0, str(Path(__file__).resolve().parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mill.settings")

from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application


application = StaticFilesHandler(get_wsgi_application())
