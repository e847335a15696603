/* SPDX-License-Identifier: GPL-2.0 */
#define ETH_ALEN	6
