"""The parts of the Python shim; `shim.py` beside this folder puts them together."""
