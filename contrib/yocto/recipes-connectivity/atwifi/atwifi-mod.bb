# SPDX-License-Identifier: GPL-2.0-only

SUMMARY = "Driver for Ai-Thinker combo AT Wi-Fi modules on a UART"
DESCRIPTION = "Wi-Fi modules of Ai-Thinker that speak the combo AT command set over a serial \
line (Ai-WB2, BW16, Ai-M61, Ai-M62, BW20) do TCP/IP themselves. Each of them is a network \
device for all programs, and a family of sockets."

require atwifi.inc

inherit module

SRC_URI += "file://drivers/net/wireless/atwifi;subdir=${BP}"

MODULES_MODULE_SYMVERS_LOCATION = "drivers/net/wireless/atwifi"
MAKE_TARGETS = "modules"
EXTRA_OEMAKE += "-C ${STAGING_KERNEL_DIR} M=${S}/drivers/net/wireless/atwifi \
                 CONFIG_ATWIFI=m ATWIFI_VERSION=${PV}"

RPROVIDES:${PN} += "kernel-module-atwifi"
