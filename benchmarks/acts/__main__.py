"""python -m benchmarks.acts: set Django up, then do what the command line says."""

import json
import sys
from importlib import import_module

import django

django.setup()
found = import_module(f"benchmarks.acts.{sys.argv[1]}").main(*sys.argv[2:])
sys.stdout.write(json.dumps(found) + "\n")
