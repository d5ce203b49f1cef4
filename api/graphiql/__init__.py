"""The GraphiQL page: its few files, and the npm packages that it runs."""
