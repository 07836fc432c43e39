# SPDX-License-Identifier: Apache-2.0
#
# The whole build of Roam in one file. `make help` lists the targets.
#
#   V=1                          shows every command
#   CC=clang                     another compiler, built apart in build/clang
#   SANITIZE=address,undefined   built apart too, e.g. build/gcc-address-undefined
#   WERROR=1                     warnings are errors
#   PREFIX=, DESTDIR=            where `install` puts things
#   DEPS=no                      do not look for distribution packages
#   FUZZ_SECONDS=30              how long each fuzz target runs
#   SEEDS=3000                   how many seeds the simulator runs in `check`

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
FUZZ_SECONDS ?= 30
SEEDS ?= 3000
DEPS ?= yes

comma := ,
variant := $(if $(SANITIZE),$(notdir $(CC))-$(subst $(comma),-,$(SANITIZE)),$(filter-out gcc,$(notdir $(CC))))
B ?= build$(addprefix /,$(variant))
GEN := build/gen
F := build/fuzz

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' '$(1)' '$(2)')
version = $(shell sed -n 's/^.define ROAM_VERSION_STRING "\(.*\)"/\1/p' \
    client/include/roam.h)

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps demo check conform coverage fuzz bench install format clean help \
    tests sim faulty replay

# `all` stays the first target; its prerequisites stand below.
all:

# ------------------------------------------------------------------ sources

