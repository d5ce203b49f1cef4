"""Change requests and emergency actions in GraphQL."""
