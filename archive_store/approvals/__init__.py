"""Change requests and their chains of approval (policy §四(一)). Governs every operation, knows no domain."""
