// SPDX-License-Identifier: GPL-2.0-only
/* A module that the device tree puts on a UART. */
#include <linux/delay.h>
#include <linux/gpio/consumer.h>
#include <linux/mod_devicetable.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/of.h>
#include <linux/property.h>
#include <linux/regulator/consumer.h>
#include <linux/serdev.h>

#include "compat.h"
#include "dev.h"

/* The rate of a module as it is sold. */
#define ATW_SERDEV_BAUD		115200

#define ATW_PULSE_MS		100
/* Capacitors behind a switched supply take longer. */
#define ATW_POWER_OFF_MS	500

/**
 * struct atw_serdev - a serial device with a module
 * @t: what the channel writes through
 * @serdev: the serial device
 * @reset: its reset line, or NULL
 * @enable: its enable line, or NULL
 * @vcc: its supply, or NULL
 * @baud: the rate set last; by probe, then by the channel's thread alone
 * @flow: RTS and CTS are used; written as @baud. The receive path reads it without a lock: an old
 *	one is as if it had come to that a moment earlier
 * @adev: the device, with a reference. That there is room may be told by an interrupt, which
 *	reads it without @lock: what it has missed is made up for
 * @lock: protects @adev: keeps bytes that come while the device is being made
 *	from being lost
 * @powered: @vcc is on; probe, the channel's thread and remove look at it, one
 *	after the other
 */
struct atw_serdev {
	struct atw_transport	t;
	struct serdev_device	*serdev;
	struct gpio_desc	*reset;
	struct gpio_desc	*enable;
	struct regulator	*vcc;
	bool			powered;
	unsigned int		baud;
	bool			flow;
	struct mutex		lock;
	struct atw_dev		*adev;
};

static struct atw_serdev *to_atw_serdev(struct atw_transport *t)
{
	return container_of(t, struct atw_serdev, t);
}

static ssize_t atw_serdev_write(struct atw_transport *t, const u8 *buf,
				size_t len)
{
	return serdev_device_write_buf(to_atw_serdev(t)->serdev, buf, len);
}

static void atw_serdev_drain(struct atw_transport *t, long timeout)
{
	/* To the tty layer 0 means for ever. */
	serdev_device_wait_until_sent(to_atw_serdev(t)->serdev,
				      max(timeout, 1L));
}

static unsigned int atw_serdev_get_baud(struct atw_transport *t)
{
	return to_atw_serdev(t)->baud;
}

static int atw_serdev_set_baud(struct atw_transport *t, unsigned int baud)
{
	struct atw_serdev *s = to_atw_serdev(t);
	unsigned int set;

	set = serdev_device_set_baudrate(s->serdev, baud);
	/* 0: the controller has no rate to set. */
	if (!set)
		return -EOPNOTSUPP;
	s->baud = set;

	return set;
}

static void atw_serdev_set_flow(struct atw_transport *t, bool on)
{
	struct atw_serdev *s = to_atw_serdev(t);
	struct serdev_device *serdev = s->serdev;

	WRITE_ONCE(s->flow, on);
	serdev_device_set_flow_control(serdev, on);
	/* Once it was the hardware's it may have been left as that had it. */
	if (!on)
		serdev_device_set_rts(serdev, true);
}

/* What the tty layer has no room for is lost in silence: the module has to stop before. */
static bool atw_serdev_throttle(struct atw_transport *t, bool on)
{
	struct atw_serdev *s = to_atw_serdev(t);

	/* That flow control was switched off meanwhile must not leave the module stopped. */
	return (!on || READ_ONCE(s->flow)) && !serdev_device_set_rts(s->serdev, !on);
}

static int atw_serdev_power_on(struct atw_serdev *s)
{
	int err = 0;

	if (s->vcc && !s->powered)
		err = regulator_enable(s->vcc);
	if (err)
		return err;

	s->powered = s->vcc;
	gpiod_set_value_cansleep(s->enable, 1);

	return 0;
}

