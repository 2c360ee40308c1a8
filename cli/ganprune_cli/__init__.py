"""The command line of ganprune: parse, call the library, render."""
