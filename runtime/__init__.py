"""The house, in the order to read it. Two folders answer "may this touch the world?": domain never, adapters always.

The hour
    cycle        the hour, top to bottom; the only place that orders the steps
    hour         what the steps of an hour share while it runs
    key_check    what the API key may do; one that may withdraw trades nothing
    recovery     settling what a dead hour left open, before anything new
    first_reads  clock, prices, account and Earn, before anything is known
    snapshot     what the hour sees: with pairs and candles of what is in play, with the fewest calls
    reconcile    ledger against account, by the exchange's own evidence
    execution    carrying out intents: record, send once, confirm, close
    cash_moves   between spot and Earn, once each an hour
    conditions   what an operator must know beyond the trades
    closing      persist, tell, release; how an hour ends early
    telling      one attempt at every alert that waits, over the channels there are
    reporting    the report, made of what the steps left behind

Around the hour
    run_settings  what a run may be told: one frozen value, complete for its mode
    config       the settings, parsed once; the only reader of the environment
    wiring       mode -> adapters; the only importer of adapters and strategies
    wiring_pages  what a finished run leaves for people: page, figures, picture
    wiring_past  the same for a history: candles and a plan become an account in the past
    wiring_channels  the ways to the operator: Telegram, and the one for when it is down
    wiring_inbox  the mailbox, where an operator may write to the bot at all
    wiring_desk  where things are for the operator's commands
    wiring_stores  an account's documents alone, for commands that ask the exchange for nothing
    backtest     run_cycle over simulated hours; the only loop over time
    calm         the hours of a history that change nothing, done in little
    rest         the full hour that they follow, as it is kept
    history_command  the command line of a history run, its progress and its folder
    wiring_sweep  a history run again and again: workers, Parquet, Optuna
    sweep        searching settings over history, and walking forward; resumable by asking again
    sweep_command  its command line, its space file
    sweep_figures  what it ends with: tables, JSON, the warning where chance may do
    download     fetching candles: page after page, within the exchange's limits, resumable
    download_command  its command line and its progress
    command      the command line of an hour, and its exit line
    last_hours   the last hours as the store tells them: what pictures of equity are drawn from
    site         an account's last days as values for pages
    site_command  report: these days as a static site
    job_summary  --summary: the hour on the page of its GitHub job
    doctor       --validate-only: prove that an hour could run
    checkup      independent checks side by side, each within its time
    checks       what the doctor looks at here: sign-in, store, pool, messenger
    checks_exchange  what he looks at there: the key, the account, orders that are only tested
    what_if      a taped hour decided with other settings
    replay       run a taped hour again, and show what differs
    operations   what an operator does between hours: init, adopt, control, orders
    backup       an account's documents into a file, back, and from one store to the other
    desk         what commands work with that need the account's store alone
    answers      what may be asked of an account between hours: why, how it stands, what it holds
    operator_commands  the commands that ask them
    auditing     which run this is, and the audit log as it is asked for
    mailbox      reads what an operator wrote to the bot, obeys it, answers
    inbox_answers  what the bot answers
    pool_commands  the upstream's pool: shown, judged, published
    state_commands  state and tapes: shown, proved, migrated
    command_line  which commands there are, and what each may be told
    operator_tables  how they are shown in a terminal
    books        the ledger read as a whole, and written out: exports
    results      profit and performance, from the hours and the ledger
    book_commands  export, ledger, pnl, performance: what an operator asks of them
    book_tables  how they are shown in a terminal
    tables       tables of text, safe for a terminal
    rebuild      the first state of an account, and a lost one made anew
    __main__     python -m runtime: the operator's command line

What everything stands on
    records      what an account keeps beside its hours: audit log and inbox
    ports        what the hour needs from the world
    errors       the error tree, sorted by what may be done next
    domain/      nouns and pure rules; standard library and pydantic only
    adapters/    one outside system each; they translate and never decide
"""
