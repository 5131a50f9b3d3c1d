"""How Sphinx makes a site of these pages: `make docs`, which adds the reference made out of the code."""

import re
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

project = "Tsuji"
author = "the Tsuji project"
extensions = ["myst_parser"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]  # examples with an ellipsis are no whole programs

html_theme = "furo"  # it asks no other host for fonts or scripts
html_title = "辻 Tsuji"
html_favicon = "favicon.svg"
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_last_updated_fmt = None
html_search_language = "en-ja"

_JAPANESE = "々〇-〇ぁ-ヿ一-龯"


class EnglishAndJapanese(SearchEnglish):
    """Finds words of English by their stems, and of Japanese, which has no spaces, by pairs of characters."""

    lang = "en-ja"
    js_splitter_code = f"""
var splitQuery = (query) => {{
  const found = [];
  for (const word of query.match(/[{_JAPANESE}]+|[^{_JAPANESE}\\W]+/gu) || []) {{
    const pairs = /^[{_JAPANESE}]/u.test(word) && word.length > 2;
    if (!pairs) found.push(word);
    else for (let i = 0; i + 2 <= word.length; i++) found.push(word.slice(i, i + 2));
  }}
  return found;
}};
"""
    _word_re = re.compile(f"[{_JAPANESE}]+|[^{_JAPANESE}\\W]+")

    def split(self, input: str) -> list[str]:  # noqa: A002 - Sphinx's own name
        """The terms of a text."""
        found = []
        for word in self._word_re.findall(input):
            pairs = re.match(f"[{_JAPANESE}]", word) and len(word) > 2
            found += ["".join(two) for two in pairwise(word)] if pairs else [word]
        return found


def setup(app: Sphinx) -> None:
    """Let Sphinx know the search of both languages."""
    app.add_search_language(EnglishAndJapanese)
