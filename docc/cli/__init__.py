"""argv -> exit code. `docc X` is cli/X.py; typer lives only here."""