static void atw_serdev_power_off(struct atw_serdev *s)
{
	/* First, since no line may feed a module that has no supply. */
	gpiod_set_value_cansleep(s->enable, 0);
	/* If that fails it stays on, and must not be counted twice. */
	if (s->powered && !regulator_disable(s->vcc))
		s->powered = false;
}

/* The mildest way that is wired. */
static int atw_serdev_reset(struct atw_transport *t)
{
	struct atw_serdev *s = to_atw_serdev(t);

	if (s->reset) {
		gpiod_set_value_cansleep(s->reset, 1);
		msleep(ATW_PULSE_MS);
		gpiod_set_value_cansleep(s->reset, 0);
		return 0;
	}

	if (s->enable) {
		gpiod_set_value_cansleep(s->enable, 0);
		msleep(ATW_PULSE_MS);
		gpiod_set_value_cansleep(s->enable, 1);
		return 0;
	}

	if (s->vcc) {
		atw_serdev_power_off(s);
		msleep(ATW_POWER_OFF_MS);
		return atw_serdev_power_on(s);
	}

	return -EOPNOTSUPP;
}

static const struct atw_transport_ops atw_serdev_transport_ops = {
	.write		= atw_serdev_write,
	.drain		= atw_serdev_drain,
	.set_baud	= atw_serdev_set_baud,
	.get_baud	= atw_serdev_get_baud,
	.set_flow	= atw_serdev_set_flow,
	.throttle	= atw_serdev_throttle,
	.reset		= atw_serdev_reset,
};

/*
 * Takes everything: what is left over would not be offered again before more
 * arrives. The flags that tell lost bytes do not come this far: a NUL may stand
 * for one.
 */
static atw_serdev_count_t atw_serdev_receive(struct serdev_device *serdev,
					     const unsigned char *buf,
					     size_t len)
{
	struct atw_serdev *s = serdev_device_get_drvdata(serdev);
	struct atw_dev *adev;

	mutex_lock(&s->lock);
	adev = s->adev;
	mutex_unlock(&s->lock);
	if (adev)
		atw_channel_receive(&adev->module.ch, buf, len);

	return len;
}

/* May come from an interrupt. */
static void atw_serdev_write_wakeup(struct serdev_device *serdev)
{
	struct atw_serdev *s = serdev_device_get_drvdata(serdev);
	struct atw_dev *adev = READ_ONCE(s->adev);

	if (adev)
		atw_channel_write_wakeup(&adev->module.ch);
}

static const struct serdev_device_ops atw_serdev_ops = {
	.receive_buf	= atw_serdev_receive,
	.write_wakeup	= atw_serdev_write_wakeup,
};

static int atw_serdev_get_resources(struct atw_serdev *s, struct device *dev)
{
	s->vcc = devm_regulator_get_optional(dev, "vcc");
	if (IS_ERR(s->vcc)) {
		if (PTR_ERR(s->vcc) != -ENODEV)
			return dev_err_probe(dev, PTR_ERR(s->vcc),
					     "vcc-supply\n");
		s->vcc = NULL;
	}

	/* A module that is on already, and without a switched supply, stays on. */
	s->enable = devm_gpiod_get_optional(dev, "enable",
					    s->vcc ? GPIOD_OUT_LOW :
						     GPIOD_OUT_HIGH);
	if (IS_ERR(s->enable))
		return dev_err_probe(dev, PTR_ERR(s->enable), "enable-gpios\n");

	s->reset = devm_gpiod_get_optional(dev, "reset", GPIOD_OUT_LOW);
	if (IS_ERR(s->reset))
		return dev_err_probe(dev, PTR_ERR(s->reset), "reset-gpios\n");

	return 0;
}

/*
 * The UART's driver goes by the UART's own node, and some drop the setting in silence where that
 * says nothing. A table of ACPI says it of the module alone.
 */
