/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A combo AT module on a UART of a machine with ACPI, for a table that is loaded beside the
 * firmware's own. The UART and the GPIOs are that machine's, as paths and as strings; they and
 * the rate are given to cpp, the GPIOs where the module's reset line is wired:
 *
 *	cpp -nostdinc -undef -P -x assembler-with-cpp -DSPEED=115200 \
 *		'-DUART=\_SB.PCI0.UAR2' '-DUART_NAME="\\_SB.PCI0.UAR2"' atwifi.asl >table.asl
 *	iasl table.asl
 *
 * The compatible string and the properties are those of the device tree's binding.
 */
#ifndef UART
#define UART \_SB.PCI0.UAR1
#define UART_NAME "\\_SB.PCI0.UAR1"
#endif
#ifndef SPEED
#define SPEED 921600
#endif

DefinitionBlock ("", "SSDT", 2, "ATWIFI", "COMBOAT", 1)
{
    External (UART, DeviceObj)
#ifdef GPIOS
    External (GPIOS, DeviceObj)
#endif

    Scope (UART)
    {
        Device (WIFI)
        {
            Name (_HID, "PRP0001")
            Name (_DDN, "Ai-Thinker combo AT module")
            Name (_CRS, ResourceTemplate ()
            {
                UartSerialBusV2 (115200, DataBitsEight, StopBitsOne, 0, LittleEndian,
                    ParityTypeNone, FlowControlNone, 32, 32, UART_NAME,
                    0, ResourceConsumer, , Exclusive,)
#ifdef GPIOS
                GpioIo (Exclusive, PullNone, 0, 0, IoRestrictionOutputOnly, GPIOS_NAME,
                    0, ResourceConsumer,) { 17 }
#endif
            })
            Name (_DSD, Package ()
            {
                ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),
                Package ()
                {
                    Package () { "compatible", "ai-thinker,combo-at" },
                    Package () { "max-speed", SPEED },
#ifdef GPIOS
                    // The first GPIO above, active low.
                    Package () { "reset-gpios", Package () { ^WIFI, 0, 0, 1 } },
#endif
                }
            })
        }
    }
}
