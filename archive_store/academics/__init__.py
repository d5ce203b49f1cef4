"""教务与后勤: terms, courses, course arrangements and grades (policy §一(一), §三(一))."""
