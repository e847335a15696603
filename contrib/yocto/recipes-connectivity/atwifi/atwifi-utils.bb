# SPDX-License-Identifier: GPL-2.0-only

SUMMARY = "See and set what the atwifi driver knows of its Wi-Fi modules"
DESCRIPTION = "atwctl, which has modules join networks and shows what they do; what udev and \
systemd need to attach modules on USB serial adapters; atwifi-agent, which finds passphrases; \
atwifid and libnss-atwifi, which give programs names; the library libatwifi."

require atwifi.inc

DEPENDS = "json-c libevent libnl"

inherit pkgconfig

SRC_URI += "file://Makefile;subdir=${BP} \
            file://tools/lib/atwifi;subdir=${BP} \
            file://tools/net/atwifi;subdir=${BP} \
            "

# To ask NetworkManager for passphrases, and tell systemd-resolved of name servers.
PACKAGECONFIG ??= "${@bb.utils.filter('DISTRO_FEATURES', 'systemd', d)}"
PACKAGECONFIG[systemd] = ",,systemd"

# What was built for this machine, there, is not taken for the target's.
EXTRA_OEMAKE = "-C ${S}/tools/net/atwifi OUTPUT=${WORKDIR}/out 'CC=${CC}' PREFIX=${prefix} LIBDIR=${libdir}"

do_install() {
	oe_runmake DESTDIR=${D} install
}

PACKAGES =+ "libatwifi libnss-atwifi atwifid"

FILES:libatwifi = "${libdir}/libatwifi.so.*"
FILES:libnss-atwifi = "${libdir}/libnss_atwifi.so.*"
FILES:atwifid = "${sbindir}/atwifid ${prefix}/lib/systemd/system/atwifid.service \
    ${prefix}/lib/systemd/system/atwifid-hook.socket"
FILES:${PN} += "${prefix}/lib/systemd ${prefix}/lib/udev ${datadir}/bash-completion"

# A module of the C library's name service has its interface's number, not that of a library.
INSANE_SKIP:libnss-atwifi = "dev-so"

# udev has it started by what is there.
RDEPENDS:atwifid = "${PN}"
RRECOMMENDS:${PN} = "atwifi-mod"
