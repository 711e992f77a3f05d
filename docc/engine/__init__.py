"""The shell's engine: use cases and the only loop. Knows ports, not libraries."""
