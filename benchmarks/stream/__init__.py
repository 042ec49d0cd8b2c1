"""Real time under load."""
