"""See archive_store/semester_verification."""
