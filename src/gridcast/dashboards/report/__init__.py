"""One self-contained page that says how good the forecasts are and shows them."""
