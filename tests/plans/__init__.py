"""Compiled plans answer as graphql-core does."""
