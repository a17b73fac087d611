"""Operational databases: one adapter a module, all behind the port in `port.py`."""
