"""A stretch of time of every series, found by the keys of tables that begin with the series and the time."""

import sqlalchemy as sa


def ids_in(table: sa.Table) -> sa.CTE:
    """`series_id` of the series in a table, one look into the key for each; the last is null."""
    first = sa.select(sa.func.min(table.c.series_id).label("series_id")).cte(f"series_of_{table.name}", recursive=True)
    more = table.alias()
    following = sa.select(sa.func.min(more.c.series_id)).where(more.c.series_id > first.c.series_id)
    return first.union_all(sa.select(following.scalar_subquery()).where(first.c.series_id.is_not(None)))


def each_in(table: sa.Table) -> sa.FromClause:
    """The table to select from, series by series: a condition on its time is then looked up in the key of each."""
    ids = ids_in(table)
    return ids.join(table, table.c.series_id == ids.c.series_id)
