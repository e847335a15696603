# SPDX-License-Identifier: GPL-2.0-only
"""The manual as HTML, outside a kernel's tree: "make html"."""
project = "atwifi"
root_doc = "index"
html_theme = "alabaster"
html_show_sphinx = False
