"""What `docc demo` plays, an act a module: play() on a stage, tell(), and whether all was as_promised()."""
