"""A run as one HTML page, and a page on which a browser translates pictures with its networks.

page.py       the page and its policy; assets/: its templates, styles and script
parts.py      what the page shows of a run
vendor.py     onnxruntime-web, from npm
server.py     both pages on the loopback address
"""

from ganprune.report.page import report_page, write_report

__all__ = ["report_page", "write_report"]
