"""See archive_store/transcripts."""
