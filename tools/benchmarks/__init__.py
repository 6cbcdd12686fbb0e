"""The benchmark: this function against other resizers, in CPU, memory, bytes and fidelity, on images that it makes."""
