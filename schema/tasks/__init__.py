"""Tasks (待办) in GraphQL: what awaits a viewer, of whatever kind."""
