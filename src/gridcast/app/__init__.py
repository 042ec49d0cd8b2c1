"""The service: an HTTP API and a page over the store; TensorFlow is never loaded."""
