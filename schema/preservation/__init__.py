"""Legal holds, disposal and completeness in GraphQL."""
