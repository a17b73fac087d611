"""The user's files as frozen values; every error with its file and line."""
