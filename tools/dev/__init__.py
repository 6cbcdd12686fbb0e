"""What only this project's developers run: checks, lock files, documents and releases."""
