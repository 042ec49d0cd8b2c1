"""Apache Beam: the transforms, and their batch and micro-batch assemblies."""
