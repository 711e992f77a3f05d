"""Manifest text -> Manifest -> objects. jsonschema and jinja2 live here, imported where they are used."""
