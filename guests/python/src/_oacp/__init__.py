"""The glue between the component's one export and an agent written in Python.

Read `run.py` first. Whatever can be done while the component is built is done by `build.py`, so
that a run starts from a warm interpreter.
"""
