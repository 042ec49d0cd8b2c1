"""How readings come in, land in the log and become a clean history; made readings for a load test."""
