"""Assemblies that move blocks of readings through the pure functions of the rooms below."""
