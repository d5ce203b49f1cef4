"""Development: the embedded MongoDB and S3 server, the demo school and its token issuer."""
