"""Roster imports in GraphQL."""
