"""The school's policies in GraphQL."""
