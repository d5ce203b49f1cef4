"""What is kept and the rules of keeping it: no HTTP, no GraphQL. `archive.py` opens it."""
