"""Finds the author's plugin, and makes the interpreter ready for calls that each have an instance of their own."""

import gc
from pathlib import Path

import plugin as _module

from ..plugin import exported
from .failure import keep_sources

project = str(Path(_module.__file__ or ".").parent)
plugin = exported()
keep_sources(project)

# What the build has made stays for ever, and what a call makes ends with it: looking for cycles seldom pays.
gc.collect()
gc.freeze()
gc.set_threshold(200_000, 50, 50)
