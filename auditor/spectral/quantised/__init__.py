"""Weights stored as codes of a few bits, back to the values they stand for."""
