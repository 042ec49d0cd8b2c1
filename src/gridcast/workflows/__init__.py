"""Recipes that read top to bottom, one for each job a person or a schedule starts."""
