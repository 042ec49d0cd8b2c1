"""Tables as people write them: encodings, separators, clocks and units, read row by row only where need be."""
