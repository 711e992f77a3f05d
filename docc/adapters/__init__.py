"""Ports fitted to libraries: kubernetes, urllib3, the clock, signals."""
