"""How Sphinx builds the site: `make docs`. Warnings are errors, and nothing needs a network."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import sfmforensics  # noqa: E402 - of this checkout

project = "sfmforensics"
author = "The sfmforensics developers"
project_copyright = author
version = release = sfmforensics.__version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    # Our own, in _ext.
    "mathml",
    "names_as_links",
    "reference",
    "results",
    "rooms",
]
exclude_patterns = ["_build", "**/_*.md"]
default_role = "literal"
smartquotes = False  # a quoted value is typed as it stands
templates_path = ["_templates"]

# Docstrings.
autodoc_typehints = "none"  # numpydoc says them
autodoc_member_order = "bysource"
maximum_signature_line_length = 88
autosummary_generate = False  # our own pages, see reference.py
numpydoc_show_class_members = False  # a class lists its methods on its own page
add_module_names = False

# Pages.
myst_heading_anchors = 3

# Examples, run anew where they have changed.
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"/plot_",
    "within_subsection_order": "ExampleTitleSortKey",
    "abort_on_example_error": True,
    "show_signature": False,
    "show_memory": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib",),
    "parallel": min(os.cpu_count() or 1, 4),
}

# What a browser shows, from disk.
html_theme = "pydata_sphinx_theme"
html_title = "sfmforensics"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_sidebars = {"getting-started": []}
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # it would be fetched, which a browser refuses of a disk
html_theme_options = {
    "collapse_navigation": True,
    "navigation_depth": 3,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "header_links_before_dropdown": 6,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
