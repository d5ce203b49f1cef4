"""Who may read what: viewers, the field-access policy and its one decision, which does no I/O."""
