"""Looking at a source's data before drafting: bounded in rows and in time, read-only, one pass a table.

`bounds` is what a plan needs, and imports no drafting.
"""
