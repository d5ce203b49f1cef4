"""Objections to records (更正申请) in GraphQL."""
