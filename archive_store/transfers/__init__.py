"""File transfer (档案转移, policy §三(一)): a student's archive goes to another school, which confirms its receipt."""
