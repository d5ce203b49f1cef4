"""Change requests with their chains of approval, and emergency actions (policy §四(一)).

Governs every operation, knows no domain.
"""
