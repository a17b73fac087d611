"""The project as files for other systems that run it: pure, from the plan to text."""
