# SPDX-License-Identifier: GPL-2.0-only
#
# atwifi: the driver out of tree, and what tests it. "make help" lists the
# targets.

# The one place of the version: dkms.conf, MODULE_VERSION and the packages take it from
# here; CHANGELOG.md says what is new in it.
VERSION := 0.1.0

KERNEL	?= $(shell uname -r)
KDIR	?= /lib/modules/$(KERNEL)/build
DESTDIR	?=

DRIVER	:= drivers/net/wireless/atwifi
TESTING	:= tools/testing
MANUAL	:= Documentation/networking/atwifi

# What a build of the driver needs, and nothing else.
SOURCES	:= $(filter-out %.mod.c,$(wildcard $(addprefix $(DRIVER)/, \
		Kconfig Makefile *.c *.h test/Makefile test/*.c test/*.h))) \
	   $(wildcard include/uapi/linux/atwifi*.h)

all: modules

# Built in a copy, one for each kernel and variant: objects never mix, and the
# tree stays clean. MO=DIRECTORY names another place for it.
ifneq ($(filter all modules install kernel,$(or $(MAKECMDGOALS),all)),)
RELEASE	:= $(shell sed -n 's/^.define UTS_RELEASE "\(.*\)"/\1/p' \
		$(KDIR)/include/generated/utsrelease.h 2>/dev/null)
ifneq ($(RELEASE),)
VARIANT	:= $(shell echo '$(realpath $(KDIR)) $(ARCH) $(CROSS_COMPILE) $(LLVM) $(CONFIG_ATWIFI_KUNIT_TEST)' | \
		cksum | cut -d ' ' -f 1)
ifneq ($(shell grep -sx CONFIG_CC_IS_CLANG=y $(KDIR)/include/config/auto.conf),)
KFLAGS	+= LLVM=1
endif
endif
endif
OBJDIR	:= $(abspath $(or $(MO),.build/$(RELEASE)-$(VARIANT)))
# The kernel knows an MO= too, for itself.
KMAKE	= $(MAKE) -C $(abspath $(KDIR)) M=$(OBJDIR)/$(DRIVER) MO= CONFIG_ATWIFI=m \
		ATWIFI_VERSION=$(VERSION) $(KFLAGS)

## modules	build atwifi.ko for the running kernel; KERNEL=RELEASE or KDIR=DIRECTORY
##		for another, with ARCH= and CROSS_COMPILE= for another machine
modules: kernel
	@mkdir -p $(OBJDIR)
	@cp -u --parents --preserve=timestamps $(SOURCES) $(OBJDIR)
	+$(KMAKE) modules
	@echo "built $(patsubst $(CURDIR)/%,%,$(OBJDIR))/$(DRIVER)/atwifi.ko for $(RELEASE)"

kernel:
ifeq ($(RELEASE),)
	@echo "There is no prepared kernel in $(KDIR)." >&2
	@echo "On Debian the package linux-headers-$(KERNEL) puts it there (linux-headers-amd64," >&2
	@echo "linux-headers-arm64 follow the newest kernel); KERNEL=RELEASE or KDIR=DIRECTORY" >&2
	@echo "names another one." >&2
	@false
endif

## install	install that module below /lib/modules (DESTDIR= before it)
install: modules
	+$(KMAKE) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates modules_install
	$(if $(DESTDIR),,/sbin/depmod $(RELEASE))

## dkms-install	have DKMS build and install it for this kernel and each later one
DKMS_SRC := /usr/src/atwifi-$(VERSION)

dkms-install:
	@command -v dkms >/dev/null || { echo "There is no dkms: install the package." >&2; false; }
	$(MAKE) -s dkms-remove
	$(MAKE) -s dkms-source
	dkms install atwifi/$(VERSION) -k $(KERNEL)

dkms-source:
	mkdir -p $(DKMS_SRC)
	cp --parents --preserve=timestamps Makefile dkms.conf COPYING $(SOURCES) $(DKMS_SRC)

## dkms-remove	undo that, for all kernels
dkms-remove:
	if [ -n "$$(dkms status atwifi/$(VERSION))" ]; then dkms remove atwifi/$(VERSION) --all; fi
	rm -rf $(DKMS_SRC)

## intree	link the driver into a kernel's source, KSRC=DIRECTORY, to be built there:
##		the symbols are ATWIFI and ATWIFI_KUNIT_TEST
intree:
	@tools/intree $(KSRC)

## upstream	write the driver as a series of patches for a kernel's source, KSRC=DIRECTORY (7.3's
##		if none is named), into .build/upstream; SIGN='NAME <ADDRESS>' says who sends them,
##		URL= where the rest of this project is
UPSTREAM ?= .build/upstream

upstream:
	@tools/upstream --sign '$(SIGN)' --url '$(URL)' \
		$(or $(KSRC),$$($(TESTING)/vm/setup --print src 7.3)) $(UPSTREAM)

## deb		build Debian packages in .build/deb, in the place of those that are there: the driver
##		for DKMS, its tools, the emulator; DEB=DIRECTORY for another place, DEB_HOST_ARCH=arm64
##		for another machine, without the driver, which is the same
DEB	?= .build/deb
# A later commit's packages are newer: before the release of VERSION than all but that one, and
# after it than that; of a VERSION= that make was told they are as it says.
COMMIT = $(shell test ! -e .git || git tag --points-at HEAD | grep -qx 'v$(VERSION)' || \
		TZ=UTC git log -1 --date=format-local:%Y%m%d%H%M%S --format="$$(git rev-parse -q \
		--verify 'refs/tags/v$(VERSION)' >/dev/null && echo + || echo '~')git%cd.%h" || \
		echo "make: the packages' version is that of a release: git says no commit" >&2)
DEB_VERSION = $(VERSION)$(if $(filter command,$(origin VERSION)),,$(COMMIT))

deb:
	@$(if $(DEB_HOST_ARCH),DEB_HOST_ARCH=$(DEB_HOST_ARCH)) debian/build $(DEB_VERSION) $(DEB)

deb-version:
	@echo $(DEB_VERSION)

## release	make the version's tarball in .build, of what is committed
RELEASE_OF := atwifi-$(VERSION)

release:
	@git diff --quiet HEAD -- || { echo "There are changes that are not committed." >&2; false; }
	@grep -q '^## $(VERSION) ([0-9-]*)$$' CHANGELOG.md || \
		{ echo "CHANGELOG.md gives no date for $(VERSION)." >&2; false; }
	@mkdir -p .build
	git archive --prefix=$(RELEASE_OF)/ HEAD | xz -T1 >.build/$(RELEASE_OF).tar.xz
	@cd .build && sha256sum $(RELEASE_OF).tar.xz
	@echo 'Now: git tag -s -m "atwifi $(VERSION)" v$(VERSION), and sign the tarball:'
	@echo 'gpg --armor --detach-sign .build/$(RELEASE_OF).tar.xz'

## html		the manual, in .build/html; HTML=DIRECTORY for another place
HTML	?= .build/html

html:
	@sphinx-build -q $(SPHINXOPTS) -c Documentation -d $(HTML)/.doctrees $(MANUAL) $(HTML)
	@echo "$(abspath $(HTML))/index.html"

## tools		build atwctl, which shows and sets what the driver knows of its modules, the
##		library for programs, and what gives all of them names
tools:
	+$(MAKE) -C tools/net/atwifi

## tools-install	install them below PREFIX (/usr/local), DESTDIR= before it
tools-install:
	+$(MAKE) -C tools/net/atwifi install

## tools-uninstall	undo that, with the same PREFIX and DESTDIR
tools-uninstall:
	+$(MAKE) -C tools/net/atwifi uninstall

## demo		boot a virtual board that fetches a file, of BYTES, through the emulated module
demo:
	@$(TESTING)/demo/demo $(BYTES)

## check	the tests, with all that they need; the last line counts them
##		PARTS='lint kunit-6.1 ...' runs some
check:
	@$(TESTING)/check $(PARTS)

## check-all	every test on every kernel, and with every firmware; 10,000 connections, 100 MiB
##		over each kind of connection: for a release, or a night
check-all:
	@$(TESTING)/check --all $(PARTS)

## kunit		the driver's unit tests, in UML on each kernel
kunit:
	@$(TESTING)/check kunit-6.1 kunit-6.12 kunit-7.3

## selftests	the tests of the sockets and of the network device, in both guests
selftests:
	@$(TESTING)/check $(shell $(TESTING)/check --list selftests)

## fuzz		feed what of the driver is pure with anything, for SECONDS (600) or until BYTES, each part
fuzz:
	+$(MAKE) -C $(TESTING)/fuzz fuzz

## lint		coding style, static analysis, schemas, documents
lint:
	@$(TESTING)/check lint

## bench		measure throughput, latency and processor time at usual UART rates, beside
##		PPP and SLIP; twenty minutes on an idle machine
bench:
	@$(TESTING)/bench/run

## clean		remove what was built here (not the kernels in the cache)
clean:
	rm -rf .build
	+$(MAKE) -s -C $(TESTING)/atsim clean
	+$(MAKE) -s -C tools/net/atwifi clean

## help		list the targets
help:
	@sed -n 's/^## \?//p' Makefile

.PHONY: all modules kernel install dkms-install dkms-source dkms-remove
.PHONY: intree upstream deb deb-version release html tools tools-install tools-uninstall demo check check-all kunit selftests fuzz lint bench clean help
