"""The Grafana boards, as code: one module for each board, the parts they share beside them."""
