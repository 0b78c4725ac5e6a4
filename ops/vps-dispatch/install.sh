#!/usr/bin/env bash
# Install, upgrade or remove the dispatcher of the current user; doing it again changes nothing.
#
#   install.sh [install | upgrade | uninstall] [--inbox] [--cron | --systemd] [--minute N] [--no-start] [--dry-run] [--check]
#
#   install     copy dispatch.sh, make the env file if there is none, and start it every hour (upgrade is the same)
#   uninstall   remove schedules and script; the env file, the logs and the time of the last success stay
#   --inbox     also read what was written to the bot, every minute; an upgrade keeps it; uninstall --inbox removes it alone
#   --cron      by the user's crontab;  --systemd  by a user timer; unless one is named: what is installed, else cron
#   --minute N  the minute of the hour; unless one is named: the one that is installed, else 2
#   --no-start  write the systemd units without talking to systemd (an image, or a machine that is not booted)
#   --dry-run   say what would be done, and do nothing
#   --check     afterwards, or alone with nothing to install, prove the settings: dispatch.sh --check, with the inbox's
#               where it is installed
#
# The env file is never overwritten. Exit: 0 done - 1 a step failed - 2 wrong arguments.
set -euo pipefail
umask 022
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
readonly name=binance-dispatch inbox=binance-inbox
readonly program=${XDG_DATA_HOME:-$HOME/.local/share}/$name
readonly config=${XDG_CONFIG_HOME:-$HOME/.config}/$name
readonly units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user

action='' with_inbox=0 scheduler='' minute='' start=1 dry=0 check=0

main() {
    read_arguments "$@"
    case $action in
        install) install_program; "schedule_by_$scheduler"; other_scheduler_off; next_steps ;;
        uninstall)
            cron_off "$inbox"; systemd_off "$inbox"
            ((with_inbox)) || { cron_off "$name"; systemd_off "$name"; remove "$program"; }
            ;;
    esac
    ((check)) || return 0
    local proof=("$program/dispatch.sh" --check)
    ((!with_inbox)) || proof+=(--inbox)
    if ((dry)); then say "run ${proof[*]}"; else "${proof[@]}"; fi
}

