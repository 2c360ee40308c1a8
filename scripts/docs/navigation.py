"""The site's navigation, from what is there: in mkdocs.yml, ``results/*.md`` stands for all such pages that
are not named elsewhere, and a page that does not exist is left out."""

from fnmatch import fnmatch
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files


def expanded(nav: list[Any], pages: list[str]) -> list[Any]:
    """A ``nav`` with patterns replaced by pages, in their order, and without pages and sections not there."""
    named = set(_named(nav))
    left = [page for page in pages if page not in named]

    def section(items: list[Any]) -> list[Any]:
        result: list[Any] = []
        for item in items:
            match item:
                case str() if "*" in item:
                    taken = [
                        page for page in left if fnmatch(page, item) and page.count("/") == item.count("/")
                    ]
                    result += taken
                    left[:] = [page for page in left if page not in taken]
                case str() if item in pages:
                    result.append(item)
                case dict():
                    ((title, value),) = item.items()
                    if isinstance(value, list):
                        if inner := section(value):
                            result.append({title: inner})
                    elif value in pages:
                        result.append(item)
                case _:
                    pass
        return result

    return section(nav)


def _named(items: list[Any]) -> list[str]:
    found: list[str] = []
    for item in items:
        value = next(iter(item.values())) if isinstance(item, dict) else item
        found += _named(value) if isinstance(value, list) else [value]
    return found


@event_priority(-100)  # after the pages of the commands are made
def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Called by MkDocs with all files of the site."""
    config.nav = expanded(config.nav or [], [file.src_uri for file in files.documentation_pages()])
    return files
