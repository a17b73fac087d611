"""Expressions in DuckDB's SQL over the table `t`, to be compared on both engines one by one; and those that
are refused. Every rule and every node that is let through as it is has its own."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa

from mainstem.arrow import schema_of
from mainstem.schema import Column, Kind, Type

COLUMNS = (
    Column("k", Type(Kind.INT), nullable=False),
    Column("i", Type(Kind.INT)),
    Column("j", Type(Kind.INT)),
    Column("l", Type(Kind.LONG)),
    Column("d", Type(Kind.DECIMAL, 10, 2)),
    Column("e", Type(Kind.DECIMAL, 18, 4)),
    Column("w", Type(Kind.DECIMAL, 30, 10)),
    Column("p", Type(Kind.DECIMAL, 4, 4)),
    Column("f", Type(Kind.DOUBLE)),
    Column("g", Type(Kind.FLOAT)),
    Column("s", Type(Kind.STRING)),
    Column("u", Type(Kind.STRING)),
    Column("n", Type(Kind.STRING)),
    Column("iso", Type(Kind.STRING)),
    Column("day", Type(Kind.DATE)),
    Column("due", Type(Kind.DATE)),
    Column("ts", Type(Kind.TIMESTAMP)),
    Column("tz", Type(Kind.TIMESTAMPTZ)),
    Column("b", Type(Kind.BOOLEAN)),
)
D = Decimal
ROWS: list[tuple[Any, ...]] = [
    (1, 7, 2, 9007199254740993, D("0.50"), D("12345.6789"), D("0.3333333333"), D("0.0001"), 0.285, 1.5,
     "Norway  ", "Straße", "12", "2024-02-29", date(2024, 2, 29), date(2024, 3, 31),
     datetime(2024, 2, 29, 13, 45, 59, 123456), datetime(2024, 2, 29, 23, 30, tzinfo=UTC), True),
    (2, -7, 2, -3, D("-0.50"), D("-0.0050"), D("12345678901234567890.1234567891"), D("-0.9999"), 2.5, -0.1,
     " lead", "ΌΣΟΣ", "1.5", "1999-12-31", date(1999, 12, 31), date(2000, 1, 1),
     datetime(1999, 12, 31, 23, 59, 59), datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC), False),
    (3, 0, 0, 0, D("0.00"), D("0.0000"), D("0"), D("0.0000"), 0.0, 0.0,
     "", "", "0", "2000-01-01", date(2000, 1, 1), date(2000, 1, 1),
     datetime(2000, 1, 1), datetime(2000, 1, 1, tzinfo=UTC), True),
    (4, 5, 0, 4294967296, D("2.50"), D("99999999999999.9999"), D("-99999999999999999999.9999999999"),
     D("0.5000"), -3.5, 2.25, "a-b-c", "😀é", " 42 ", "1969-07-20", date(1969, 7, 20), date(1970, 1, 1),
     datetime(1969, 7, 20, 20, 17, 40), datetime(1969, 7, 20, 20, 17, 40, 1000, tzinfo=UTC), False),
    (5, None, 3, *[None] * 16),
    (6, 1000, 7, 123456789, D("1.125").quantize(D("0.01")), D("1.00005").quantize(D("0.0001")), D("1.5"),
     D("0.1250"), 1e12, 1e10, "100% _x_", "ÀÉÎõü ß ŉ", "-7", "2024-12-30",
     date(2024, 12, 30), date(2024, 1, 31), datetime(2024, 12, 30, 0, 0, 0, 1),
     datetime(2024, 10, 27, 0, 30, tzinfo=UTC), True),
    (7, 13, 4, 77, D("1234.56"), D("0.1250"), D("2.5"), D("-0.0001"), 1.005, 16777216.0,
     "\u00a0wide\u2003", "İIıi", "x", "soon", date(2021, 1, 3), date(2021, 1, 4),
     datetime(2021, 1, 3, 1, 2, 3, 500000), datetime(2021, 1, 3, 1, 2, 3, 500000, tzinfo=UTC), False),
    (8, 2147483647, 1, 9223372036854775807, D("99999999.99"), D("-99999999999999.9999"), D("7"), D("0.9999"),
     -0.1, -2.75, "tab\tx\ry\nz", "ﬁne ǅ", "99", "0001-01-01", date(1, 1, 1), date(9999, 12, 31),
     datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), None),
]  # fmt: skip


def table() -> pa.Table:
    """The rows as Arrow."""
    columns = list(zip(*ROWS, strict=True))
    schema = schema_of(COLUMNS)
    assert all(not (isinstance(x, float) and math.isnan(x)) for row in ROWS for x in row)
    return pa.Table.from_arrays(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


SCALARS = """
i / j
i / 2
d / j
d / d
e / 3
w / 7
f / j
f / f
g / 2
g / g
i // j
l // 7
-7 // 2
i % j
i % 3
d % 3
d % j
f % 2
f % j
mod(i, 4)
cast(i as bigint) + l / 2
l - 1
cast(i as bigint) * j
d * 1.5
d * 3
d + p
d - 1.5
d * 1.075
-d
-f
abs(j - 5)
abs(d)
abs(f)
round(d)
round(d, 1)
round(e, 2)
round(f)
round(f, 2)
round(f, -1)
round(g, 1)
round(i)
round(j, -1)
ceil(d)
ceil(f + 0.25)
floor(d)
floor(f)
floor(e)
sign(d)
sign(i)
sign(f)
sqrt(abs(i))
sqrt(abs(d))
cast(d as integer)
try_cast(f as integer)
cast(e as bigint)
cast(d as decimal(10, 1))
cast(e as decimal(18, 2))
cast(f as decimal(18, 2))
cast(f as decimal(18, 0))
try_cast(f as decimal(5, 3))
try_cast(d as decimal(4, 2))
cast(i as decimal(12, 2))
cast(d as double)
cast(e as double)
cast(w as double)
cast(l as double)
cast(i as float)
cast(f as float)
cast(g as double)
cast(g as decimal(18, 4))
cast(i as varchar)
cast(l as varchar)
cast(d as varchar)
cast(e as varchar)
cast(p as varchar)
cast(b as varchar)
cast(day as varchar)
cast(ts as varchar)
cast(tz as varchar)
cast(b as integer)
cast(i as boolean)
try_cast(n as integer)
try_cast(n as bigint)
try_cast(n as decimal(10, 2))
try_cast(n as double)
try_cast(iso as date)
try_cast(iso as timestamp)
cast('2024-05-06' as date)
cast('2024-05-06 07:08:09.1' as timestamp)
cast(ts as date)
cast(tz as date)
cast(day as timestamp)
cast(ts as timestamptz)
cast(tz as timestamp)
try_cast(l as integer)
cast(null as integer)
date '1969-12-31'
timestamp '2024-01-01 01:02:03'
trim(s)
rtrim(s)
ltrim(s)
trim(s, 'N ')
rtrim(u)
upper(s)
upper(u)
lower(s)
lower(u)
lower('İ' || u)
s || '-' || u
s || i
d || ' €'
p || ''
concat(s, i, d, b)
concat(s, null, u)
concat_ws('/', s, u, i)
concat_ws('/', day, ts)
length(s)
length(u)
substring(u, 1, 2)
substring(s, 3)
substr(s, 2, 0)
left(u, 3)
right(u, 2)
lpad(n, 4, '0')
rpad(u, 5, '.')
replace(s, '-', '+')
split_part(s, '-', 2)
split_part(s, '-', -1)
split_part(s, '-', 9)
strpos(s, '-')
strpos(u, 'é')
instr(s, 'b')
position('-' in s)
starts_with(s, 'a')
ends_with(s, 'c')
contains(s, '%')
repeat(n, 2)
reverse(n)
md5(u)
s like 'a%'
s not like '%b%'
s ilike '%NOR%'
u ilike '%s%'
regexp_matches(s, '^[a-z]-b')
regexp_matches(s, 'c$')
regexp_matches(n, '^\\d+$')
regexp_matches(s, 'a.b')
regexp_matches(s, 'x.y')
regexp_matches(s, 'y.z')
regexp_full_match(s, 'a-[^-]-c')
regexp_full_match(s, '.*')
regexp_full_match(s, '^a|.+_x_$')
not regexp_full_match(u, '[^@]+')
coalesce(s, u, 'none')
coalesce(i, j, 0)
coalesce(d, i)
ifnull(n, 'none')
nullif(i, 7)
nullif(s, '')
case when i > 5 then 'big' when i > 0 then 'small' else 'none' end
case j when 2 then 'two' when 3 then 'three' end
case when b then d else e end
case when b then i else 2.5 end
if(b, i, j)
greatest(i, j)
least(i, j, null)
greatest(s, u)
least(d, e)
greatest(day, due)
i is null
s is not null
b is true
b is not true
b is not distinct from true
i is distinct from j
i = j
i <> j
d > e
d >= 0.5
f < d
s < u
s <= 'b'
day < due
day < '2020-01-01'
d >= '0.499'
w in ('12345678901234567890.1234567891', '1.5')
g = -0.1
g not in (2.25, 0)
g between -0.1 and 1
ts >= day
i between 0 and 10
s between 'a' and 'b'
i in (7, 5, null)
s in ('', 'a-b-c')
i not in (7, 5)
not b
b and i > 0
b or i > 0
year(day)
month(day)
day(day)
quarter(day)
week(day)
weekofyear(due)
dayofweek(day)
isodow(day)
dayofyear(day)
hour(ts)
minute(ts)
second(ts)
extract(year from ts)
extract(month from tz)
date_part('year', day)
date_part('dow', day)
extract(isodow from due)
strftime(day, '%Y-%m')
strftime(day, '%B %d, %Y')
strftime(ts, '%Y-%m-%d %H:%M:%S')
strftime(day, '%A')
strftime(day, '%a %b %-d')
strftime(day, '%j')
strftime(day, 'Q: %y, it''s')
strftime(ts, '%I:%M %p')
monthname(day)
dayname(day)
date_trunc('month', day)
date_trunc('week', due)
date_trunc('quarter', ts)
date_trunc('hour', ts)
date_trunc('day', tz)
date_trunc('year', day)
due - interval 1 day
date '2024-01-31' + interval 1 month
date '2024-02-29' + interval 1 year
ts + interval 90 minute
ts + interval 2 week
ts + interval 1 microsecond
tz - interval 1500000 microseconds
tz - interval 3 hour
due - day
date '2020-01-01' + j
due - 3
date_diff('day', day, due)
date_diff('month', day, due)
date_diff('year', day, due)
date_diff('quarter', day, due)
datediff('day', ts, tz)
last_day(due)
make_date(2024, j + 1, 3)
typeof(s)
true
null
'it''s "quoted" \\ and'
1.50
1e3
12345678901
(k + j) * 2
k + j * 2 - (3 - 1)
(select max(i) from raw.t)
exists (select 1 from raw.t as o where o.k = t.k and o.i > 5)
k in (select k from raw.t where b)
row_number() over (order by s desc, k)
row_number() over (partition by b order by i, k)
rank() over (order by j)
dense_rank() over (order by j desc)
ntile(3) over (order by k)
lag(i) over (order by k)
lag(i, 2, 0) over (order by k)
lead(s) over (partition by b order by k)
first_value(s) over (order by i, k)
last_value(i) over (order by k rows between unbounded preceding and unbounded following)
sum(d) over (order by k)
sum(i) over (order by k rows between 1 preceding and current row)
avg(d) over (partition by b order by k)
count(*) over (partition by b)
max(day) over (partition by j > 2)
percent_rank() over (order by j)
cume_dist() over (order by j)
"""
AGGREGATES = """
count(*)
count(i)
count(distinct j)
count(*) filter (where b)
count_if(b)
sum(i)
sum(l)
sum(d)
sum(e) filter (where i > 0)
sum(distinct j)
sum(b)
sum(d) / count(*)
sum(d) / sum(j)
sum(f)
sum(g)
avg(i)
avg(l)
avg(d)
avg(e)
avg(p)
avg(f)
avg(g)
avg(distinct j)
avg(d) filter (where i > 0)
avg(d) filter (where k > 100)
min(s)
max(u)
min(d)
max(day)
min(ts)
max(tz)
min(b)
bool_or(b)
bool_and(b)
stddev(i)
stddev_pop(d)
var_samp(i)
var_pop(f)
string_agg(s, ', ' order by s)
string_agg(s order by s)
array_to_string(list_sort(list(distinct rtrim(s))), ', ')
array_to_string(array_sort(list(n)), '/')
max(day) - min(day)
round(avg(d), 2)
avg(e) / avg(d)
coalesce(avg(l), 0) + sum(l) / 2
coalesce(sum(i), 0)
100.0 * sum(i) / sum(l)
case when count(*) > 3 then sum(d) else 0 end
"""
# (expression, words of the message)
REFUSED: list[tuple[str, str]] = [
    ("current_date", "clock"),
    ("now()", "clock"),
    ("random()", "another number"),
    ("any_value(i)", "row comes first"),
    ("arg_max(s, i)", "row comes first"),
    ("median(d)", "decimal here"),
    ("cast(f as varchar)", "CAST from DOUBLE to VARCHAR"),
    ("f || ''", "as text"),
    ("cast(u as boolean)", "CAST from VARCHAR to BOOLEAN"),
    ("7.5 // 2", "whole numbers"),
    ("substring(s, i, 2)", "literals"),
    ("left(s, -1)", "literal"),
    ("s like u", "pattern"),
    ("s like 'a\\_b'", "backslash"),
    ("regexp_matches(s, 'a\\sb')", "regular expression"),
    ("regexp_full_match(s, '(?i)a')", "regular expression"),
    ("interval 1 day", "do not hold"),
    ("strftime(day, '%U')", "%U"),
    ("date_diff('week', day, due)", "days, months"),
    ("ts - tz", "TIMESTAMP WITH TIME ZONE is not the same"),
    ("s = i", "mixes text"),
    ("case when b then s else u || i end = day", "mixes text"),
    ("string_agg(s, ', ')", "no order"),
    ("string_agg(s, ', ' order by i)", "something else"),
    ("list(i)", "no lists"),
    ("printf('%d', i)", "no rule knows it"),
    ("ln(abs(f) + 1)", "no rule knows it"),
    ("s ilike 'ß'", "ASCII"),
]


def listed(text: str) -> list[str]:
    """One expression a line."""
    return [line for line in text.strip().splitlines() if line]
