"""Duties and their times in GraphQL."""
