/* SPDX-License-Identifier: GPL-2.0-only */
/* What is wrong with an installation. */
#ifndef ATWCTL_DOCTOR_H
#define ATWCTL_DOCTOR_H

#include <stdbool.h>
#include <json-c/json.h>

int doctor(struct json_object *devices, const char *device, bool json,
	   bool (*is_ap)(const char *device));

#endif
