"""The GraphQL face of the archive store. It converts and calls; it decides nothing."""
