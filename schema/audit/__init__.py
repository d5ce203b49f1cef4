"""Audit history in GraphQL."""
