"""Words and rules of the field; no input or output happens here."""
