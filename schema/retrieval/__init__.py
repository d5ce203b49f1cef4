"""Retrieval grants in GraphQL."""
