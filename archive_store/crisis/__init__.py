"""Crisis teams (临时小组): formed for a crisis, lent what they need, stood down, and reviewed (policy §四(一))."""
