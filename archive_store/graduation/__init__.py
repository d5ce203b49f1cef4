"""Graduation (毕业管理, policy §三(一)): the credential audit by rules, and the decision on a cohort."""
