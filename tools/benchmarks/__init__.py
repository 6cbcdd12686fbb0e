"""The benchmark: this function against other resizers, in CPU, memory, bytes and fidelity."""
