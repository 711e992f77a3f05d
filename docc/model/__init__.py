"""Nouns: frozen dataclasses of the standard library, which every floor above may use and which know none of them."""
