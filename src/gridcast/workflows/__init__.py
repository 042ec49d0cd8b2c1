"""Recipes that read top to bottom, one for each job a person or a schedule starts.

From the bottom up: `readings`, `forecasts`, `training`, `judging` and `streaming`, `watching`, `lifecycle`.
"""
