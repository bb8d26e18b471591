"""The inputs and their trial are run in a process of their own, not imported."""

collect_ignore = ["hostile.py", "trial.py"]
