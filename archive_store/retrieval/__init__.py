"""Retrieval grants (调阅授权): who asks to view sensitive or sealed material, and what they were given."""
