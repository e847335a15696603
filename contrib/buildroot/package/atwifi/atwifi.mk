################################################################################
#
# atwifi
#
################################################################################

# SPDX-License-Identifier: GPL-2.0-only

ATWIFI_VERSION = local
ATWIFI_SITE = $(BR2_EXTERNAL_ATWIFI_PATH)/../..
ATWIFI_SITE_METHOD = local
# What was built for this machine is not taken for the target's.
ATWIFI_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude .build
ATWIFI_LICENSE = GPL-2.0-only
ATWIFI_LICENSE_FILES = COPYING

# What the kernel must have, and with CFG80211 programs for Wi-Fi see the
# module, too.
define ATWIFI_LINUX_CONFIG_FIXUPS
	$(call KCONFIG_ENABLE_OPT,CONFIG_NET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_INET)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NETFILTER)
	$(call KCONFIG_ENABLE_OPT,CONFIG_NETDEVICES)
	$(call KCONFIG_ENABLE_OPT,CONFIG_TTY)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SERIAL_DEV_BUS)
	$(call KCONFIG_ENABLE_OPT,CONFIG_SERIAL_DEV_CTRL_TTYPORT)
endef

# The variable of this name is Buildroot's here, and the driver's there.
ATWIFI_MODULE_SUBDIRS = drivers/net/wireless/atwifi
ATWIFI_MODULE_MAKE_OPTS = \
	CONFIG_ATWIFI=m \
	ATWIFI_VERSION=$(shell sed -n 's/^VERSION := //p' $(ATWIFI_SITE)/Makefile)

$(eval $(kernel-module))

ifeq ($(BR2_PACKAGE_ATWIFI_TOOLS),y)
ATWIFI_DEPENDENCIES += host-pkgconf json-c libevent libnl

# It asks NetworkManager and tells systemd-resolved by D-Bus.
ifeq ($(BR2_PACKAGE_SYSTEMD),y)
ATWIFI_DEPENDENCIES += systemd
endif

define ATWIFI_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		-C $(@D)/tools/net/atwifi OUTPUT=$(@D)/.out PREFIX=/usr
endef

define ATWIFI_INSTALL_STAGING_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		-C $(@D)/tools/net/atwifi OUTPUT=$(@D)/.out PREFIX=/usr DESTDIR=$(STAGING_DIR) install
endef
ATWIFI_INSTALL_STAGING = YES

define ATWIFI_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		-C $(@D)/tools/net/atwifi OUTPUT=$(@D)/.out PREFIX=/usr DESTDIR=$(TARGET_DIR) install
endef
endif

$(eval $(generic-package))
