"""Persons, their identifiers, posts in force and sign-in."""
