"""What people look at: the offline HTML report and its pictures."""
