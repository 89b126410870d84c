# libhnx. `make help` lists the targets.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DESTDIR    ?=

CARGO  ?= cargo
PYTHON ?= python3
CFLAGS ?= -O2 -g
TARGET := $(or $(CARGO_TARGET_DIR),target)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
MAJOR   := $(word 1,$(subst ., ,$(VERSION)))
# The number in the soname, as build.rs makes it: the major version, before 1.0 the minor one, too.
ABI     := $(if $(filter 0,$(MAJOR)),0.$(word 2,$(subst ., ,$(VERSION))),$(MAJOR))

SHARED := $(TARGET)/release/libhnx.so
STATIC := build/static/release/libhnx.a
STRICT := -Wall -Wextra -pedantic -Werror
# A program that finds the library where it was built.
LINK   := -L$(TARGET)/release -lhnx -Wl,-rpath,$(abspath $(TARGET)/release)

C_EXAMPLES   := $(patsubst examples/%.c,build/examples/%,$(wildcard examples/*.c))
CXX_EXAMPLES := $(patsubst examples/%.cpp,build/examples/%,$(wildcard examples/*.cpp))

.DEFAULT_GOAL := lib
.PHONY: lib shared static examples demo test fuzz bench install uninstall deps header clean help tools FORCE

## lib            the shared and the static library (the default)
lib: shared static
	@echo "$(SHARED)"
	@echo "$(STATIC)"

# One crate type a command: cargo drops link-time optimisation without a word when it makes several at once.
shared: tools
	$(CARGO) rustc --release --lib --crate-type cdylib
	@ln -sf libhnx.so $(SHARED).$(ABI)

# The archive must not be link-time optimised: it would bring std along in one piece, and that piece collides with the
# one of any other Rust archive in the same program.
static: tools
	CARGO_TARGET_DIR=build/static CARGO_PROFILE_RELEASE_LTO=off $(CARGO) rustc --release --lib --crate-type staticlib

## demo           compiles examples/quickstart.c and runs it on the vectors in examples/data
demo: build/examples/quickstart
	build/examples/quickstart

## examples       compiles every example in C and C++ into build/examples
examples: $(C_EXAMPLES) $(CXX_EXAMPLES)

build/examples/%: examples/%.c include/hnx.h FORCE | shared
	@mkdir -p $(@D)
	$(CC) -std=c99 $(STRICT) $(CFLAGS) -Iinclude $< -o $@ $(LINK) -lm

build/examples/%: examples/%.cpp include/hnx.h FORCE | shared
	@mkdir -p $(@D)
	$(CXX) -std=c++17 $(STRICT) $(CFLAGS) -pthread -Iinclude $< -o $@ $(LINK)

## test           runs every stage of tests, prints the totals last
test:
	@.ci/test

## test-STAGE     runs one stage; `.ci/test --list` names them
test-%:
	@.ci/test $*

## fuzz           fuzzes the readers of files with AddressSanitizer; FUZZ="3600 directory": seconds, targets (else all)
fuzz:
	fuzz/run $(or $(FUZZ),600)

## bench          compares with hnswlib from its package; options: BENCH="--rows 50000 --peers faiss,usearch" (--help)
bench: shared
	ctests/python/originals.sh
	HNX_LIB=$(abspath $(SHARED)) build/originals/venv/bin/python benches/bench.py $(BENCH)

## header         writes include/hnx.h anew from src/ffi
header: tools
	HNX_BLESS=1 $(CARGO) test --test header

## install        installs library, header and pkg-config file; PREFIX=/usr/local, DESTDIR=, LIBDIR=, INCLUDEDIR=
install: lib
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(INCLUDEDIR)"
	install -m 755 $(SHARED) "$(DESTDIR)$(LIBDIR)/libhnx.so.$(VERSION)"
	ln -sf libhnx.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libhnx.so.$(ABI)"
	ln -sf libhnx.so.$(ABI) "$(DESTDIR)$(LIBDIR)/libhnx.so"
	install -m 644 $(STATIC) "$(DESTDIR)$(LIBDIR)/libhnx.a"
	install -m 644 include/hnx.h "$(DESTDIR)$(INCLUDEDIR)/hnx.h"
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' \
	    -e 's|@VERSION@|$(VERSION)|' hnx.pc.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/hnx.pc"
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi

## uninstall      removes what install put there
uninstall:
	rm -f "$(DESTDIR)$(LIBDIR)/libhnx.so" "$(DESTDIR)$(LIBDIR)/libhnx.so.$(ABI)" "$(DESTDIR)$(LIBDIR)/libhnx.so.$(VERSION)" \
	    "$(DESTDIR)$(LIBDIR)/libhnx.a" "$(DESTDIR)$(INCLUDEDIR)/hnx.h" "$(DESTDIR)$(LIBDIR)/pkgconfig/hnx.pc"

## deps           installs the Debian packages that tests and benchmarks need (root); says which where it cannot
deps:
	@.ci/deps

## clean          removes everything that was built
clean:
	$(CARGO) clean
	rm -rf build

## help           this list
help:
	@sed -n 's/^## /  make /p' $(firstword $(MAKEFILE_LIST))

tools:
	@command -v $(CARGO) >/dev/null || { echo "$(CARGO) is missing: install Rust 1.95 or later (rustup, or Debian's" \
	    "rustc-web and cargo-web)" >&2; exit 1; }
	@command -v $(firstword $(CC)) >/dev/null || { echo "$(CC) is missing: apt-get install gcc libc6-dev" >&2; exit 1; }

FORCE:
