"""Status changes (学籍异动) in GraphQL."""
