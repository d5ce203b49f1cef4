"""Who may read what: viewers, the field-access policy and its one decision, which is pure; only the policy is loaded."""
