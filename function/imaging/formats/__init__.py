"""One module for each image format: what its structure says, read without decoding a pixel."""
