"""The book: README, study, guides and API as a site, in English and in Japanese.

    make docs

    the pages, where they are written
     → gather        one folder of Sphinx sources for each language
       + api         what modules tell of themselves
     → conf          Sphinx, MyST and furo, and what is ours beside them:
         docstrings      plain text → reST
         japanese        words for the search
     → links         every link of the site leads somewhere

A language has a build of its own, because the theme's words and the search are of one
language. A page that both have stands under the same name in both.
"""
