"""A simulated Ollama node: its HTTP surface, its scheduler and faults on request, but no model."""
