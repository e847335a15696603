/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A combo AT module on a UART of a machine with ACPI, for a table that is loaded beside the
 * firmware's own. \_SB.PCI0.UAR1 and \_SB.GPO0 stand for that machine's UART and GPIOs.
 * The compatible string and the properties are those of the device tree's binding.
 */
DefinitionBlock ("", "SSDT", 2, "ATWIFI", "COMBOAT", 1)
{
    External (\_SB.PCI0.UAR1, DeviceObj)
    External (\_SB.GPO0, DeviceObj)

    Scope (\_SB.PCI0.UAR1)
    {
        Device (WIFI)
        {
            Name (_HID, "PRP0001")
            Name (_DDN, "Ai-Thinker combo AT module")
            Name (_CRS, ResourceTemplate ()
            {
                UartSerialBusV2 (115200, DataBitsEight, StopBitsOne, 0, LittleEndian,
                    ParityTypeNone, FlowControlNone, 32, 32, "\\_SB.PCI0.UAR1",
                    0, ResourceConsumer, , Exclusive,)
                // The module's reset line, if it is wired.
                GpioIo (Exclusive, PullNone, 0, 0, IoRestrictionOutputOnly, "\\_SB.GPO0",
                    0, ResourceConsumer,) { 17 }
            })
            Name (_DSD, Package ()
            {
                ToUUID ("daffd814-6eba-4d8c-8a91-bc9bbf4aa301"),
                Package ()
                {
                    Package () { "compatible", "ai-thinker,combo-at" },
                    Package () { "max-speed", 921600 },
                    // The first GPIO above, active low.
                    Package () { "reset-gpios", Package () { ^WIFI, 0, 0, 1 } },
                }
            })
        }
    }
}
