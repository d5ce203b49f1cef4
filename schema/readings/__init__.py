"""Who looked at what of a student (查阅记录) in GraphQL."""
