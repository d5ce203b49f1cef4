"""HTTP, the command line, and the embedded stack for development."""