read_arguments() {
    local path
    while (($#)); do
        case $1 in
            install | upgrade) action=install ;;
            uninstall) action=uninstall ;;
            --inbox) with_inbox=1 ;;
            --cron | --systemd) scheduler=${1#--} ;;
            --minute) minute=${2:--}; shift ;;
            --no-start) start=0 ;;
            --dry-run) dry=1 ;;
            --check) check=1 ;;
            -h | --help) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"; exit 0 ;;
            *) wrong "unknown argument: $1; --help lists them" ;;
        esac
        shift || break
    done
    ((check)) || [[ -n $action ]] || action=install
    choose_schedule
    for path in "$program" "$config"; do
        [[ $action == install ]] || break
        if [[ $path != /* || $path == *[\'\"%\\\$\&\|\`[:cntrl:]]* ]]; then
            wrong "$path: cron and systemd need an absolute path without quotes and % \\ \$ & | \`: set XDG_DATA_HOME and \
XDG_CONFIG_HOME"
        fi
    done
    [[ $scheduler == systemd || $action != install ]] || command -v crontab >/dev/null ||
        wrong "crontab is not installed: install cron, or use --systemd"
}

# What is not named stays as it is installed: an upgrade moves nobody from one scheduler, or minute, to another.
choose_schedule() {
    local found=''
    if [[ -z $scheduler ]]; then
        scheduler=cron
        if [[ -e $units/$name.timer && -z $(cron_line "$name") ]]; then scheduler=systemd; fi
    fi
    if [[ $action != uninstall && ( -e $units/$inbox.timer || -n $(cron_line "$inbox") ) ]]; then with_inbox=1; fi
    if [[ $scheduler == cron ]]; then
        found=$(cron_line "$name")
        found=${found%% *}
    elif [[ -f $units/$name.timer ]]; then
        found=$(sed -n 's/^OnCalendar=.*:\([0-9]*\):00 UTC$/\1/p' "$units/$name.timer")
    fi
    minute=${minute:-${found:-2}}
    [[ $minute =~ ^[0-5]?[0-9]$ ]] || wrong "--minute: '$minute': 0 to 59"
    minute=$((10#$minute))
}

wrong() {
    printf 'install.sh: %s\n' "$1" >&2
    exit 2
}

say() {
    if ((dry)); then printf 'would %s\n' "$1"; else printf '%s\n' "$1"; fi
}

# change WHAT COMMAND...: say it, and do it unless --dry-run.
change() {
    say "$1"
    shift
    ((dry)) || "$@"
}

install_program() {
    local tool
    for tool in bash curl flock; do
        command -v "$tool" >/dev/null || { printf 'install.sh: %s is not installed\n' "$tool" >&2; exit 1; }
    done
    # A name of its own and a rename: a start that is reading the old file goes on with it.
    if ! cmp -s "$here/dispatch.sh" "$program/dispatch.sh"; then
        change "write $program/dispatch.sh" put "$program/dispatch.sh" 755 <"$here/dispatch.sh"
    fi
    if [[ ! -e $config/env && ! -L $config/env ]]; then
        change "write $config/env (mode 600), to be filled in" put "$config/env" 600 <"$here/vps-dispatch.env.example"
    fi
}

# put FILE MODE: standard input into a file, whole or not at all.
put() {
    mkdir -p "$(dirname "$1")"
    (umask 077 && cat >"$1.new")
    chmod "$2" "$1.new"
    mv -f "$1.new" "$1"
}

remove() {
    [[ ! -e $1 ]] || change "remove $1" rm -rf -- "$1"
}

# --- cron -------------------------------------------------------------------------------------------------------------

mark() {
    printf '# %s: one line, managed by install.sh' "$1"
}

# cron_line JOB: our line of the user's crontab, if it is there.
cron_line() {
    command -v crontab >/dev/null || return 0
    { crontab -l 2>/dev/null || true; } | awk -v mark="$(mark "$1")" 'last == mark { print } { last = $0 }'
}

# other_lines JOB: the user's crontab without our two lines of it.
other_lines() {
    { crontab -l 2>/dev/null || true; } |
        awk -v mark="$(mark "$1")" 'skip { skip = 0; next } $0 == mark { skip = 1; next } { print }'
}

schedule_by_cron() {
    cron_on "$name" "$minute * * * * '$program/dispatch.sh' '$config/env' >/dev/null" "minute $minute of every hour"
    # Nobody wants a mail a minute: what lasts is told, and all of it is in the log.
    ((!with_inbox)) || cron_on "$inbox" "* * * * * '$program/dispatch.sh' --inbox '$config/env' >/dev/null 2>&1" \
        'the inbox, every minute'
}

# cron_on JOB LINE WHEN
cron_on() {
    local wanted
    [[ $(cron_line "$1") != "$2" ]] || return 0
    wanted="$(other_lines "$1")"
    wanted+="${wanted:+$'\n'}$(mark "$1")"$'\n'"$2"
    change "write the crontab: $3" crontab - <<<"$wanted"
}

cron_off() {
    command -v crontab >/dev/null || return 0
    if [[ -n $(cron_line "$1") ]]; then
        change "take our line out of the crontab: $1" crontab - < <(other_lines "$1")
    fi
}

# --- systemd ----------------------------------------------------------------------------------------------------------

schedule_by_systemd() {
    local unit text timers=("$name.timer")
    local wanted=("$name.service" "$name.timer")
    ((!with_inbox)) || { wanted+=("$inbox.service" "$inbox.timer"); timers+=("$inbox.timer"); }
    for unit in "${wanted[@]}"; do
        text=$(sed -e "s|@PROGRAM@|$program|" -e "s|@CONFIG@|$config|" -e "s|@MINUTE@|$(printf '%02d' "$minute")|" "$here/$unit")
        [[ -f $units/$unit && $text == "$(<"$units/$unit")" ]] && continue
        change "write $units/$unit" put "$units/$unit" 644 <<<"$text"
    done
    ((start)) || return 0
    change "start ${timers[*]}" start_timers "${timers[@]}"
    say "keep it running while nobody is logged in: loginctl enable-linger $(id -un)"
}

start_timers() {
    systemctl --user daemon-reload && systemctl --user enable --now "$@" && return
    printf 'install.sh: %s\n' >&2 "the systemd of this user does not answer. Log in as $(id -un) itself (not by su or sudo);" \
        "or as root: loginctl enable-linger $(id -un); then here: export XDG_RUNTIME_DIR=/run/user/$(id -u), and do this again"
    return 1
}

systemd_off() {
    [[ -e $units/$1.timer ]] || return 0
    ((start)) && change "stop $1.timer" systemctl --user disable --now "$1.timer"
    remove "$units/$1.timer"
    remove "$units/$1.service"
    return 0
}

# Two schedules would be harmless (the lease lets one hour win), and useless.
other_scheduler_off() {
    local job
    for job in "$name" "$inbox"; do
        if [[ $scheduler == cron ]]; then systemd_off "$job"; else cron_off "$job"; fi
    done
}

next_steps() {
    local command="$program/dispatch.sh --check"
    ((!with_inbox)) || command+=' --inbox'
    ((dry)) || printf 'installed: fill in %s, then run %s\n' "$config/env" "$command"
}

main "$@"
