"""Graduation (毕业管理) in GraphQL."""
