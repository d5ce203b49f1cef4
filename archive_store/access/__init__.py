"""Who may read what: viewers, the field-access policy and its one decision. Pure: no I/O happens here."""
