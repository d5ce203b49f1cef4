"""Audit history and notifications in GraphQL."""
