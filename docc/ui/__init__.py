"""Facts and results -> words for people, documents for machines. rich lives only here, and is loaded only for a terminal."""
