"""docc deploys containerized applications to Kubernetes so that a bad version hurts almost nobody."""

__version__ = "0.1.0"
