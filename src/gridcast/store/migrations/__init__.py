"""The steps that bring the tables of an earlier gridcast up to date, oldest first."""
