"""The style of drafted SQL, as sqlfluff's configuration: written into every project as `.sqlfluff`."""

from __future__ import annotations

SQLFLUFF = """\
# How drafted models are written; `sqlfluff lint models` checks them. Change it as you like.
[sqlfluff]
dialect = duckdb
templater = raw
max_line_length = 120
# Names are the source's own (quoted as it spells them, special characters, words like date and day);
# columns stand in the order keys, attributes, measures, dates.
exclude_rules = references.quoting, references.keywords, references.special_chars, structure.column_order

[sqlfluff:rules:layout.long_lines]
ignore_comment_lines = true

[sqlfluff:rules:capitalisation.keywords]
capitalisation_policy = lower

[sqlfluff:rules:capitalisation.functions]
extended_capitalisation_policy = lower

[sqlfluff:rules:capitalisation.literals]
capitalisation_policy = lower

[sqlfluff:rules:capitalisation.types]
extended_capitalisation_policy = lower
"""
