"""Ports fitted to libraries: kubernetes, httpx, the clock, signals."""
