"""See archive_store/duplicates."""
