"""Transfer cases (转学办理) in GraphQL."""
