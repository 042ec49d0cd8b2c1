"""The TensorFlow model: network, losses, training, export and serving."""
