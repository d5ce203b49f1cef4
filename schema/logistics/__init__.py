"""Dormitory rooms and bed stays over GraphQL."""