static bool atw_serdev_has_rtscts(struct device *dev)
{
	struct device_node *uart;
	bool has;

	if (!device_property_read_bool(dev, "uart-has-rtscts"))
		return false;
	if (!dev->of_node)
		return true;

	uart = of_get_parent(dev->of_node);
	has = of_property_read_bool(uart, "uart-has-rtscts");
	of_node_put(uart);
	if (!has)
		dev_warn(dev, "RTS and CTS are not used: the UART's node has no uart-has-rtscts\n");

	return has;
}

static int atw_serdev_probe(struct serdev_device *serdev)
{
	struct device *dev = &serdev->dev;
	u32 baud = ATW_SERDEV_BAUD;
	struct atw_dev *adev;
	struct atw_serdev *s;
	u32 max_baud = 0;
	int err;

	s = devm_kzalloc(dev, sizeof(*s), GFP_KERNEL);
	if (!s)
		return -ENOMEM;

	mutex_init(&s->lock);
	s->serdev = serdev;
	s->t.ops = &atw_serdev_transport_ops;
	s->t.dialect = device_get_match_data(dev);
	device_property_read_u32(dev, "current-speed", &baud);
	device_property_read_u32(dev, "max-speed", &max_baud);
	s->t.max_baud = max_baud;
	s->t.rtscts = atw_serdev_has_rtscts(dev);

	err = atw_serdev_get_resources(s, dev);
	if (err)
		return err;

	err = atw_serdev_power_on(s);
	if (err)
		return dev_err_probe(dev, err, "cannot switch vcc on\n");

	serdev_device_set_drvdata(serdev, s);
	serdev_device_set_client_ops(serdev, &atw_serdev_ops);
	err = serdev_device_open(serdev);
	if (err) {
		dev_err_probe(dev, err, "cannot open the UART\n");
		goto err_power;
	}

	/* Opened, it waits for CTS, which a module does not give by itself. */
	atw_serdev_set_flow(&s->t, false);
	err = atw_serdev_set_baud(&s->t, baud);
	if (err < 0) {
		dev_err_probe(dev, err, "cannot set the UART's rate\n");
		goto err_close;
	}

	mutex_lock(&s->lock);
	adev = atw_dev_register(&s->t, dev, dev, &init_net);
	if (!IS_ERR(adev)) {
		/* Ours until the UART is closed: see atw_serdev_remove(). */
		get_device(&adev->dev);
		WRITE_ONCE(s->adev, adev);
	}
	mutex_unlock(&s->lock);
	if (IS_ERR(adev)) {
		err = PTR_ERR(adev);
		goto err_close;
	}

	/* The thread is writing already; what this missed is made up for. */
	atw_channel_write_wakeup(&adev->module.ch);
	return 0;

err_close:
	serdev_device_close(serdev);
err_power:
	atw_serdev_power_off(s);
	return err;
}

static void atw_serdev_remove(struct serdev_device *serdev)
{
	struct atw_serdev *s = serdev_device_get_drvdata(serdev);

	/* Ends what writes; bytes are received until the UART is closed. */
	atw_dev_unregister(s->adev);
	/* What a dead module does not let out is not waited for: it could be 30 s. */
	serdev_device_write_flush(serdev);
	serdev_device_close(serdev);
	atw_dev_put(s->adev);
	atw_serdev_power_off(s);
}

static const struct of_device_id atw_serdev_of_match[] = {
	{ .compatible = "ai-thinker,combo-at", .data = &atw_at_combo },
	{ }
};
MODULE_DEVICE_TABLE(of, atw_serdev_of_match);

static struct serdev_device_driver atw_serdev_driver = {
	.driver = {
		.name		= "atwifi",
		.of_match_table	= atw_serdev_of_match,
	},
	.probe	= atw_serdev_probe,
	.remove	= atw_serdev_remove,
};

int atw_serdev_init(void)
{
	return serdev_device_driver_register(&atw_serdev_driver);
}

void atw_serdev_exit(void)
{
	serdev_device_driver_unregister(&atw_serdev_driver);
}
