"""How accurate forecasts are: gridcast by default settings against its peers, same folds, same inputs, same run."""
