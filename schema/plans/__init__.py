"""Compiled plans: a selection of plain fields becomes one Python function over the rows that were loaded.

A field is plain where its value is read off its source and nothing is asked: no argument, no store, no viewer. Rights
are kept where rows are loaded (a leaf that may not be read is not in the row), so that a plan shows what it is given,
as graphql-core would. Whatever it does not expect (an error, a null that may not be, something to await) it leaves to
graphql-core, which runs the field again and answers by the specification.
"""
