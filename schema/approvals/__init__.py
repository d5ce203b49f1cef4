"""Change requests in GraphQL."""
