"""Storage protocols and the stores that the library ships: memory and files."""
