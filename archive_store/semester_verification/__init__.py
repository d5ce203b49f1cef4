"""Semester verification (学期核验): once a semester each record is held to the student."""
