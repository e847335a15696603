# SPDX-License-Identifier: GPL-2.0-only
#
# In place of Buildroot for "walk product": takes the same lines, and does with contrib/buildroot
# what package/pkg-generic.mk and package/pkg-kernel-module.mk there do. Nothing else of an image
# is built: the kernel is that in LINUX_DIR, and the compiler and the libraries are Debian's.

TARGET_CROSS := aarch64-linux-gnu-
O := $(CURDIR)/output
TARGET_DIR := $(O)/target
STAGING_DIR := $(O)/staging

world:

menuconfig:
	@echo "BR2_EXTERNAL := $(BR2_EXTERNAL)" >.config

ifneq ($(wildcard .config),)
include .config
BR2_EXTERNAL_ATWIFI_PATH := $(BR2_EXTERNAL)
BR2_PACKAGE_ATWIFI_TOOLS := y
TARGET_CONFIGURE_OPTS = CC=$(TARGET_CROSS)gcc CFLAGS=-Os PKG_CONFIG=$(TARGET_CROSS)pkg-config
LINUX_MAKE_FLAGS = ARCH=arm64 CROSS_COMPILE=$(TARGET_CROSS) INSTALL_MOD_PATH=$(TARGET_DIR)
# The kernel is as it is: it has what it would be told to have.
KCONFIG_ENABLE_OPT = grep -qx '$(1)=[ym]' $(LINUX_DIR)/.config
include $(BR2_EXTERNAL)/external.mk

build := $(O)/build/atwifi-$(ATWIFI_VERSION)
kernel_modules = $(foreach d,$(ATWIFI_MODULE_SUBDIRS),$(MAKE) -C $(LINUX_DIR) \
	$(LINUX_MAKE_FLAGS) $(ATWIFI_MODULE_MAKE_OPTS) PWD=$(@D)/$(d) M=$(@D)/$(d) $(1))

world: $(build)/.stamp_installed

$(build)/.stamp_rsynced:
	mkdir -p $(@D)
	tar -C $(ATWIFI_SITE) --exclude-vcs $(ATWIFI_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS) -c . | \
		tar -C $(@D) -x
	touch $@

$(build)/.stamp_built: $(build)/.stamp_rsynced
	$(ATWIFI_LINUX_CONFIG_FIXUPS)
	$(ATWIFI_BUILD_CMDS)
	$(call kernel_modules,modules)
	touch $@

$(build)/.stamp_installed: $(build)/.stamp_built
	$(ATWIFI_INSTALL_STAGING_CMDS)
	$(ATWIFI_INSTALL_TARGET_CMDS)
	$(call kernel_modules,modules_install)
	touch $@
endif
