"""How long the manifest of 100,000 small files takes, against `sha256sum` over the same files."""

import gc
import hashlib
import shutil
from pathlib import Path

from benchmarks.measuring import Scale, interleaved, run as run_program, seconds
