"""See archive_store/certificates."""
