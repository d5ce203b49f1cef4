"""See archive_store/organisation."""
