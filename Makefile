# What the project can do, one target each; `make` alone lists them.
#
# Everything is installed into .venv, made with $(PYTHON). Only `make cluster` needs root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# How many tests run at once: every second one waits, for a process or for a time.
JOBS ?= $(shell expr 2 '*' $$(nproc))
# How many programs of the study run at once: they mostly wait.
PROGRAMS ?= 4
# Where pyenv keeps its Pythons, for those who have it.
PYENV_PYTHONS := $(subst $() ,:,$(wildcard $(HOME)/.pyenv/versions/*/bin))
# What is tested over twisted.web's own channel, too.
VISITS = $(shell grep -lw Visit tests/server/test_*.py)
PROJECT := setup.cfg pyproject.toml
# What a call's arguments are told apart by.
COMMA := ,

# Who sets it would have each process of the tests compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help

.PHONY: help
help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' \
		$(firstword $(MAKEFILE_LIST))

.PHONY: run
run: $(VENV)/.run ## start the server, send it five GETs at once, draw the waterfall
	@$(BIN)/python examples/five_at_once.py

.PHONY: demo
demo: $(VENV)/.run ## start the server, send it all kinds of requests, say where to watch
	@$(BIN)/python examples/demo.py

.PHONY: test
test: $(VENV)/.test ## run the whole suite, under trial and under pytest: less than four minutes
	$(BIN)/python -m twisted.trial -j $(JOBS) --temp-directory=$(VENV)/trial tests
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

.PHONY: pages
pages: $(VENV)/.test ## do what the README and the guides show, and see that it comes out so: a minute
	$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal \
		tests/every_page.py tests/every_recipe.py tests/every_example.py

.PHONY: properties
properties: $(VENV)/.test ## try four times as many examples of every property: half a minute (or EXAMPLES=many)
	NBTWISTED_EXAMPLES=$(or $(EXAMPLES),all) $(BIN)/python -m pytest -q -n $(JOBS) \
		--dist worksteal --timeout 900 -m hypothesis

.PHONY: twisted-channel
twisted-channel: $(VENV)/.test ## run the server's tests over twisted.web's own channel, as twistd has it
	NBTWISTED_CHANNEL=twisted $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal \
		$(VISITS)

.PHONY: memos-off
memos-off: $(VENV)/.test ## run the tests of server, reader and load with all memos off: a minute
	NBTWISTED_MEMOS=off $(BIN)/python -m pytest -q -n $(JOBS) \
		--dist worksteal tests/server tests/load tests/client/test_target.py \
		$(wildcard tests/client/test_reader*.py)

.PHONY: study
study: $(VENV)/.test ## run and judge every program of the study: two minutes
	$(BIN)/python -m pytest -q -n $(PROGRAMS) tests/study/every_program.py

.PHONY: replay
replay: $(VENV)/.test ## record a run and play it, and see that they took the same time: ten seconds
	$(BIN)/python -m pytest -q tests/replayed_run.py

.PHONY: readme
readme: $(VENV)/.test ## follow the README in an empty clone: a minute
	$(BIN)/python -m tests.from_scratch

.PHONY: package
package: $(VENV)/.dev ## build what an index gets, check it, and unpack the source
	rm -rf build/package
	$(BIN)/python -m build --outdir build/package . >/dev/null
	$(BIN)/twine check --strict build/package/*
	tar xzf build/package/*.tar.gz -C build/package --strip-components=1

.PHONY: browser
browser: $(VENV)/.browser ## look at the pages with Debian's Chromium (or CHROMIUM=path)
	$(BIN)/python -m pytest -q -n $$(nproc) --dist worksteal $(wildcard tests/browser/*_page.py)

.PHONY: pictures
pictures: $(VENV)/.browser ## make the documentation's pictures anew, from real runs
	$(BIN)/python examples/picture.py
	$(BIN)/python examples/replay.py build/replay
	cp build/replay/*.svg docs/pictures
	$(BIN)/python -m tests.study.record
	NBTWISTED_PICTURES=docs/pictures $(MAKE) browser

.PHONY: docs
docs: $(VENV)/.docs ## make a site of the study, the guides and the API: build/docs/index.html
	$(BIN)/python -m docs.book

.PHONY: matrix
matrix: package ## run the unpacked source's suite on the oldest and the newest Python and Twisted
	cd build/package && PATH="$$PATH:$(PYENV_PYTHONS)" \
		$(CURDIR)/$(BIN)/tox run-parallel --parallel-no-spinner \
		--workdir $(CURDIR)/.tox -- $(VISITS)

.PHONY: check
check: $(VENV)/.dev ## format, lint, type-check, and see who imports whom
	$(BIN)/ruff format $(if $(CI),--check) .
	$(BIN)/ruff check $(if $(CI),,--fix) .
	$(BIN)/mypy
	@# The programs of different lessons have the same names.
	for lesson in nbtwisted/study/[0-9]*; do $(BIN)/mypy $$lesson/*.py || exit; done
	$(BIN)/lint-imports --no-logo --no-cache

.PHONY: soak
soak: $(VENV)/.run ## show that server and proxy lose and leak nothing: twelve minutes, one table
	$(BIN)/python -m benchmarks.soak $(SOAK)

.PHONY: conformance
conformance: $(VENV)/.test ## run Twisted's own tests on our reactors, and on Twisted's beside them: a minute
	$(BIN)/python -m tests.reactor.conformance $(CONFORMANCE)

.PHONY: suites
suites: $(VENV)/.suites ## run Klein's, treq's, Autobahn's and Scrapy's own tests on our reactors, beside Twisted's
	$(VENV)/suites/bin/python -m twisted.trial --temp-directory=$(VENV)/trial-suites \
		tests/reactor/with_scrapy.py tests.every_page.PagesTests.test_docs_reactor_md
	$(VENV)/suites/bin/python -m tests.reactor.suites $(SUITES)

.PHONY: reactors
reactors: $(VENV)/.test ## measure the eager reactor beside Twisted's, with wrk: ten minutes, one table
	$(BIN)/python -m benchmarks.reactors $(REACTORS)

.PHONY: pictures-cost
pictures-cost: $(VENV)/.run ## measure what pictures of 10,000 requests take
	$(BIN)/python -m benchmarks.pictures $(PICTURES)

.PHONY: live-cost
live-cost: $(VENV)/.run ## measure what the live page costs the server, with wrk: two minutes
	$(BIN)/python -m benchmarks.live_page $(LIVE)

.PHONY: bench
bench: $(VENV)/.run $(VENV)/.peers $(VENV)/.mitmproxy ## compare with peers: twenty minutes, docs/benchmarks.md; or BENCH='--only get'
	$(BIN)/python -m benchmarks.bench $(BENCH)

.PHONY: hostile
hostile: $(VENV)/.run ## send 10,000 GETs to a server that misbehaves at random: a minute
	$(BIN)/python -m benchmarks.hostile $(HOSTILE)

.PHONY: proxies
proxies: $(VENV)/.run $(VENV)/.mitmproxy ## send the same through squid, mitmproxy and microsocks: a minute
	$(BIN)/python -m benchmarks.proxies $(PROXIES)

.PHONY: toxics
toxics: $(VENV)/.test ## measure what each of Toxiproxy's toxics does: half a minute, one table
	$(BIN)/python -m benchmarks.toxics

.PHONY: stopped
stopped: $(VENV)/.run ## stop 10,000 requests at random, again and again, and resume them: a minute
	$(BIN)/python -m benchmarks.stopped $(STOPPED)

.PHONY: real
real: $(VENV)/.real ## put the proxy before PostgreSQL, Redis and nginx, where they are installed: half a minute
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile $(wildcard tests/proxy/with_*.py)

.PHONY: cluster
cluster: $(VENV)/.test ## run load and get on machines whose network loses packets, as root: a minute
	$(BIN)/python -m benchmarks.cluster $(CLUSTER)

.PHONY: find-rate
find-rate: $(VENV)/.test ## show that --find-rate finds two rates that are known: a minute
	$(BIN)/python -m benchmarks.find_rate

.PHONY: threads
threads: $(VENV)/.run ## show that nothing stalls or is lost where threads write: a minute a reactor
	$(BIN)/python -m benchmarks.threads $(THREADS)

.PHONY: coverage
coverage: $(VENV)/.test ## fail if no test takes one of the client's branches
	rm -rf $(VENV)/coverage && mkdir -p $(VENV)/coverage
	@# What is traced takes four times as long, and may.
	$(BIN)/coverage run -m pytest -q -n $(JOBS) --dist worksteal --timeout 240 \
		tests/client tests/test_both_ends.py tests/proxy/http tests/proxy/recording
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='nbtwisted/client/*' --fail-under=100

.PHONY: fuzz
fuzz: $(VENV)/.fuzz ## throw bytes at the client's reader: a minute, or FUZZ='-max_total_time=N'
	$(BIN)/python -m tests.client.fuzz_reader -artifact_prefix=$(VENV)/ \
		$(or $(FUZZ),-max_total_time=60)

.PHONY: compose
compose: ## bring server and client up in containers
	docker-compose up --build

.PHONY: clean
clean: ## remove what the other targets made
	rm -rf $(VENV) .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage \
		build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp says that .venv has what a target needs: the package in place, and its extras.
$(VENV)/.run: $(PROJECT) $(VENV)/.python
	$(call install,--editable .)

$(VENV)/.test $(VENV)/.real $(VENV)/.fuzz $(VENV)/.browser $(VENV)/.docs $(VENV)/.dev: $(VENV)/.%: $(PROJECT) $(VENV)/.python
	$(call install,--editable '.[$*]')
	@touch $(VENV)/.run

# All of them at once: what they have in common pip looks at once.
.PHONY: set-up
set-up: $(VENV)/.all ## install what all targets need, but the peers

$(VENV)/.all: $(PROJECT) $(VENV)/.python
	$(call install,--editable '.[dev$(COMMA)docs$(COMMA)fuzz]')
	@cd $(VENV) && touch .run .test .real .fuzz .browser .docs .dev

$(VENV)/.peers: benchmarks/peers/requirements.txt $(VENV)/.python
	$(PYTHON) -m venv $(VENV)/peers
	$(VENV)/peers/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

$(VENV)/.suites: tests/reactor/suites.txt $(PROJECT) $(VENV)/.python
	$(PYTHON) -m venv --clear $(VENV)/suites
	$(VENV)/suites/bin/pip install --quiet --disable-pip-version-check -r $< --editable .
	@# The tests, without the package that they would find before the one installed.
	$(VENV)/suites/bin/pip download --quiet --disable-pip-version-check --no-deps \
		--no-binary scrapy --dest $(VENV)/suites/source "$$(grep '^scrapy==' $<)"
	mkdir $(VENV)/suites/scrapy
	tar xzf $(VENV)/suites/source/*.tar.gz -C $(VENV)/suites/scrapy --strip-components=1 \
		--wildcards '*/tests' '*/conftest.py' '*/pyproject.toml'
	@touch $@

$(VENV)/.mitmproxy: $(VENV)/.python
	$(PYTHON) -m venv $(VENV)/mitmproxy
	$(VENV)/mitmproxy/bin/pip install --quiet --disable-pip-version-check 'mitmproxy>=11'
	@touch $@

# What pip has half installed it takes for whole the next time: so .installing stays,
# and .venv is made anew, unless pip came to its end.
define install
@echo "Installing into $(VENV), about a minute ..."
@trap 'exit 130' HUP INT TERM; touch $(VENV)/.installing; \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(1); \
	code=$$?; rm $(VENV)/.installing; exit $$code
@touch $@
endef

# .venv is made anew if its Python has gone or changed, if another is asked for, if the
# checkout has moved, and if an installation was interrupted.
$(VENV)/.python: $(shell \
		[ -e $(VENV)/.python ] && [ ! -e $(VENV)/.installing ] && \
		{ read -r folder && read -r python; } <$(VENV)/.python && \
		[ "$$folder" = "$(CURDIR)" ] && \
		{ [ "$(origin PYTHON)" = file ] || [ "$$python" = "$(PYTHON)" ]; } && \
		$(BIN)/python -c 'import pip' 2>/dev/null || echo anew)
	$(if $(filter good,$(PYTHON_IS)),,$(error $(NO_PYTHON)))
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@printf '%s\n' "$(CURDIR)" "$(PYTHON)" >$@

.PHONY: anew
anew:

PYTHON_IS = $(shell $(PYTHON) -c 'import sys; v = sys.version_info[:2]; \
	sys.stdout.write("good" if v >= (3, 10) else "Python %d.%d" % v)' 2>/dev/null)
NO_PYTHON = $(PYTHON) is $(or $(PYTHON_IS),no Python that runs): install Python 3.10 or newer, \
	or say where it is: make $(or $(MAKECMDGOALS),run) PYTHON=/path/to/python3
