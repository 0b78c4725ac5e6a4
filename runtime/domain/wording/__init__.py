"""The words: one catalogue, English and Chinese side by side, so that neither language can lack a text.

    alerts.py   what each alert says: title, body, advice
    gates.py    why something was not traded, why something was sold, and where the pool came from
    changes.py  what would have to change, so that it would have been traded
    inbox.py    what the bot answers
    labels.py   headings and columns of the report, states, exit codes

A key is `group.name` (`alert.breaker.title`); a text names its values in braces (`{loss}`). `runtime.domain.texts`
looks them up; nothing else reads these modules. Machine names (symbols, slots, setting names, commands) are never
translated.
"""
