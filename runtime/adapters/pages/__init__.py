"""Pages: what a person looks at in a browser or a chat, made of values that the domain worked out.

    charts.py     the charts of a run over history, as plotly describes them
    history.py    the page of a run: one file that works without a network
    why.py        the card of a slot, a piece of a page
    picture.py    the equity of a run as a PNG, for chats

The libraries behind this are those of the `research` extra; nothing on the hourly path imports them.
"""

from runtime.adapters.pages.history import history_page as history_page
from runtime.adapters.pages.picture import equity_png as equity_png
from runtime.adapters.pages.why import why_fragment as why_fragment
