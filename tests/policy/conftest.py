"""Makes the pack importable as it is in its own process: by its directory."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
for place in (_ROOT / "policy", _ROOT):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
