#!/usr/bin/env python
"""Django's command line, with the local Smart Gift server where one is needed."""

import os
import sys

from django.core.management import execute_from_command_line

from mill import local_smartgift


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mill.settings")
    with local_smartgift.running_for(sys.argv[1:]):
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
