"""Kubernetes: manifests are applied, rollouts awaited, tested and taken back."""
