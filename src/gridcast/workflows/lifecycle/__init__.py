"""Which model is in charge: the gate, promotion and its history, renewal, reproduction."""
