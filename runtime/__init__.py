"""The house, in the order to read it.

cycle        the hour, top to bottom
execution    carrying out intents: record, send once, confirm, close
recovery     settling what a dead hour left open
config       the settings, parsed once from the environment
ports        what the hour needs from the world
wiring       mode -> adapters
errors       the error tree
domain/      nouns and pure rules; never touches the world
adapters/    one outside system each; always touches it
"""
