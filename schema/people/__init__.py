"""The viewer, the staff directory and delegations in GraphQL."""
