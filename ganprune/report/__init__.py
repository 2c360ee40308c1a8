"""A run as one HTML page, and a page on which a browser translates pictures with its networks.

html.py       text to HTML, escaped
tables.py     tables of figures
pictures.py   before and after
sections.py   the parts of the page
page.py       the page: styles, scripts, policy
vendor.py     onnxruntime-web, from npm
server.py     both pages on the loopback address
"""

from ganprune.report.page import report_page, write_report

__all__ = ["report_page", "write_report"]
