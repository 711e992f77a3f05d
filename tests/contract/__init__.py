"""What docc leans on in a Kubernetes API, as short conversations (cases/), and what a real control plane said (recorded/)."""
