"""Who gets in, as whom, how often and with how much; and what is written down about it."""
