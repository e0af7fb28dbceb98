"""What WSGI servers and `flask --app wsgi` load.

Settings that cannot be used end the process with their lines alone: a traceback would
tell an operator nothing more.
"""

import sys

from app import create_app
from app.config import SettingsInvalid

try:
    app = create_app()
except SettingsInvalid as error:
    sys.exit(str(error))
