"""Flows, stocks and grade distributions in GraphQL."""
