"""Transfer cases (转学办理): what each party of a transfer has to do, by when, and what it answered."""
