"""Semester verification (学期核验) in GraphQL."""
