"""The `registrar` command."""

from __future__ import annotations

from api.cli.main import main

__all__ = ["main"]