PROTO_SRC := $(wildcard proto/*.c)
# What a device needs of proto/: no packer, no zlib, no heap.
PROTO_CLIENT_SRC := $(filter-out proto/batch_pack.c,$(PROTO_SRC))
CORE_SRC := $(wildcard server/core/*.c)
STORE_SRC := $(wildcard server/store/*.c)
NET_SRC := $(wildcard server/net/*.c)
MAIN_SRC := $(wildcard server/main/*.c)
CLIENT_SRC := $(wildcard client/src/*.c)
POSIX_SRC := $(wildcard client/posix/*.c)
CLI_SRC := $(wildcard client/cli/*.c)
EXAMPLE_SRC := $(wildcard client/examples/*.c)
CONFORM_SRC := $(filter-out conformance/main.c,$(wildcard conformance/*.c))
CONFORM_MAIN := $(wildcard conformance/main.c)
ADAPTER_SRC := $(wildcard conformance/adapters/*.c)
SIM_SRC := $(wildcard tests/sim/*.c)
TEST_SRC := $(wildcard tests/test_*.c)
TEST_HELP_SRC := $(filter-out $(TEST_SRC),$(wildcard tests/*.c))
BENCH_SRC := $(wildcard tests/bench/*.c)
FUZZ_SRC := $(wildcard fuzz/fuzz_*.c)
FUZZ_HELP_SRC := $(filter-out $(FUZZ_SRC) fuzz/replay_main.c,\
    $(wildcard fuzz/*.c))
SOURCES = $(shell find proto server client conformance fuzz tests \
    -name '*.[ch]')

obj = $(patsubst %.c,$(B)/obj/%.o,$(1))
fobj = $(patsubst %.c,$(F)/obj/%.o,$(1))
faulty = $(patsubst %.c,$(B)/faulty/%.o,$(1))

# -------------------------------------------------------------- the machine

# build/config.mk says where this machine keeps nanopb (NANOPB_INC,
# NANOPB_LIB, NANOPB_GEN). Making it installs the packages it looks for, and
# make then starts over with what it says.
ifneq ($(filter-out help clean deps format,$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

build/config.mk: Makefile build/deps/build
	$(Q)dir=; for d in /usr/include /usr/include/nanopb \
	    /usr/local/include /usr/local/include/nanopb; do \
	    if [ -z "$$dir" ] && [ -f $$d/pb_decode.h ]; then dir=$$d; fi; \
	done; \
	gen=$$(command -v nanopb_generator || command -v nanopb_generator.py); \
	if [ -z "$$dir" ] || [ -z "$$gen" ]; then \
	    echo 'nanopb (pb_decode.h, nanopb_generator) is not there' >&2; \
	    exit 1; \
	fi; \
	case $$dir in /usr/include) dir= ;; *) dir="-isystem $$dir" ;; esac; \
	printf '%s\n' "NANOPB_INC := $$dir" "NANOPB_GEN := $$gen" \
	    'NANOPB_LIB := -lprotobuf-nanopb' > $@

# Each set of packages is looked at once; `make deps` looks again.
build/deps/%: .ci/deps
	$(Q)mkdir -p $(@D)
	$(Q)$(if $(filter no,$(DEPS)),:,.ci/deps $* \
	    $(filter check fuzz,$(MAKECMDGOALS)))
	$(Q)touch $@
# One after the other: apt-get has one lock.
build/deps/check: | build/deps/build
build/deps/fuzz: | build/deps/check

deps:
	$(Q).ci/deps build check fuzz

# -------------------------------------------------------------------- flags

WARN := -Wall -Wextra -Wconversion -Wshadow -Wvla $(if $(WERROR),-Werror)
SAN := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all \
    -fno-omit-frame-pointer)
C11 := -std=c11 -D_GNU_SOURCE
C99 := -std=c99 -Wpedantic
# -iquote, not -I: no header here may be found in place of a system header.
quote = $(addprefix -iquote ,$(1))
INC := $(call quote,proto $(GEN)) $(NANOPB_INC)
SERVER_INC := $(call quote,server/core server/store server/net server)
CLIENT_INC := $(call quote,client/include client/src)
ALL_INC := $(call quote,tests) $(SERVER_INC) $(CLIENT_INC) \
    $(call quote,client/posix client/cli conformance)

# What a folder's sources are compiled with, in every variant.
define part
$(B)/obj/$(1)/%.o $(F)/obj/$(1)/%.o $(B)/faulty/$(1)/%.o: PART = $(2)
endef
$(eval $(call part,proto,$(C99) $(WARN) $(INC)))
$(eval $(call part,server,$(C11) $(WARN) $(INC) $(SERVER_INC)))
$(eval $(call part,client/src,$(C99) $(WARN) $(INC) $(CLIENT_INC)))
$(eval $(call part,client/posix,$(C11) $(WARN) $(INC) $(CLIENT_INC)))
$(eval $(call part,client/cli,$(C11) $(WARN) $(INC) $(CLIENT_INC) \
    $(call quote,client/posix)))
$(eval $(call part,client/examples,$(C99) $(WARN) $(INC) $(CLIENT_INC)))
$(eval $(call part,conformance,$(C11) $(WARN) \
    $(call quote,$(GEN) conformance)))
$(eval $(call part,conformance/adapters,$(C11) $(WARN) $(INC) $(CLIENT_INC) \
    $(call quote,client/posix)))
$(eval $(call part,tests,$(C11) $(WARN) $(INC) $(ALL_INC)))
$(eval $(call part,fuzz,$(C11) $(WARN) $(INC) $(ALL_INC)))
$(eval $(call part,build/gen,$(C11) -Wall $(INC)))

MBEDTLS := -lmbedtls -lmbedx509 -lmbedcrypto
# The judge must not depend on what is installed where it runs.
CONFORM_LIB := -l:libprotobuf-c.a -l:libz.a -l:libjansson.a \
    -l:libmbedtls.a -l:libmbedx509.a -l:libmbedcrypto.a
SERVER_LIB := $(NANOPB_LIB) -luv $(MBEDTLS) -lsqlite3 -lz -lpthread
CLIENT_LIB := $(NANOPB_LIB) $(MBEDTLS) -lsqlite3 -lpthread

# ------------------------------------------------------------ generated code

GEN_NANOPB := $(GEN)/roam.pb.c $(GEN)/roam.pb.h
GEN_PROTOBUF_C := $(GEN)/roam.pb-c.c $(GEN)/roam.pb-c.h

$(GEN_NANOPB) &: proto/roam.proto proto/roam.options | build/config.mk
	$(call say,GEN,$(GEN)/roam.pb.[ch])
	$(Q)mkdir -p $(GEN)/new-nanopb
	$(Q)$(NANOPB_GEN) -q -I proto -D $(GEN)/new-nanopb \
	    -f proto/roam.options roam.proto
	$(Q)mv $(GEN)/new-nanopb/roam.pb.[ch] $(GEN)/
	$(Q)touch $(GEN_NANOPB)

$(GEN_PROTOBUF_C) &: proto/roam.proto | build/config.mk
	$(call say,GEN,$(GEN)/roam.pb-c.[ch])
	$(Q)mkdir -p $(GEN)/new-protobuf-c
	$(Q)protoc -Iproto --c_out=$(GEN)/new-protobuf-c proto/roam.proto
	$(Q)mv $(GEN)/new-protobuf-c/roam.pb-c.[ch] $(GEN)/
	$(Q)touch $(GEN_PROTOBUF_C)

# For the client in Python, and the broken SDK to practise on.
build/gen-python/roam_pb2.py: proto/roam.proto | build/config.mk
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)protoc -Iproto --python_out=$(@D) proto/roam.proto

# ------------------------------------------------------------------- objects

COMPILE = $(CC) $(PART) $(CFLAGS) $(SAN) -MMD -MP

$(B)/obj/%.o: %.c Makefile | $(GEN_NANOPB)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -c -o $@ $<

$(B)/faulty/%.o: %.c Makefile | $(GEN_NANOPB)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(COMPILE) -DROAM_FAULTS -c -o $@ $<

$(call obj,$(CONFORM_SRC) $(CONFORM_MAIN) $(TEST_SRC) $(TEST_HELP_SRC)): \
    | $(GEN_PROTOBUF_C)
# Tests and fuzz targets need more packages than the products.
$(call obj,$(TEST_SRC) $(TEST_HELP_SRC)): | build/deps/check

-include $(shell find $(B)/obj $(B)/faulty $(F)/obj -name "*.d" 2>/dev/null)

# ------------------------------------------------------------------ archives

GEN_OBJ := $(call obj,$(GEN)/roam.pb.c)

$(B)/libproto.a: $(call obj,$(PROTO_SRC)) $(GEN_OBJ)
$(B)/libroam.a: $(call obj,$(CLIENT_SRC) $(PROTO_CLIENT_SRC)) $(GEN_OBJ)
$(B)/libroam-posix.a: $(call obj,$(POSIX_SRC))
$(B)/libcli.a: $(call obj,$(filter-out client/cli/main.c,$(CLI_SRC)))
$(B)/libcore.a: $(call obj,$(CORE_SRC))
$(B)/libstore.a: $(call obj,$(STORE_SRC))
$(B)/libnet.a: $(call obj,$(NET_SRC))
$(B)/libconform.a: $(call obj,$(CONFORM_SRC) $(GEN)/roam.pb-c.c)
$(B)/libtesthelp.a: $(call obj,$(TEST_HELP_SRC))
$(B)/libfuzzhelp.a: $(call obj,$(FUZZ_HELP_SRC))

$(B)/%.a:
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

SERVER_A := $(addprefix $(B)/,libnet.a libstore.a libcore.a libproto.a)
CLIENT_A := $(addprefix $(B)/,libroam-posix.a libroam.a)
TEST_A := $(B)/libtesthelp.a $(SERVER_A) $(B)/libcli.a $(CLIENT_A) \
    $(B)/libconform.a

# ------------------------------------------------------------------ products

LINK = $(CC) $(CFLAGS) $(SAN) $(LDFLAGS)

ROAMD := $(if $(MAIN_SRC),$(B)/roamd)
FAULTY := $(if $(MAIN_SRC),$(B)/roamd-faulty) \
    $(if $(SIM_SRC),$(B)/roam-sim-faulty)
ROAM := $(if $(CLI_SRC),$(B)/roam)
EXAMPLES := $(patsubst client/examples/%.c,$(B)/examples/%,$(EXAMPLE_SRC))
CONFORM := $(if $(CONFORM_MAIN),$(B)/roam-conform)
ADAPTER := $(if $(ADAPTER_SRC),$(B)/adapter-libroam)
SIM := $(if $(SIM_SRC),$(B)/roam-sim)
TESTS := $(patsubst tests/%.c,$(B)/tests/%,$(TEST_SRC))
BENCH := $(if $(BENCH_SRC),$(B)/roam-bench)
REPLAYS := $(if $(wildcard fuzz/replay_main.c),\
    $(patsubst fuzz/fuzz_%.c,$(B)/fuzz-replay/%,$(FUZZ_SRC)))
FUZZERS := $(patsubst fuzz/fuzz_%.c,$(F)/fuzz_%,$(FUZZ_SRC))

all: $(B)/libroam.a $(B)/libroam-posix.a $(ROAMD) $(ROAM) $(CONFORM) \
    $(ADAPTER) $(EXAMPLES)
tests: $(TESTS)
sim: $(SIM)
faulty: $(FAULTY)
replay: $(REPLAYS)

$(B)/roamd: $(call obj,$(MAIN_SRC)) $(SERVER_A)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(SERVER_LIB)

$(B)/roamd-faulty: $(call faulty,$(MAIN_SRC) $(NET_SRC) $(STORE_SRC) \
    $(CORE_SRC)) $(B)/libproto.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(SERVER_LIB)

$(B)/roam: $(call obj,$(CLI_SRC)) $(CLIENT_A)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CLIENT_LIB)

$(EXAMPLES): $(B)/examples/%: $(B)/obj/client/examples/%.o $(B)/libroam.a
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $^ $(NANOPB_LIB)

$(B)/roam-conform: $(call obj,$(CONFORM_MAIN)) $(B)/libconform.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CONFORM_LIB)

$(ADAPTER): $(call obj,$(ADAPTER_SRC)) $(CLIENT_A)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CLIENT_LIB) -l:libjansson.a

$(B)/roam-sim: $(call obj,$(SIM_SRC)) $(B)/libcore.a $(B)/libproto.a \
    $(B)/libroam.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(NANOPB_LIB) -lz

# A test comes with the helpers whose headers it includes; rigs of different
# parts may so use the same names.
helpers = $(call obj,$(filter $(TEST_HELP_SRC),$(patsubst %.h,tests/%.c,\
    $(shell sed -n 's/^.include "\(.*\)"/\1/p' $(1)))))
$(foreach t,$(TEST_SRC),$(eval $(patsubst %.c,$(B)/%,$(t)): \
    $(call helpers,$(t))))

$(B)/roam-sim-faulty: $(call faulty,$(SIM_SRC) $(CORE_SRC)) \
    $(B)/libproto.a $(B)/libroam.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(NANOPB_LIB) -lz

$(B)/tests/test_roamd_control: | $(B)/roamd-faulty
$(TESTS): $(B)/tests/%: $(B)/obj/tests/%.o $(TEST_A)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) \
	    -Wl,--start-group $(TEST_A) -Wl,--end-group \
	    -lcmocka $(SERVER_LIB) $(CONFORM_LIB)

$(B)/roam-bench: $(call obj,$(BENCH_SRC)) $(SERVER_A)
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(SERVER_LIB)

$(REPLAYS): $(B)/fuzz-replay/%: $(B)/obj/fuzz/fuzz_%.o \
    $(B)/obj/fuzz/replay_main.o $(B)/libfuzzhelp.a $(SERVER_A) $(CLIENT_A)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(LINK) -o $@ $(filter %.o,$^) -Wl,--start-group \
	    $(filter %.a,$^) -Wl,--end-group $(SERVER_LIB)

# ------------------------------------------------------------------ fuzzing

# libFuzzer sees only what it instruments, so everything between the target
# and the wire is compiled again, nanopb included. Where nanopb's sources
# cannot be had, the archive stays empty and the packaged library is linked.
FUZZ_FLAGS := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
    -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_CODE := $(FUZZ_HELP_SRC) $(CORE_SRC) $(CLIENT_SRC) $(PROTO_SRC) \
    $(GEN)/roam.pb.c

$(F)/obj/%.o: %.c Makefile | $(GEN_NANOPB) build/deps/fuzz
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(PART) $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(F)/libcode.a: $(call fobj,$(FUZZ_CODE))
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(F)/libnanopb.a: fuzz/get-nanopb.sh | build/deps/fuzz
	$(call say,GET,nanopb)
	$(Q)mkdir -p $(F)/obj/nanopb
	$(Q)rm -f $@
	$(Q)if sh fuzz/get-nanopb.sh build/nanopb; then \
	    for f in common decode encode; do \
	        clang $(FUZZ_FLAGS) -w $(NANOPB_INC) -Ibuild/nanopb -c \
	            -o $(F)/obj/nanopb/pb_$$f.o build/nanopb/pb_$$f.c || exit 1; \
	    done; \
	    ar rcs $@ $(F)/obj/nanopb/*.o; \
	else \
	    echo "fuzz: nanopb is not instrumented: its packaged library is" \
	        "used, and no coverage comes from inside it" >&2; \
	    ar rcs $@; \
	fi

$(FUZZERS): $(F)/fuzz_%: $(F)/obj/fuzz/fuzz_%.o $(F)/libcode.a \
    $(F)/libnanopb.a
	$(call say,LD,$@)
	$(Q)clang $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(NANOPB_LIB) -lz

fuzz: $(FUZZERS)
	$(Q)sh fuzz/run.sh $(F) $(FUZZ_SECONDS)

# ------------------------------------------------------------------- running

demo: all
	$(Q)sh tests/demo/demo.sh $(B)

conform: all faulty build/gen-python/roam_pb2.py
	$(Q)sh conformance/conform.sh $(B) $(ADAPTER)

# conformance/coverage.tsv from what a run sees; look at the difference.
coverage: all faulty build/gen-python/roam_pb2.py
	$(Q)status=0; \
	$(B)/roam-conform broken --roamd $(B)/roamd-faulty \
	    --coverage $(B)/coverage.server || status=1; \
	ROAM_ADAPTER=$(ADAPTER) $(B)/roam-conform broken --client \
	    --coverage $(B)/coverage.client -- conformance/broken/broken_sdk.py \
	    build || status=1; \
	$(B)/roam-conform client --coverage $(B)/coverage.libroam -- \
	    $(ADAPTER) || status=1; \
	ROAM_ADAPTER=$(ADAPTER) $(B)/roam-conform broken --pair \
	    --roamd $(B)/roamd-faulty --coverage $(B)/coverage.pair -- \
	    conformance/broken/broken_sdk.py build || status=1; \
	sh conformance/coverage.sh $(B)/coverage.server $(B)/coverage.client \
	    $(B)/coverage.libroam $(B)/coverage.pair > conformance/coverage.tsv \
	    && exit $$status

check: build/config.mk build/deps/check
	$(Q)V='$(V)' SEEDS='$(SEEDS)' MAKE='$(MAKE)' sh tests/check.sh

bench: $(BENCH) $(ROAMD)
	$(Q)$(BENCH) $(ROAMD) tests/demo/conversation.txt $(B)/bench.json

# --------------------------------------------------------------- installation

# A device's program needs the headers that roam.h leads to, and no others.
headers = $(filter-out client/include/roam.h,$(filter client/% proto/% \
    $(GEN)/%,$(shell $(CC) $(C99) $(INC) $(CLIENT_INC) -MM \
    client/include/roam.h)))

# Quoted, for blanks in DESTDIR.
TO = '$(DESTDIR)$(PREFIX)'
# What roam-conform reads, and what the authors of servers and SDKs do.
SHARE = spec/roam-1.md $(wildcard spec/vectors/*.md spec/vectors/*.txt) \
    proto/roam.proto $(wildcard conformance/*.md conformance/*.json) \
    $(wildcard $(addprefix conformance/adapters/,adapter_* kit.* roam_*)) \
    $(shell find $(addprefix conformance/,broken golden html scenarios) \
    -type f ! -name 'check_*' ! -name '*.pyc')

install: all
	$(Q)mkdir -p $(TO)/bin $(TO)/lib/pkgconfig $(TO)/include/roam \
	    $(TO)/lib/systemd/system
	$(Q)install -m 755 $(ROAMD) $(ROAM) $(CONFORM) $(TO)/bin/
	$(Q)install -m 644 $(B)/libroam.a $(TO)/lib/
	$(Q)install -m 644 client/include/roam.h $(headers) $(TO)/include/roam/
	$(Q)install -m 644 -D -t $(TO)/share/man/man8 server/roamd.8
	$(Q)install -m 644 -D -t $(TO)/share/man/man1 client/cli/roam.1 \
	    conformance/roam-conform.1
	$(Q)sed 's|/usr/local/bin/|$(PREFIX)/bin/|' server/roamd.service \
	    > $(TO)/lib/systemd/system/roamd.service
	$(Q)install -m 644 -D -t $(TO)/share/roam/wireshark \
	    conformance/wireshark/roam.lua
	$(Q)for file in $(SHARE); do \
	    install -m 644 -D $$file $(TO)/share/roam/$$file || exit 1; \
	done
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' \
	    'includedir=$${prefix}/include/roam' '' 'Name: libroam' \
	    'Description: Client engine of Roam 1, without I/O and heap' \
	    'Version: $(version)' \
	    'Cflags: $(strip -I$${includedir} $(NANOPB_INC))' \
	    'Libs: -L$${libdir} -lroam $(NANOPB_LIB)' \
	    > $(TO)/lib/pkgconfig/libroam.pc

format: build/deps/check
	$(Q)clang-format -i $(SOURCES)

clean:
	$(Q)rm -rf build

help:
	@echo 'all      server, client, library and harness, in build/ (default)'
	@echo 'deps     installs the packages that all, check and fuzz need'
	@echo 'demo     six devices of two accounts talk, get kicked, catch up'
	@echo 'check    every test there is; the last line is the count'
	@echo 'coverage writes anew which rules the suite has seen'
	@echo 'conform  the conformance suite against the server and clients here'
	@echo 'fuzz     every fuzz target, FUZZ_SECONDS each (30)'
ifneq ($(BENCH_SRC),)
	@echo 'bench    the benchmarks'
endif
	@echo 'format   clang-format over every source file'
	@echo 'install  into PREFIX (/usr/local), under DESTDIR'
	@echo 'clean    removes build/'
	@echo
	@echo 'V=1 shows commands. CC=clang, SANITIZE=address,undefined and'
	@echo 'WERROR=1 choose the build. DEPS=no leaves packages alone.'
