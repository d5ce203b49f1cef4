"""Courses and grades (教务) in GraphQL."""
