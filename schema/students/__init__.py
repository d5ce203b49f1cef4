"""Student records in GraphQL."""
