"""Callbacks for training frameworks, each imported by its own name, as ``gradscope.lightning`` is."""
