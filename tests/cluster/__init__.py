"""The project's own test cluster: a real control plane, the real Envoy and Prometheus, without containers (README.md)."""
