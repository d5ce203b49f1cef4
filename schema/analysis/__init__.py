"""Statistics and pseudonymised rows in GraphQL."""
