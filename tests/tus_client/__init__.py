"""tus-js-client from npm, as a front end uses it."""
