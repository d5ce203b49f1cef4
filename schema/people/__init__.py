"""The viewer in GraphQL."""
