"""Where readings, weather and holidays enter: the sample, the user's own files, and the raw folder they land in."""
