"""Persons, their identifiers, posts in force, the staff directory, delegations and sign-in."""
