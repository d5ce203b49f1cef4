"""See archive_store/admission."""
