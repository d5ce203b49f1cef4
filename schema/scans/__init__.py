"""Scans in GraphQL."""
