"""Decisions. Pure: no clock, no input or output, no randomness; what they need is an argument."""
