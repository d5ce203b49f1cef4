"""Crisis teams in GraphQL."""
