"""Compiled decoders of the sources; may be absent."""
