"""The kit's own tests: `python3 -m unittest discover -s tests -t .` in the kit's folder, whatever that is called."""

import importlib.util
import sys
from pathlib import Path

_kit = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("polyfold", _kit / "__init__.py", submodule_search_locations=[str(_kit)])
assert _spec is not None and _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules["polyfold"] = _module
_spec.loader.exec_module(_module)
