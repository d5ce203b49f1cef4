"""A server in a process that can be killed: `python -m tests.scans.lone_server SETTINGS`, the settings as JSON."""

from __future__ import annotations

import sys

from api.serve import serve
from archive_store.foundation.settings import Settings

if __name__ == "__main__":
    serve(Settings.model_validate_json(sys.argv[1]))
