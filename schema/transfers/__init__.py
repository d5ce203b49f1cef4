"""File transfers (档案转移) in GraphQL."""
