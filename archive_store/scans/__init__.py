"""The archive of scans: encrypted files in the object store, and what is known of them in the database."""
