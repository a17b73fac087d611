"""A run as a Spark job: a document that says all, and a script that needs nothing but Spark."""
