# libhnx. `make help` lists the targets.

PREFIX     ?= /usr/local
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
DATADIR    ?= $(PREFIX)/share
DESTDIR    ?=

CARGO  ?= cargo
PYTHON ?= python3
CFLAGS ?= -O2 -g
TARGET := $(or $(CARGO_TARGET_DIR),target)

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
MAJOR   := $(word 1,$(subst ., ,$(VERSION)))
MINOR   := $(word 2,$(subst ., ,$(VERSION)))
# The number in the soname, as build.rs makes it: the major version, before 1.0 the minor one, too.
ABI     := $(if $(filter 0,$(MAJOR)),0.$(MINOR),$(MAJOR))

SHARED := $(TARGET)/release/libhnx.so
STATIC := build/static/release/libhnx.a
STRICT := -Wall -Wextra -pedantic -Werror
# A program that finds the library where it was built.
LINK   := -L$(TARGET)/release -lhnx -Wl,-rpath,$(abspath $(TARGET)/release)

C_EXAMPLES   := $(patsubst examples/%.c,build/examples/%,$(wildcard examples/*.c))
CXX_EXAMPLES := $(patsubst examples/%.cpp,build/examples/%,$(wildcard examples/*.cpp))

.DEFAULT_GOAL := lib
.PHONY: lib shared static examples demo test fuzz bench bench-persist bench-mapped counters install uninstall dist deb deps header abi clean help tools FORCE

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

build/examples/%: examples/%.cpp include/hnx.h include/hnx.hpp FORCE | shared
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

## bench          compares with hnswlib and other libraries; options: BENCH="--rows 50000 --plots benches/plots" (--help)
bench: shared
	-ctests/python/originals.sh
	benches/peers.sh
	HNX_LIB=$(abspath $(SHARED)) build/bench/venv/bin/python benches/bench.py $(BENCH)

## bench-persist  what a persist costs beside chroma-hnswlib's; options: BENCH="--rows 50000" (--help)
bench-persist: shared
	ctests/python/originals.sh
	HNX_LIB=$(abspath $(SHARED)) build/originals/venv/bin/python benches/persist.py --folder build $(BENCH)

## bench-mapped   what an index costs that stays in its file, with codes beside it and without; options as for bench
bench-mapped: shared
	ctests/python/originals.sh
	HNX_LIB=$(abspath $(SHARED)) build/originals/venv/bin/python benches/mapped.py --folder build $(BENCH)

## counters       records instructions, lines, distances and hops of a fixed workload, to which the stage counters compares
counters: shared
	HNX_LIB=$(abspath $(SHARED)) benches/counters.py record

## header         writes include/hnx.h and include/hnx.json anew from src/ffi
header: tools
	HNX_BLESS=1 $(CARGO) test --test header

# What files with @NAMES@ in packaging/ say when they are installed. The prefix in pkg-config's is absolute; a tree that is
# moved later (dist) has one that is relative.
PC_PREFIX ?= $(PREFIX)
CMAKEDIR  := $(LIBDIR)/cmake/hnx
FILL = sed -e 's|@VERSION@|$(VERSION)|g' -e 's|@MAJOR@|$(MAJOR)|g' -e 's|@MINOR@|$(MINOR)|g' -e 's|@ABI@|$(ABI)|g' \
    -e 's|@PC_PREFIX@|$(PC_PREFIX)|g' -e 's|@PC_LIBDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))|g' \
    -e 's|@PC_INCLUDEDIR@|$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))|g' \
    -e "s|@INCLUDE_FROM_CMAKE@|$$(realpath -m -s --relative-to="$(CMAKEDIR)" "$(INCLUDEDIR)")|g"

## install        installs libraries, headers, CMake package and pkg-config files: PREFIX=/usr/local DESTDIR= LIBDIR=
install: lib
	install -d "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(CMAKEDIR)" "$(DESTDIR)$(INCLUDEDIR)/hnx" "$(DESTDIR)$(DATADIR)/hnx"
	install -m 755 $(SHARED) "$(DESTDIR)$(LIBDIR)/libhnx.so.$(VERSION)"
	ln -sf libhnx.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libhnx.so.$(ABI)"
	ln -sf libhnx.so.$(ABI) "$(DESTDIR)$(LIBDIR)/libhnx.so"
	install -m 644 $(STATIC) "$(DESTDIR)$(LIBDIR)/libhnx.a"
	install -m 644 $(wildcard include/*.h include/*.hpp) "$(DESTDIR)$(INCLUDEDIR)"
	for folder in $(notdir $(patsubst %/,%,$(wildcard include/*/))); do \
	    install -d "$(DESTDIR)$(INCLUDEDIR)/hnx/$$folder" && \
	    install -m 644 include/$$folder/*.h "$(DESTDIR)$(INCLUDEDIR)/hnx/$$folder" || exit; done
	install -m 644 include/hnx.json "$(DESTDIR)$(DATADIR)/hnx/hnx.json"
	for file in hnx.pc hnx-hnswlib.pc; do $(FILL) packaging/$$file.in > "$(DESTDIR)$(LIBDIR)/pkgconfig/$$file" || exit; done
	for file in hnxConfig.cmake hnxConfigVersion.cmake; do $(FILL) packaging/$$file.in > "$(DESTDIR)$(CMAKEDIR)/$$file" || exit; done
	install -m 644 packaging/hnswlibConfig.cmake "$(DESTDIR)$(CMAKEDIR)"
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi

## uninstall      removes what install put there
uninstall:
	rm -f "$(DESTDIR)$(LIBDIR)/libhnx.so" "$(DESTDIR)$(LIBDIR)/libhnx.so.$(ABI)" "$(DESTDIR)$(LIBDIR)/libhnx.so.$(VERSION)" \
	    "$(DESTDIR)$(LIBDIR)/libhnx.a" $(foreach file,$(notdir $(wildcard include/*.h include/*.hpp)),"$(DESTDIR)$(INCLUDEDIR)/$(file)") \
	    "$(DESTDIR)$(LIBDIR)/pkgconfig/hnx.pc" "$(DESTDIR)$(LIBDIR)/pkgconfig/hnx-hnswlib.pc"
	rm -rf "$(DESTDIR)$(INCLUDEDIR)/hnx" "$(DESTDIR)$(CMAKEDIR)" "$(DESTDIR)$(DATADIR)/hnx"
	@rmdir "$(DESTDIR)$(LIBDIR)/pkgconfig" "$(DESTDIR)$(LIBDIR)/cmake" 2>/dev/null || true # if nobody else is in there

DIST := libhnx-$(VERSION)-$(firstword $(shell $(CC) -dumpmachine))
# Packages do not depend on when they are made, but on what.
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
dist deb: export SOURCE_DATE_EPOCH := $(SOURCE_DATE_EPOCH)

## dist           a tarball of the installed tree, to be unpacked anywhere: build/dist/libhnx-VERSION-MACHINE.tar.gz
dist: lib
	rm -rf build/dist && mkdir -p build/dist
	$(MAKE) --no-print-directory -s -o lib install DESTDIR=build/dist PREFIX=/$(DIST) PC_PREFIX='$$$${pcfiledir}/../..'
	install -m 644 README.md CHANGELOG.md LICENSE build/dist/$(DIST)
	tar -C build/dist --sort=name --owner=0 --group=0 --numeric-owner --mtime=@$(SOURCE_DATE_EPOCH) -czf \
	    build/dist/$(DIST).tar.gz $(DIST)
	@echo build/dist/$(DIST).tar.gz

## deb            Debian packages: build/deb/libhnx$(ABI)_VERSION_ARCH.deb, build/deb/libhnx-dev_VERSION_ARCH.deb
deb: lib
	@command -v dh >/dev/null || { echo "dh is missing: apt-get install debhelper" >&2; exit 1; }
	rm -rf build/deb && mkdir -p build/deb/tree
	cp -R packaging/debian build/deb/tree/debian
	mkdir build/deb/tree/debian/source && echo '3.0 (native)' > build/deb/tree/debian/source/format
	printf 'libhnx ($(VERSION)) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
	    "$$(sed -n 's/^Maintainer: //p' packaging/debian/control)" "$$(date -R -u -d @$(SOURCE_DATE_EPOCH))" \
	    > build/deb/tree/debian/changelog
	cd build/deb/tree && HNX_TREE=$(CURDIR) MAKEFLAGS= DEB_BUILD_OPTIONS="nocheck noautodbgsym" dpkg-buildpackage -b -d -us -uc
	@ls build/deb/*.deb

## deps           installs the Debian packages that tests and benchmarks need (root); says which where it cannot
deps:
	@.ci/deps

## abi            records the ABI of include/hnx.json in ctests/abi, to which stage abi compares
abi:
	ctests/abi/abi.sh record

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
