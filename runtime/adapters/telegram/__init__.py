"""Telegram: the operator's chat.

alerter.py   out: the hour's alerts as few messages
post.py      in: what an operator writes to the bot, and the answers
"""

from runtime.adapters.telegram.alerter import Bot as Bot
from runtime.adapters.telegram.alerter import TelegramAlerter as TelegramAlerter
from runtime.adapters.telegram.post import TelegramPost as TelegramPost
