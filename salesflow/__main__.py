"""`python -m salesflow` runs everything."""

import sys

from salesflow.supervisor import main

sys.exit(main())
